// What a SPIR-V module declares, read with a short scan: bindings, push constants, specialisation constants. Used by
// the test that holds every shader against the manifest.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::kernels {

struct SpirvInterface {
    struct Binding {
        uint32_t set = 0;
        bool is_readonly = false;  ///< every member is NonWritable
        bool is_writeonly = false; ///< every member is NonReadable
    };
    std::map<uint32_t, Binding> bindings;    ///< storage buffers by binding number
    uint32_t push_bytes = 0;                 ///< end of the last member of the push constant block
    std::vector<uint32_t> spec_ids;          ///< sorted
    std::optional<uint32_t> local_size_x_id; ///< constant id of the workgroup size
    bool uses_cooperative_matrix = false;
};

/// Throws Error{internal} for what is no SPIR-V.
SpirvInterface reflect(std::span<const uint32_t> words);

} // namespace vkinfer::kernels
