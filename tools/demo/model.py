"""The qwen3 architecture in PyTorch, as small as it can be written: used to train the demo model and to check the exported file."""

import dataclasses

import torch
import torch.nn.functional as F
from torch import nn


@dataclasses.dataclass
class Config:
    n_vocab: int = 1536
    n_embd: int = 256
    n_layer: int = 6
    n_head: int = 4
    n_head_kv: int = 2
    head_dim: int = 64
    n_ff: int = 768
    n_context: int = 4096
    rope_base: float = 10000.0
    eps: float = 1e-6


class Normalise(torch.autograd.Function):
    """x / rms(x) over the last dimension. Written by hand because elementwise operations take most of the time on a CPU."""

    @staticmethod
    def forward(ctx, x, eps):
        scale = torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)
        y = x * scale
        ctx.save_for_backward(y, scale)
        return y

    @staticmethod
    def backward(ctx, gradient):
        y, scale = ctx.saved_tensors
        along = (gradient * y).mean(-1, keepdim=True)
        return torch.addcmul(gradient, y, along, value=-1).mul_(scale), None


class RmsNorm(nn.Module):
    def __init__(self, n, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))
        self.eps = eps

    def forward(self, x):
        return Normalise.apply(x, self.eps) * self.weight


def working(x):
    """Activations go into the matrix products in the type of the autocast, converted once."""
    return x.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else x


def rotate(x, cos, sin):
    """RoPE on pairs (i, i + head_dim / 2). x: (batch, time, heads, head_dim); cos, sin: (batch, time, 1, head_dim), sin negative for the
    first half."""
    half = x.shape[-1] // 2
    return torch.addcmul(x * cos, x.roll(half, -1), sin)


def attention(q, k, v):
    """Causal attention with grouped heads: (batch, time, heads, head_dim) -> (batch, time, heads * head_dim).

    Written out as two batched products, because PyTorch 2.6's fused CPU kernel takes three times as long in its backward pass.
    """
    n, t, n_head, d = q.shape
    group = n_head // k.shape[2]
    q, k, v = (x.transpose(1, 2).repeat_interleave(r, dim=1).reshape(n * n_head, t, d) for x, r in ((q, 1), (k, group), (v, group)))
    mask = torch.full((t, t), -torch.inf, dtype=q.dtype).triu(1)
    weights = torch.baddbmm(mask, q, k.mT, alpha=d ** -0.5).softmax(-1, dtype=q.dtype)
    return (weights.to(v.dtype) @ v).view(n, n_head, t, d).transpose(1, 2).reshape(n, t, n_head * d)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.attn_norm = RmsNorm(c.n_embd, c.eps)
        self.attn_q = nn.Linear(c.n_embd, c.n_head * c.head_dim, bias=False)
        self.attn_k = nn.Linear(c.n_embd, c.n_head_kv * c.head_dim, bias=False)
        self.attn_v = nn.Linear(c.n_embd, c.n_head_kv * c.head_dim, bias=False)
        self.attn_q_norm = RmsNorm(c.head_dim, c.eps)
        self.attn_k_norm = RmsNorm(c.head_dim, c.eps)
        self.attn_output = nn.Linear(c.n_head * c.head_dim, c.n_embd, bias=False)
        self.ffn_norm = RmsNorm(c.n_embd, c.eps)
        self.ffn_gate = nn.Linear(c.n_embd, c.n_ff, bias=False)
        self.ffn_up = nn.Linear(c.n_embd, c.n_ff, bias=False)
        self.ffn_down = nn.Linear(c.n_ff, c.n_embd, bias=False)

    def qkv(self, x, cos, sin):
        c = self.c
        n, t, _ = x.shape
        h = working(self.attn_norm(x))
        qk = torch.cat([self.attn_q(h), self.attn_k(h)], dim=-1).view(n, t, c.n_head + c.n_head_kv, c.head_dim)
        weights = torch.cat([self.attn_q_norm.weight.expand(c.n_head, -1), self.attn_k_norm.weight.expand(c.n_head_kv, -1)])
        qk = working(rotate(Normalise.apply(qk.float(), c.eps) * weights, cos, sin))
        return qk[:, :, :c.n_head], qk[:, :, c.n_head:], self.attn_v(h).view(n, t, c.n_head_kv, c.head_dim)

    def finish(self, x, attended):
        x = x + self.attn_output(attended)
        h = working(self.ffn_norm(x))
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))

    def forward(self, x, cos, sin):
        return self.finish(x, attention(*self.qkv(x, cos, sin)))


class Model(nn.Module):
    """Parameters have the names of the tensors in the GGUF file."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.token_embd = nn.Embedding(c.n_vocab, c.n_embd)
        self.blk = nn.ModuleList(Block(c) for _ in range(c.n_layer))
        self.output_norm = RmsNorm(c.n_embd, c.eps)
        self.output = nn.Linear(c.n_embd, c.n_vocab, bias=False)

    def angles(self, positions):
        """What `rotate` takes for positions (batch, time)."""
        c = self.c
        freq = c.rope_base ** (-torch.arange(0, c.head_dim, 2, dtype=torch.float32) / c.head_dim)
        angle = positions[:, :, None, None].float() * freq
        return torch.cat([angle.cos()] * 2, dim=-1), torch.cat([-angle.sin(), angle.sin()], dim=-1)

    def hidden(self, tokens, positions):
        """Everything up to the head. tokens, positions: (batch, time)."""
        cos, sin = self.angles(positions)
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, cos, sin)
        return self.output_norm(x)

    def forward(self, tokens):
        """Logits of every position."""
        return self.output(self.hidden(tokens, torch.arange(tokens.shape[1])[None].expand_as(tokens)))
