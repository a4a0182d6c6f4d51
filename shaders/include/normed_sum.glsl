// The scale of a row whose norm is folded in, for GEMMs (x_scale of gemm_direct.glsl): n_shares neighbouring lanes add up its parts.
// The includer declares the buffer parts and push.{parts_at, n_parts, n_blocks, eps}.
float x_scale(uint row, uint share, uint n_shares) {
    const uint kAtOnce = 16u;
    const uint from = push.parts_at + row * push.n_parts;
    float sum = 0.0;
    for (uint first = share; first < push.n_parts; first += kAtOnce * n_shares) {
        float part[kAtOnce];
        [[unroll]] for (uint i = 0; i < kAtOnce; i++) part[i] = parts[from + min(first + i * n_shares, push.n_parts - 1u)];
        [[unroll]] for (uint i = 0; i < kAtOnce; i++) sum += first + i * n_shares < push.n_parts ? part[i] : 0.0;
    }
    [[unroll]] for (uint apart = 1; apart < n_shares; apart *= 2) sum += subgroupShuffleXor(sum, apart);
    return normed_scale(sum, push.n_blocks * kBlock, push.eps);
}
