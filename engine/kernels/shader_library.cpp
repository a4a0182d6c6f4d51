#include "kernels/shader_library.h"

#include <algorithm>

namespace vkinfer::kernels {

const ShaderInfo* find_shader(std::string_view name) {
    const auto shaders = all_shaders();
    const auto it = std::ranges::lower_bound(shaders, name, {}, &ShaderInfo::name);
    return it != shaders.end() && it->name == name ? &*it : nullptr;
}

uint64_t shader_library_hash() {
    static const uint64_t hash = [] {
        uint64_t h = 0xcbf29ce484222325ull; // FNV-1a over words
        for (const ShaderInfo& shader : all_shaders()) {
            for (const uint32_t word : shader.spirv) h = (h ^ word) * 0x100000001b3ull;
        }
        return h;
    }();
    return hash;
}

} // namespace vkinfer::kernels
