// `vkinfer dequant`: raw blocks on standard input -> float32 on standard output, for checks against other
// implementations.
#pragma once

#include "format/tensor_type.h"

#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>

namespace vkinfer::tools {

/// Decodes whole blocks: n_elements of them into `values`. The CPU one is traits(type).dequantise.
using Decoder = std::function<void(std::span<const std::byte> blocks, std::span<float> values)>;

/// Streams until the end of `in`; memory does not depend on its length. Returns the number of blocks. Throws Error when
/// the input ends inside of a block or a stream fails, and for types that have no float values. Without a decoder the
/// CPU decodes.
uint64_t dequantise_stream(const format::TypeTraits& type, std::FILE* in, std::FILE* out, const Decoder& decode = {});

} // namespace vkinfer::tools
