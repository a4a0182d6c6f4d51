// The SPIR-V modules that are built into the library, found by name. The table is written by shaders/generate.py.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace vkinfer::kernels {

enum class Access : uint8_t { read = 1, write = 2, read_write = 3 };

inline bool reads(Access access) {
    return (static_cast<uint8_t>(access) & 1) != 0;
}
inline bool writes(Access access) {
    return (static_cast<uint8_t>(access) & 2) != 0;
}

struct ShaderBinding {
    std::string_view name;
    Access access = Access::read;
};

inline constexpr uint32_t kMaxBindings = 16;

/// One variant of a kernel as the manifest declares it.
struct ShaderInfo {
    std::string_view name;   ///< "matvec.q4_0.f32"
    std::string_view kernel; ///< "matvec"
    std::span<const uint32_t> spirv;
    uint32_t push_bytes = 0;
    uint32_t n_spec = 0; ///< specialisation constants 0 .. n_spec - 1, all of 32 bits
    bool coopmat = false;
    bool full_subgroups = false;
    std::array<ShaderBinding, kMaxBindings> bindings{};
    uint32_t n_bindings = 0;
};

/// All variants, sorted by name.
const std::span<const ShaderInfo> all_shaders();

/// The variant of that name, or null.
const ShaderInfo* find_shader(std::string_view name);

/// Hash over all modules, for the pipeline cache's key.
uint64_t shader_library_hash();

} // namespace vkinfer::kernels
