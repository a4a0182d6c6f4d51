// The bytes of one GGUF file -> its metadata and tensor table, checked completely; knows nothing of files or splits.
#pragma once

#include "format/gguf_value.h"
#include "format/tensor_type.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::format {

struct MetadataEntry {
    std::string_view key;
    GgufValue value;
};

/// A tensor of a file: what it is and where its bytes are.
struct TensorInfo {
    std::string name;
    TensorType type = TensorType::f32;
    uint32_t n_dims = 0;                         ///< as stored, 0 ... 4
    std::array<uint64_t, 4> dims = {1, 1, 1, 1}; ///< innermost (contiguous) first; missing ones are 1
    uint64_t offset = 0;                         ///< of the first byte, from the start of its file
    uint64_t size_bytes = 0;
    uint32_t shard = 0; ///< which file of a split model

    uint64_t n_elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
    uint64_t n_rows() const { return dims[1] * dims[2] * dims[3]; }
    uint64_t row_bytes() const { return traits(type).row_bytes(dims[0]); }
    /// "[768, 2048]": for messages.
    std::string shape_text() const;
};

struct GgufContents {
    uint32_t version = 0;
    uint64_t alignment = 32;
    uint64_t data_start = 0;             ///< where offset 0 of the tensor table is, from the start of the file
    std::vector<MetadataEntry> metadata; ///< in the order of the file; views into the parsed bytes
    std::vector<TensorInfo> tensors;     ///< in the order of the file; shard is 0
};

/// Parses a whole file. Throws Error{invalid_input | unsupported} that begins with `file_name`. Allocates in proportion
/// to what the file really holds, whatever its counts claim.
/// `header_only`: the tensors' bytes need not be there.
GgufContents parse_gguf(std::span<const std::byte> bytes, std::string_view file_name, bool header_only = false);

} // namespace vkinfer::format
