// Codebooks of the IQ types. They lie in device memory (kernels::Codebooks), whose address comes with the push constant
// `table` of every kernel that decodes weights; at 2 to 8 KiB they stay in the first cache. As array constants they would be
// copied to each invocation's memory on some drivers. Entries hold codes in the order of weight_codes.glsl, so that eight
// elements are a few operations on words (engine/format/types/iq_tables.h makes them).
#ifndef VKINFER_CODEBOOK
#define VKINFER_CODEBOOK

layout(buffer_reference, scalar, buffer_reference_align = 8) readonly restrict buffer AddrCodebook2 { uvec2 v[]; };
layout(buffer_reference, scalar, buffer_reference_align = 4) readonly restrict buffer AddrCodebook1 { uint v[]; };
#ifndef WEIGHT_TABLE // of several: weight_mixed.glsl
#define WEIGHT_TABLE push.table
#endif
#ifdef WEIGHT_REPACK_ONLY
uint codebook1(uint k) { return 0u; }
uvec2 codebook2(uint k) { return uvec2(0u); }
#else
uint codebook1(uint k) { return AddrCodebook1(WEIGHT_TABLE).v[k]; }
uvec2 codebook2(uint k) { return AddrCodebook2(WEIGHT_TABLE).v[k]; }
#endif
#endif
