// Which variant, tile and wave a device gets: decided once from its capabilities and the user's options, in one table.
#pragma once

#include "gpu/capabilities.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vkinfer::kernels {

enum class CoopmatMode : uint8_t { automatic, on, off };
enum class ActivationMode : uint8_t { automatic, f32, f16, q8 };

/// "auto", "on", "off" / "auto", "f32", "f16", "q8"; nothing for anything else.
std::optional<CoopmatMode> parse_coopmat_mode(std::string_view text);
std::optional<ActivationMode> parse_activation_mode(std::string_view text);

struct PolicyOptions {
    CoopmatMode coopmat = CoopmatMode::automatic;
    ActivationMode act = ActivationMode::automatic;
};

/// Where a lane's accumulator elements lie in its column: side by side (RDNA4), or one in each round over the lanes
/// (RDNA3).
enum class AccumulatorRows : uint32_t { together = 0, apart = 1 };

/// Which elements of a cooperative matrix a lane holds, for square fragments. With n = elements of A per lane:
///   A: row = lane % M, k = (lane / M) % k_groups * n + i;   B: column = lane % M, the same k
///   accumulator: column = lane % M, row = (lane / M) * n + i (together) or i * (lanes / M) + lane / M (apart)
struct FragmentMap {
    uint32_t k_groups = 0; ///< lane groups that hold different k; 0: the map is of no such form
    AccumulatorRows accumulator_rows = AccumulatorRows::together;
    bool is_known() const { return k_groups != 0; }
    bool operator==(const FragmentMap&) const = default;
};

/// Tiles of the cooperative-matrix GEMM; see shaders/gemm_coopmat.comp.
struct CoopmatTiles {
    uint32_t frag_m = 16, frag_n = 16, frag_k = 16;
    uint32_t subgroup_size = 32;
    uint32_t tile_m = 64, tile_n = 64;
    uint32_t wave_m = 32, wave_n = 32;
    uint32_t local_size() const { return subgroup_size * (tile_m / wave_m) * (tile_n / wave_n); }
};

/// More splits leave the last one more to add up than they save.
inline constexpr uint32_t kMaxAttentionSplits = 64;

/// More tokens than these are a prefill, where a norm is a dispatch that costs nothing beside the products.
inline constexpr uint32_t kFoldedNormTokens = 32;
/// A mat-vec of more columns than these has a form of its own (Policy::matvec_wide_splits).
inline constexpr uint32_t kFewColumns = 8;
/// Rows of a workgroup of a GEMM that decodes weights into fragments, for that many columns or fewer.
inline constexpr uint32_t kSkinnyGemmRows = 64;

struct Policy {
    uint32_t subgroup_size = 32;        ///< of every kernel with subgroup operations
    bool require_subgroup_size = false; ///< the device can be told; otherwise it is the only size
    uint32_t compute_units = 1;
    bool is_cpu = false;

    bool int8_activations = false; ///< mat-vec multiplies int8 by packed dot products
    bool coopmat = false;          ///< GEMM on cooperative matrices from coopmat_min_columns on
    CoopmatTiles tiles;
    FragmentMap fragments; ///< unknown until probe_fragment_map() has asked the device
    uint32_t coopmat_min_columns = 33;
    /// The same where weights are decoded into fragments: from kFewColumns + 1 on less work than a mat-vec of as many.
    uint32_t direct_min_columns = 9;

    uint32_t matvec_lanes = 32;       ///< lanes of a subgroup
    uint32_t matvec_splits = 4;       ///< subgroups that share the K of a row
    uint32_t matvec_max_columns = 32; ///< columns a lane keeps
    uint32_t matvec_rows_per_lane = 1;
    /// The same of more columns than kFewColumns, which make fewer workgroups, and whose activations are most of what a
    /// lane loads. Multiples of matvec_rows_per_lane; of gate and up half as many.
    uint32_t matvec_wide_splits = 8; ///< up to kFoldedNormTokens columns; beyond, there are enough waves
    uint32_t matvec_wide_rows_per_lane = 2;

    uint32_t attention_rows = 8; ///< most query rows of a tile
    uint32_t attention_max_splits = kMaxAttentionSplits;

    /// Whether a product of so many columns runs on cooperative matrices.
    bool uses_gemm(uint32_t n_columns) const {
        return coopmat && n_columns >= (has_direct_gemm() ? direct_min_columns : coopmat_min_columns);
    }
    /// Whether steps of so many tokens fold norms into the products around them (NormedRows in kernels/ops.h).
    bool folds_norms(uint32_t n_tokens) const {
        const bool experts_are_gemms = coopmat && n_tokens >= coopmat_min_columns; // those cannot
        return n_tokens <= kFoldedNormTokens && (!uses_gemm(n_tokens) || (gemm_folds_norms() && !experts_are_gemms));
    }

    /// Whether GEMMs decode weights into fragments in registers (include/gemm_direct.glsl).
    bool has_direct_gemm() const {
        return coopmat && fragments.is_known() && tiles.frag_m == 16 && tiles.subgroup_size == 32;
    }
    /// Whether GEMMs of at most kFoldedNormTokens columns take and make NormedRows: workgroups that have whole parts.
    bool gemm_folds_norms() const {
        return has_direct_gemm() && kSkinnyGemmRows % (matvec_lanes * matvec_rows_per_lane) == 0;
    }

    /// "coopmat 16x16x16, activations f32 ...": one line for programs to print.
    std::string describe() const;
};

/// Throws Error{unsupported} when an option asks for what the device cannot do, naming what is missing.
Policy choose_policy(const gpu::Capabilities& device, const PolicyOptions& options);

} // namespace vkinfer::kernels
