// Entry k of the codebook of the weight's type: a word of 16 bits with 2-bit or 4-bit codes. A codebook lies in device memory
// (kernels::Codebooks), whose address comes with the push constant `table` of every kernel that decodes weights; at 512 bytes
// to 4 KiB it stays in the first cache. As an array constant it would be copied to each invocation's memory on some drivers.
layout(buffer_reference, scalar, buffer_reference_align = 2) readonly restrict buffer AddrCodebook { uint16_t v[]; };
#ifdef WEIGHT_REPACK_ONLY
uint codebook(uint k) { return 0u; }
#else
uint codebook(uint k) { return uint(AddrCodebook(push.table).v[k]); }
#endif
