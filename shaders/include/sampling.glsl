// What the sampling kernels share: the records of engine/graph/step_layout.h and, bit for bit, the arithmetic of
// engine/runtime/sampling_math.h.
#ifndef VKINFER_SAMPLING
#define VKINFER_SAMPLING

const uint kSampleWindow = 256u;   // tokens of the penalties at most
const uint kSampleGreedy = 1u;     // the likeliest token
const uint kSampleTopP = 2u;       // top_p holds
const uint kSampleStops = 4u;      // a stop token ends the row
const uint kSamplePenalties = 8u;

// Results that are no token.
const uint kSampleNone = 0xffffffffu;   // -1: no logit above -infinity
const uint kSampleOnHost = 0xfffffffeu; // -2: more candidates than fit here

struct SampleRow {
    uint flags;
    uint top_k;          // 0: off
    uint top_p;          // in 2^-32
    uint least_weight;   // of min_p; 0: off
    float scale;         // 1 / temperature
    float inverse_repeat, repeat, frequency, presence;
    uint n_window, window_capacity, window_next; // a ring once it is full
    uint first_edit, n_edits;
    uint first_tile, n_tiles; // of the row's token in a step that goes on by itself
    uint seed[2];
    uint n_drawn[2];
    uint n_steps;
    uint is_done;
};

const float kNoLogit = -1.0 / 0.0;

// The value as it is compared: -infinity for NaN, 0 for -0.
float comparable(float x) {
    const uint bits = floatBitsToUint(x) & 0x7fffffffu;
    return bits > 0x7f800000u ? kNoLogit : bits == 0u ? 0.0 : x;
}

uint exp_weight(float x) {
    const bool is_near = x > -21.5;
    const float bounded = is_near ? x : -21.5;
    precise float t = bounded * 1.44269504;
    t = t - 0.5;
    const int n = int(t);
    const float k = float(n);
    precise float r = k * 0.693359375;
    r = bounded - r;
    precise float r2 = k * -2.12194440e-4;
    r = r - r2;
    precise float p = 1.9875691500e-4;
    p = p * r; p = p + 1.3981999507e-3;
    p = p * r; p = p + 8.3334519073e-3;
    p = p * r; p = p + 4.1665795894e-2;
    p = p * r; p = p + 1.6666665459e-1;
    p = p * r; p = p + 5.0000001201e-1;
    precise float square = r * r;
    precise float y = p * square;
    y = y + r;
    y = y + 1.0;
    const float power = uintBitsToFloat(uint(n + 30 + 127) << 23);
    precise float scaled = y * power;
    scaled = scaled + 0.5;
    return is_near ? uint(int(scaled)) : 0u;
}

// Weight of a logit at distances multiplied by `scale`.
uint weight_at(float logit, float best, float scale) {
    precise float distance = logit - best;
    distance = distance * scale;
    return exp_weight(distance);
}

// Philox4x32-10.
uint64_t random_bits(uint seed[2], uint index[2]) {
    uint c0 = index[0], c1 = index[1], c2 = 0u, c3 = 0u;
    uint k0 = seed[0], k1 = seed[1];
    for (int i = 0; i < 10; i++) {
        uint high0, low0, high1, low1;
        umulExtended(0xD2511F53u, c0, high0, low0);
        umulExtended(0xCD9E8D57u, c2, high1, low1);
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return uint64_t(c1) << 32 | uint64_t(c0);
}

// The upper 64 bits of the 128-bit product.
uint64_t multiply_high(uint64_t a, uint64_t b) {
    const uint64_t a0 = a & 0xffffffffUL, a1 = a >> 32;
    const uint64_t b0 = b & 0xffffffffUL, b1 = b >> 32;
    const uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    const uint64_t other = a0 * b1 + (middle & 0xffffffffUL);
    return a1 * b1 + (middle >> 32) + (other >> 32);
}

// Larger for larger numbers; not for NaN.
uint ordered(float x) {
    const uint bits = floatBitsToUint(x);
    return (bits & 0x80000000u) != 0u ? ~bits : bits | 0x80000000u;
}
float from_ordered(uint key) { return uintBitsToFloat((key & 0x80000000u) != 0u ? key & 0x7fffffffu : ~key); }

#endif
