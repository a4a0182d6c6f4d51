#!/usr/bin/env python3
"""Trains the demo model: train.py --vocabulary vocabulary.json --out model.pt [--minutes 60]

Two processes share the work: one writes text (generate_text.py) and tokenises it, this one trains. Only the assistant's tokens count
for the loss. Matrices inside the blocks learn by Muon, everything else by Adam; all matrix products run in bfloat16, which is what
makes this feasible on a CPU with AMX. The learning rate falls with the *time* that is left, so the run ends when it was told to; with
--steps it falls with the steps instead, and two runs see the same text and the same rates.
"""

import argparse
import multiprocessing
import random
import time

import torch
import torch.nn.functional as F

from generate_text import SEED, Generator
from model import Config, Model
from render import render
from tokenizer import Tokenizer

IGNORE = -100


class Packer:
    """Fills rows of `length` tokens with whole conversations, the last one cut off, and marks what the assistant says."""

    def __init__(self, tokenizer, seed, max_context, practice, facts):
        self.tokenizer, self.generator, self.rng = tokenizer, Generator(seed, facts), random.Random(seed)
        self.practice_share = practice
        self.max_context = max_context
        self.turn_start = tokenizer.encode("<|im_start|>assistant\n")
        self.turn_end, self.separator = tokenizer.ids["<|im_end|>"], tokenizer.ids["<|endoftext|>"]

    def practice(self, length):
        """A row of bare calculations, of which only the results count: most of what a row of conversations spends on words is saved."""
        tokens, targets, equals = [], [], self.tokenizer.encode("1 =")[1:]
        while len(tokens) <= length:
            line = self.tokenizer.encode(self.generator.calculation() + "\n")
            result = line.index(equals[0])
            targets += [IGNORE] * result + line[result + 1:-1] + [IGNORE] * 2
            tokens += line
        return tokens[:length], list(range(length)), targets[:length]

    def row(self, length):
        """(tokens, positions, targets), each `length` long."""
        if self.rng.random() < self.practice_share:
            return self.practice(length)
        tokens, breaks = [], []
        while len(tokens) <= length:
            breaks.append(len(tokens))
            tokens += self.tokenizer.encode(render(self.generator.conversation())) + [self.separator]
        targets, speaking, n = [IGNORE] * len(tokens), False, len(self.turn_start)
        for i in range(1, len(tokens)):
            if speaking:
                targets[i - 1] = tokens[i]
                speaking = tokens[i] != self.turn_end
            elif tokens[i + 1 - n:i + 1] == self.turn_start:
                speaking = True
        return tokens[:length], self.positions(length, tokens, breaks), targets[:length]

    def positions(self, length, tokens, breaks):
        """Half of the rows jump ahead at turns and conversations, so that short rows teach distances up to the whole context."""
        positions, at = [], 0
        jumps = self.rng.random() < 0.5
        room = (self.max_context - length) if jumps else 0
        for i in range(length):
            if jumps and room > 0 and tokens[i] == self.tokenizer.ids["<|im_start|>"] and self.rng.random() < 0.15:
                step = int(room * self.rng.random() ** 3)
                at, room = at + step, room - step
            positions.append(at)
            at += 1
        return positions

    def batch(self, rows, length):
        return tuple(torch.tensor(x) for x in zip(*(self.row(length) for _ in range(rows))))


def produce(queue, args, context):
    torch.set_num_threads(1)
    packer = Packer(Tokenizer.load(args.vocabulary), args.seed, context, args.practice, args.facts)
    while True:
        queue.put(tuple(x.numpy() for x in packer.batch(args.rows, args.length)))


def orthogonalise(m):
    """Newton-Schulz iteration of Muon (Jordan et al. 2024) on a stack of matrices: pushes all singular values towards one."""
    x = m.bfloat16()
    transpose = x.shape[-2] > x.shape[-1]
    x = x.mT if transpose else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if transpose else x).float()


class Muon:
    """Momentum, orthogonalised; matrices of one shape are handled together."""

    def __init__(self, parameters, momentum=0.95, weight_decay=0.02):
        shapes = {}
        for p in parameters:
            shapes.setdefault(tuple(p.shape), []).append(p)
        self.groups = [(ps, torch.zeros(len(ps), *shape)) for shape, ps in shapes.items()]
        self.momentum, self.weight_decay = momentum, weight_decay

    @torch.no_grad()
    def step(self, rate):
        for parameters, velocity in self.groups:
            gradient = torch.stack([p.grad for p in parameters])
            velocity.lerp_(gradient, 1 - self.momentum)
            update = orthogonalise(gradient.lerp(velocity, self.momentum))
            rows, cols = parameters[0].shape
            scale = rate * max(1, rows / cols) ** 0.5
            for p, u in zip(parameters, update):
                p.mul_(1 - rate * self.weight_decay).add_(u, alpha=-scale)
                p.grad = None


def loss_of(hidden, head, targets):
    """Cross entropy over the assistant's tokens only: the head is not even computed for the others."""
    chosen = targets.flatten() != IGNORE
    logits = head(hidden.flatten(0, 1)[chosen])
    return F.cross_entropy(logits.float(), targets.flatten()[chosen])


def make_model(config):
    torch.manual_seed(SEED)
    model = Model(config)
    for name, p in model.named_parameters():
        if p.dim() == 2:
            scale = (2 * config.n_layer) ** -0.5 if name.endswith(("attn_output.weight", "ffn_down.weight")) else 1
            torch.nn.init.normal_(p, std=(0.02 if "token_embd" in name else p.shape[1] ** -0.5 * 0.5) * scale)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocabulary", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rate", type=float, default=0.02)
    parser.add_argument("--adam-rate", type=float, default=0.004)
    parser.add_argument("--decay", type=float, default=0.6, help="the part of the run in which the rate falls")
    parser.add_argument("--resume", help="weights to go on from")
    parser.add_argument("--practice", type=float, default=0.3, help="the share of rows that hold bare calculations")
    parser.add_argument("--facts", type=float, default=0.48, help="the share of facts among questions")
    parser.add_argument("--seed", type=int, default=SEED + 10)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    config = Config()
    model = make_model(config)
    if args.resume:
        model.load_state_dict(torch.load(args.resume))
    matrices = [p for n, p in model.named_parameters() if p.dim() == 2 and n.startswith("blk")]
    others = [p for n, p in model.named_parameters() if not (p.dim() == 2 and n.startswith("blk"))]
    muon, adam = Muon(matrices), torch.optim.Adam(others, betas=(0.9, 0.98), eps=1e-10)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million parameters", flush=True)

    queue = multiprocessing.Queue(maxsize=8)
    multiprocessing.Process(target=produce, daemon=True, args=(queue, args, config.n_context)).start()
    start, step, average, saved = time.time(), 0, None, time.time()
    while True:
        elapsed = time.time() - start
        done = step / args.steps if args.steps else elapsed / (60 * args.minutes)
        if done >= 1:
            break
        rate = min(1, (step + 1) / 50) * min(1, (1 - done) / args.decay)
        tokens, positions, targets = (torch.from_numpy(x) for x in queue.get())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = loss_of(model.hidden(tokens, positions), model.output, targets)
        loss.backward()
        for group in adam.param_groups:
            group["lr"] = args.adam_rate * rate
        adam.step()
        adam.zero_grad()
        muon.step(args.rate * rate)
        average = loss.item() if average is None else 0.97 * average + 0.03 * loss.item()
        step += 1
        if step % 50 == 0:
            print(f"{elapsed / 60:6.1f} min  step {step}  loss {average:.4f}  rate {rate:.3f}  "
                  f"{step * args.rows * args.length / (time.time() - start):.0f} tokens/s", flush=True)
        if time.time() - saved > 120:
            torch.save(model.state_dict(), args.out)
            saved = time.time()
    torch.save(model.state_dict(), args.out)
    print(f"{step} steps, {step * args.rows * args.length / 1e6:.1f} million tokens, {(time.time() - start) / 60:.1f} minutes", flush=True)


if __name__ == "__main__":
    main()
