// Helpers for the files beside this one: unaligned little-endian fields of a block, and the loop over the blocks of a
// row. The formulas are those of ggml's formats; every product in them is exact in binary32, so that the order of
// multiplications does not matter and any correct implementation gives the same bits.
#pragma once

#include "base/half.h"
#include "format/tensor_type.h"

#include <cstring>

namespace vkinfer::format::types {

// Where the C++ is little-endian only, so are the files: refused at compile time elsewhere.
static_assert(std::endian::native == std::endian::little, "GGUF data is little-endian");

inline uint16_t load_u16(const uint8_t* at) {
    uint16_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline uint32_t load_u32(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline float load_f32(const uint8_t* at) {
    return std::bit_cast<float>(load_u32(at));
}
inline float load_f16(const uint8_t* at) {
    return half_to_float(load_u16(at));
}
inline int8_t load_i8(const uint8_t* at) {
    return static_cast<int8_t>(*at);
}

inline void store_u16(uint8_t* at, uint16_t value) {
    std::memcpy(at, &value, sizeof value);
}
inline void store_u32(uint8_t* at, uint32_t value) {
    std::memcpy(at, &value, sizeof value);
}
inline void store_f16(uint8_t* at, float value) {
    store_u16(at, float_to_half(value));
}

/// Nibble i of a group of 32 elements in 16 bytes: byte j holds element j (low half) and element j + 16 (high half).
inline int nibble(const uint8_t* group, int i) {
    return i < 16 ? group[i] & 15 : group[i - 16] >> 4;
}

/// Packs 32 codes of 4 bits in the order that nibble() reads.
inline void store_nibbles(uint8_t* group, const uint8_t* codes) {
    for (int j = 0; j < 16; ++j) group[j] = static_cast<uint8_t>(codes[j] | codes[j + 16] << 4);
}

/// A code of a simple type: truncated to 0 ... limit. A scale near the smallest float has an infinite inverse, so
/// anything may come in, NaN included; its blocks decode to 0 whatever their codes.
inline int to_code(float x, int limit) {
    if (!(x > 0.0f)) return 0;
    return x < static_cast<float>(limit) ? static_cast<int>(x) : limit;
}

/// A row decoder made of a block decoder.
template<uint32_t kElements, uint32_t kBytes, void (*kDecodeBlock)(const uint8_t* block, float* values)>
void decode_row(const std::byte* blocks, float* values, size_t n_elements) {
    const auto* block = reinterpret_cast<const uint8_t*>(blocks);
    for (size_t i = 0; i + kElements <= n_elements; i += kElements, block += kBytes) kDecodeBlock(block, values + i);
}

/// A row encoder made of a block encoder.
template<uint32_t kElements, uint32_t kBytes, void (*kEncodeBlock)(const float* values, uint8_t* block)>
void encode_row(const float* values, std::byte* blocks, size_t n_elements) {
    auto* block = reinterpret_cast<uint8_t*>(blocks);
    for (size_t i = 0; i + kElements <= n_elements; i += kElements, block += kBytes) kEncodeBlock(values + i, block);
}

} // namespace vkinfer::format::types
