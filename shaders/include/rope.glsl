// Heads in shared memory: taken from rows of qkv, normalised and rotated. For workgroups of one subgroup.
// The includer declares the buffers qkv and table, the constants n_rot, rot_first, rope_kind, mixed, has_qk_norm and local_size, and
// n_held: how many elements are held.
const uint kRopeNone = 0u;
const uint kRopeNeox = 1u; // pairs (i, i + n_rot / 2)
const uint kRopeNorm = 2u; // pairs (2i, 2i + 1)

shared float head[n_held];

// head[to ..] = qkv[from ..], n_dims of them, with an RMS norm of these weights when the model has one.
void take_head(uint from, uint to, uint n_dims, uint64_t norm_weight, float eps, bool has_norm) {
    float sum = 0.0;
    for (uint i = gl_LocalInvocationIndex; i < n_dims; i += local_size) {
        const float v = qkv[from + i];
        head[to + i] = v;
        sum += v * v;
    }
    if (has_qk_norm == 0 || !has_norm) return;
    const float scale = inversesqrt(subgroupAdd(sum) / float(n_dims) + eps);
    for (uint i = gl_LocalInvocationIndex; i < n_dims; i += local_size) head[to + i] *= scale * AddrF32(norm_weight).v[i];
}

// Rotates n_rot dimensions of head[at ..] from rot_first on to the position of a token of the step. Needs a barrier before and after.
void rotate_head(uint at, uint token) {
    if (rope_kind == kRopeNone) return;
    for (uint i = gl_LocalInvocationIndex; i < n_rot / 2; i += local_size) {
        const vec2 cs = table[token * (n_rot / 2) + i];
        const uint a = at + rot_first + (rope_kind == kRopeNeox ? i : 2 * i);
        const uint b = at + rot_first + (rope_kind == kRopeNeox ? i + n_rot / 2 : 2 * i + 1);
        const float va = head[a], vb = head[b];
        head[a] = va * cs.x - vb * cs.y;
        head[b] = va * cs.y + vb * cs.x;
    }
}

// Multiplies each run of `mixed` (a power of two, or 0) of the first n elements of head[] by a normalised Hadamard matrix: products
// of Q and K stay what they are, and outliers of K spread over the run before they set the scale of a block. Needs a barrier before.
void mix_heads(uint n) {
    for (uint apart = 1; apart < mixed; apart *= 2) {
        for (uint i = gl_LocalInvocationIndex; i < n / 2; i += local_size) {
            const uint at = i / apart * 2 * apart + i % apart;
            const float a = head[at], b = head[at + apart];
            head[at] = (a + b) * 0.70710678;
            head[at + apart] = (a - b) * 0.70710678;
        }
        subgroupMemoryBarrierShared();
        subgroupBarrier();
    }
}
