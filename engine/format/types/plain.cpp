// Types with one number per element: the floats, and the integers that some files keep tables in.
#include "format/types/block.h"

namespace vkinfer::format::types {

namespace {

void decode_f32(const uint8_t* at, float* value) {
    *value = load_f32(at);
}
void decode_f16(const uint8_t* at, float* value) {
    *value = load_f16(at);
}
void decode_bf16(const uint8_t* at, float* value) {
    *value = bfloat16_to_float(load_u16(at));
}
void decode_f64(const uint8_t* at, float* value) {
    double wide;
    std::memcpy(&wide, at, sizeof wide);
    *value = static_cast<float>(wide);
}

void encode_f32(const float* value, uint8_t* at) {
    store_u32(at, std::bit_cast<uint32_t>(*value));
}
void encode_f16(const float* value, uint8_t* at) {
    store_f16(at, *value);
}
void encode_bf16(const float* value, uint8_t* at) {
    store_u16(at, float_to_bfloat16(*value));
}

} // namespace

extern const TypeTraits f32, f16, bf16, f64, i8, i16, i32, i64;

const TypeTraits f32 = {
    TensorType::f32, "F32", 1, 4, TypeKind::floating, decode_row<1, 4, decode_f32>, encode_row<1, 4, encode_f32>};
const TypeTraits f16 = {
    TensorType::f16, "F16", 1, 2, TypeKind::floating, decode_row<1, 2, decode_f16>, encode_row<1, 2, encode_f16>};
const TypeTraits bf16 = {
    TensorType::bf16, "BF16", 1, 2, TypeKind::floating, decode_row<1, 2, decode_bf16>, encode_row<1, 2, encode_bf16>};
const TypeTraits f64 = {TensorType::f64, "F64", 1, 8, TypeKind::floating, decode_row<1, 8, decode_f64>};
const TypeTraits i8 = {TensorType::i8, "I8", 1, 1, TypeKind::integer};
const TypeTraits i16 = {TensorType::i16, "I16", 1, 2, TypeKind::integer};
const TypeTraits i32 = {TensorType::i32, "I32", 1, 4, TypeKind::integer};
const TypeTraits i64 = {TensorType::i64, "I64", 1, 8, TypeKind::integer};

} // namespace vkinfer::format::types
