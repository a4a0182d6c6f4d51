// Q6_K: 16 groups of 16 codes of 6 bits around 32 (four in ql, two in qh), a signed byte as scale each, times d.
#include "format/types/block.h"
#include "format/types/k_search.h"

#include <algorithm>
#include <cmath>

namespace vkinfer::format::types {

namespace {

void decode(const uint8_t* block, float* values) {
    const float d = load_f16(block + 208);
    for (int i = 0; i < 256; ++i) {
        const int half = i / 128, j = i % 128 / 32, l = i % 32;
        const uint8_t pair = block[64 * half + 32 * (j % 2) + l];
        const int low = j < 2 ? pair & 15 : pair >> 4;
        const int high = (block[128 + 32 * half + l] >> (2 * j)) & 3;
        const float step = d * static_cast<float>(load_i8(block + 192 + i / 16));
        values[i] = step * static_cast<float>((low | high << 4) - 32);
    }
}

/// Squared error of 16 values with the best codes for a step.
float error_of(const float* values, float step) {
    const float inverse = step != 0.0f ? 1.0f / step : 0.0f;
    float error = 0.0f;
    for (int i = 0; i < 16; ++i) {
        const float difference = values[i] - step * std::clamp(std::nearbyint(values[i] * inverse), -32.0f, 31.0f);
        error += difference * difference;
    }
    return error;
}

void encode(const float* values, uint8_t* block) {
    float steps[16];
    float extreme = 0.0f;
    for (int g = 0; g < 16; ++g) {
        steps[g] = fit_scale(values + 16 * g, 32);
        if (std::fabs(steps[g]) > std::fabs(extreme)) extreme = steps[g];
    }
    // The largest step becomes -128, the code without a counterpart.
    const uint16_t d_bits = float_to_half(std::clamp(extreme / -128.0f, -65504.0f, 65504.0f));
    const float d = half_to_float(d_bits);
    std::fill_n(block, 208, uint8_t{0});
    for (int g = 0; g < 16; ++g) {
        const float wished = d != 0.0f ? std::clamp(std::nearbyint(steps[g] / d), -128.0f, 127.0f) : 0.0f;
        int scale = static_cast<int>(wished);
        float best = INFINITY;
        for (int candidate = static_cast<int>(wished) - 1; candidate <= static_cast<int>(wished) + 1; ++candidate) {
            if (candidate < -128 || candidate > 127) continue;
            const float error = error_of(values + 16 * g, d * static_cast<float>(candidate));
            if (error < best) {
                best = error;
                scale = candidate;
            }
        }
        block[192 + g] = static_cast<uint8_t>(static_cast<int8_t>(scale));
        const float step = d * static_cast<float>(scale);
        const float inverse = step != 0.0f ? 1.0f / step : 0.0f;
        for (int i = 16 * g; i < 16 * g + 16; ++i) {
            const int code = static_cast<int>(std::clamp(std::nearbyint(values[i] * inverse), -32.0f, 31.0f)) + 32;
            const int half = i / 128, j = i % 128 / 32, l = i % 32;
            uint8_t& low = block[64 * half + 32 * (j % 2) + l];
            uint8_t& high = block[128 + 32 * half + l];
            low = static_cast<uint8_t>(low | (code & 15) << (j < 2 ? 0 : 4));
            high = static_cast<uint8_t>(high | (code >> 4) << (2 * j));
        }
    }
    store_u16(block + 208, d_bits);
}

} // namespace

extern const TypeTraits q6_k;
const TypeTraits q6_k = {TensorType::q6_k,
                         "Q6_K",
                         256,
                         210,
                         TypeKind::quantised,
                         decode_row<256, 210, decode>,
                         encode_row<256, 210, encode>};

} // namespace vkinfer::format::types
