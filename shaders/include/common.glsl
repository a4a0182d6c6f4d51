// What every kernel starts with: extensions, views on memory by 64-bit address, and the step's counters.
#ifndef VKINFER_COMMON
#define VKINFER_COMMON

#extension GL_EXT_buffer_reference : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_scalar_block_layout : require
#extension GL_EXT_shader_16bit_storage : require
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_explicit_arithmetic_types : require

layout(buffer_reference, scalar, buffer_reference_align = 16) buffer AddrU32x4 { uvec4 v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 8) buffer AddrU32x2 { uvec2 v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) buffer AddrU32 { uint v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) buffer AddrF32 { float v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 16) buffer AddrF32x4 { vec4 v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer AddrU16 { uint16_t v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 2) buffer AddrF16 { float16_t v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) buffer AddrF16x2 { f16vec2 v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 1) buffer AddrU8 { uint8_t v[]; };

// Rows of a weight are kept in strips of 16; a block is 32 consecutive elements of a row.
const uint kStripRows = 16u;
const uint kBlock = 32u;

// Indices into the counters of a step (graph::StepLayout).
const uint kCountTokens = 0u;
const uint kCountOutputs = 1u;
const uint kCountTiles = 2u;
const uint kCountRunning = 3u;

float half_bits_to_float(uint bits) { return unpackHalf2x16(bits & 0xffffu).x; }

#endif
