// What the files that lower ops to dispatches share; for them only.
#pragma once

#include "base/error.h"
#include "kernels/ops.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace vkinfer::kernels {

inline uint32_t ceil_div(uint32_t a, uint32_t b) {
    return (a + b - 1) / b;
}

/// Of the manifest; a name that is not there is a bug.
inline const ShaderInfo* shader_of(std::string_view name) {
    const ShaderInfo* info = find_shader(name);
    VKINFER_ASSERT(info != nullptr);
    return info;
}

/// What the specialisations of all GEMMs on cooperative matrices begin with: tiles, and how fragments are filled.
template<class Spec>
Spec coopmat_spec(const CoopmatTiles& tiles, const Weight& weight, const Policy& policy) {
    Spec spec;
    spec.local_size = tiles.local_size();
    spec.subgroup_size = tiles.subgroup_size;
    spec.frag_m = tiles.frag_m;
    spec.frag_n = tiles.frag_n;
    spec.frag_k = tiles.frag_k;
    spec.tile_m = tiles.tile_m;
    spec.tile_n = tiles.tile_n;
    spec.wave_m = tiles.wave_m;
    spec.wave_n = tiles.wave_n;
    const bool is_direct = policy.has_direct_gemm();
    spec.k_groups = is_direct ? policy.fragments.k_groups : 0;
    spec.rows_apart = policy.fragments.accumulator_rows == AccumulatorRows::apart;
    // Whether K may end within a stage of shaders/include/gemm_direct.glsl, which has as many blocks as this or a part.
    const uint32_t most_blocks = spec.k_groups * (tiles.tile_n > 32 ? 1 : 4);
    spec.has_rest = !is_direct || weight.n_blocks() % most_blocks != 0;
    return spec;
}

/// What a lane and a workgroup of a product with few columns have (shaders/include/matvec_loop.glsl).
struct MatvecForm {
    uint32_t n_columns = 1, rows_per_lane = 1, splits = 1;
};
MatvecForm matvec_form(uint32_t n_columns, bool is_glu, bool int8, const Policy& policy);

/// Whether a product runs on cooperative matrices.
bool is_gemm(const Linear& op, const Policy& policy);
bool experts_are_gemms(const ExpertShape& shape, const Policy& policy);

} // namespace vkinfer::kernels
