// Attention and the paged cache.
#include "kernels.gen.h"
#include "kernels/lowering.h"

#include <algorithm>

namespace vkinfer::kernels {

namespace {

using format::TensorType;

constexpr uint32_t kFragment = 16;      // of shaders/attention_coopmat.comp
constexpr uint32_t kCoopmatWaves = 4;   // most waves of a workgroup with rows of their own, 16 or 32 each
constexpr uint32_t kMaxTwoSets = 128;   // head size: 128 registers for O, 32 KiB of shared memory for Q
constexpr uint32_t kMaxTeam = 8;        // waves that share a row
constexpr uint32_t kStagedMaxKey = 192; // of shaders/attention_staged.comp: registers of Q and O in every wave
constexpr uint32_t kStagedMaxValue = 128;
constexpr uint32_t kMostMixed = 64;         // what was measured
constexpr uint32_t kCoopmatRegisters = 136; // of a lane for Q and O; 128 for heads of 128 on RDNA3
constexpr uint32_t kCoopmatMinTokens = 16;  // fewer leave most rows of a tile empty

/// Types whose values halves can hold (kv_halves.glsl).
bool is_half_type(TensorType type) {
    return is_kv_type(type) && type != TensorType::f32 && type != TensorType::bf16;
}

/// Registers of a lane for Q and O of 16 rows.
uint32_t coopmat_registers(const AttentionShape& shape, uint32_t team, const Policy& policy) {
    return shape.head_size / team / (2 * policy.fragments.k_groups) + shape.v_size() / team / 2;
}

/// Waves that share a row of queries on fragments that are filled in registers; 0 where such attention cannot run.
uint32_t coopmat_team(const AttentionShape& shape, const Policy& policy) {
    const CoopmatTiles& tiles = policy.tiles;
    const uint32_t k_groups = policy.fragments.k_groups;
    if (!policy.coopmat || k_groups == 0 || k_groups > 2 || tiles.subgroup_size != 32 || tiles.frag_m != kFragment ||
        tiles.frag_n != kFragment || tiles.frag_k != kFragment || !is_half_type(shape.type_k) ||
        !is_half_type(shape.type_v)) {
        return 0;
    }
    // A part of K is whole fragments, half a block at least; one of V begins with a word and a block.
    const uint32_t value_unit = std::max(kFragment, format::traits(shape.type_v).block_elements);
    for (uint32_t team = 1; team <= kMaxTeam; ++team) {
        if (shape.head_size % (team * kFragment) != 0 || shape.v_size() % (team * value_unit) != 0) continue;
        if (coopmat_registers(shape, team, policy) <= kCoopmatRegisters) return team;
    }
    return 0;
}

/// Sets of 16 query rows of a wave: two share what is decoded, which outweighs a dead one. Splits make up for the waves
/// that are fewer.
uint32_t coopmat_row_sets(const AttentionShape& shape, uint32_t team) {
    return team == 1 && shape.head_size <= kMaxTwoSets && shape.v_size() <= kMaxTwoSets ? 2 : 1;
}

/// The team of tiles of so many rows, which tell what runs.
uint32_t coopmat_team_of(const AttentionShape& shape, uint32_t rows_per_tile, const Policy& policy) {
    return rows_per_tile % kFragment == 0 ? coopmat_team(shape, policy) : 0;
}

uint32_t row_sets_of(uint32_t rows_per_tile) {
    return std::max(1u, rows_per_tile / (kCoopmatWaves * kFragment));
}

/// Rows of a tile of attention whose fragments are loaded from shared memory; 0 where such attention cannot run.
uint32_t staged_rows(const AttentionShape& shape, const Policy& policy) {
    const CoopmatTiles& t = policy.tiles;
    const bool fits = policy.coopmat && is_half_type(shape.type_k) && is_half_type(shape.type_v) &&
                      shape.head_size <= kStagedMaxKey && shape.v_size() <= kStagedMaxValue &&
                      shape.head_size % std::max(8u, t.frag_k) == 0 && shape.v_size() % std::max(8u, t.frag_n) == 0 &&
                      t.frag_k % 8 == 0 && t.frag_n % 8 == 0 && t.subgroup_size % t.frag_m == 0 &&
                      t.subgroup_size / t.frag_m <= 4;
    return fits ? kCoopmatWaves * t.frag_m : 0;
}

/// Fragments of K that a lane fills from one load of 16 bytes, or of fewer where a wave's part is no multiple of more.
uint32_t key_fragments(const AttentionShape& shape, const Policy& policy, uint32_t team) {
    const uint32_t k_groups = policy.fragments.k_groups, n_each = kFragment / k_groups;
    const uint32_t wanted = shape.type_k == TensorType::f16 ? n_each : shape.type_k == TensorType::q8_0 ? 16 : 32;
    uint32_t n = std::max(1u, wanted / n_each);
    while (n > 1 && shape.head_size / team % (n * n_each * k_groups) != 0) n /= 2;
    return n;
}

} // namespace

bool is_kv_type(TensorType type) {
    using enum TensorType;
    switch (type) {
    case f32:
    case f16:
    case bf16:
    case q8_0:
    case q5_1:
    case q5_0:
    case q4_1:
    case q4_0:
    case iq4_nl:
        return true;
    default:
        return false;
    }
}

uint64_t kv_page_bytes(TensorType type, uint32_t n_kv_heads, uint32_t page_tokens, uint32_t head_size) {
    // Codes and scales of a row together are as many bytes as the type's blocks (include/kv.glsl).
    return uint64_t{n_kv_heads} * page_tokens * format::traits(type).row_bytes(head_size);
}

namespace {

/// Dimensions of Q and K that rope.glsl mixes; 0: none. It lowers the error of K in few bits (docs/benchmarks.md). A
/// latent row is V as well.
uint32_t mixed_dimensions(const AttentionShape& shape) {
    using enum TensorType;
    const TensorType t = shape.type_k;
    const bool has_few_bits = t == q4_0 || t == q4_1 || t == iq4_nl || t == q5_0 || t == q5_1;
    if (!has_few_bits || shape.is_latent) return 0;
    return std::min(kMostMixed, shape.head_size & -shape.head_size); // the largest power of two that divides it
}

} // namespace

Lowered lower(const RopeStore& op, const Policy& policy) {
    const AttentionShape& s = op.shape;
    const shader::RopeStoreSpec spec{.local_size = policy.subgroup_size,
                                     .head_size = s.head_size,
                                     .value_size = s.v_size(),
                                     .n_heads = s.n_heads,
                                     .n_kv_heads = s.n_kv_heads,
                                     .n_rot = op.n_rot,
                                     .rot_first = op.rot_first,
                                     .rope_kind = static_cast<uint32_t>(op.kind),
                                     .mixed = mixed_dimensions(s),
                                     .has_qk_norm = op.q_norm != 0,
                                     .type_k = static_cast<uint32_t>(s.type_k),
                                     .type_v = static_cast<uint32_t>(s.type_v),
                                     .page_tokens = s.page_tokens,
                                     .max_pages = s.max_pages};
    const shader::RopeStorePush push{.k_pool = s.k_pool,
                                     .v_pool = s.v_pool,
                                     .q_norm = op.q_norm,
                                     .k_norm = op.k_norm,
                                     .row_stride = op.stride,
                                     .eps = op.eps};
    const uint32_t heads = s.n_heads + (s.is_latent ? 1 : 2) * s.n_kv_heads;
    Dispatch dispatch;
    dispatch.shader = shader_of("rope_store");
    dispatch.specialization = spec_words(spec);
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(push, shader::kRopeStorePushBytes);
    dispatch.bindings = {0, 1, 2, 3, 4};
    dispatch.unbound = {{5, Access::write}};
    dispatch.groups = {heads, op.n_tokens, 1};
    dispatch.bytes = uint64_t{8} * op.n_tokens * heads * s.head_size;
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

namespace {

/// A lane of the plain kernels keeps its part of every row's output: fewer rows of large heads.
uint32_t plain_rows(const AttentionShape& shape, const Policy& policy) {
    return std::min(policy.attention_rows, std::max(1u, policy.attention_rows * 256 / shape.v_size()));
}

} // namespace

uint32_t attention_rows(const AttentionShape& shape, uint32_t n_tokens, const Policy& policy) {
    const uint32_t group = shape.n_heads / shape.n_kv_heads;
    if (n_tokens <= 4) return std::min(group, plain_rows(shape, policy)); // decode: a tile per token
    if (n_tokens >= kCoopmatMinTokens) {
        if (const uint32_t team = coopmat_team(shape, policy); team != 0)
            return std::min(kCoopmatWaves, std::max(1u, kMaxAttentionWaves / team)) * kFragment *
                   coopmat_row_sets(shape, team);
        if (const uint32_t rows = staged_rows(shape, policy); rows != 0) return rows;
    }
    return plain_rows(shape, policy);
}

uint32_t attention_waves(const AttentionShape& shape, uint32_t rows_per_tile, const Policy& policy) {
    if (const uint32_t team = coopmat_team_of(shape, rows_per_tile, policy); team != 0)
        return rows_per_tile / (row_sets_of(rows_per_tile) * kFragment) * team;
    return rows_per_tile == staged_rows(shape, policy) ? kCoopmatWaves : 1;
}

uint32_t attention_decode_rows(const AttentionShape& shape, const Policy& policy) {
    return std::min(shape.n_heads / shape.n_kv_heads, plain_rows(shape, policy));
}

namespace {

/// Grid and work of the dispatch that attends, and what its splits leave for the last of them
/// (shaders/include/attention_combine.glsl); `arrivals` is the operand behind which scratch begins. `team` waves share
/// a row, and each keeps maximum and denominator beside its part of the sums.
Lowered attending(Dispatch dispatch, const Attention& op, const Policy& policy, uint32_t y, uint32_t arrivals,
                  uint32_t team) {
    VKINFER_ASSERT(op.n_splits >= 1 && op.n_splits <= kMaxAttentionSplits);
    const AttentionShape& s = op.shape;
    const bool is_split = op.n_splits > 1;
    dispatch.bindings.push_back(is_split ? arrivals + 1 : y);
    dispatch.bindings.push_back(is_split ? arrivals : y);
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.groups = {s.n_kv_heads, op.n_tiles, op.n_splits};
    dispatch.bytes = uint64_t{4} * op.n_tokens * s.n_heads * (s.head_size + s.v_size());
    dispatch.pair_flops = uint64_t{2} * s.n_heads * (s.head_size + s.v_size());
    dispatch.tile_key_bytes = kv_page_bytes(s.type_k, s.n_kv_heads, 1, s.head_size) +
                              (s.is_latent ? 0 : kv_page_bytes(s.type_v, s.n_kv_heads, 1, s.v_size()));
    dispatch.window = op.window;
    Lowered lowered;
    if (is_split) {
        lowered.scratch_bytes = {uint64_t{4} * op.n_tiles * s.n_kv_heads * op.n_splits * op.rows_per_tile *
                                 (s.v_size() + 2 * team)};
        dispatch.bytes += 2 * lowered.scratch_bytes[0];
    }
    lowered.dispatches.push_back(std::move(dispatch));
    return lowered;
}

/// Granules of 16 bytes of a key that a lane of the plain kernels loads at a time: four, of which a GPU waits for the
/// first only; on a CPU 32 dimensions, which are unrolled.
uint32_t granules_at_once(const AttentionShape& shape, const Policy& policy) {
    const bool is_packed = is_half_type(shape.type_k) && shape.type_k != TensorType::f16;
    const uint32_t dims = !is_packed ? 8 : shape.type_k == TensorType::q8_0 ? 16 : 32;
    const uint32_t n = shape.head_size / dims;
    uint32_t at_once = policy.is_cpu ? 32 / dims : 4;
    while (n % at_once != 0) at_once /= 2;
    return at_once;
}

/// The constants that all kernels of attention have.
template<class Spec>
Spec attention_spec(const Attention& op, uint32_t local_size) {
    const AttentionShape& s = op.shape;
    Spec spec;
    spec.local_size = local_size;
    spec.head_size = s.head_size;
    spec.value_size = s.v_size();
    spec.is_latent = s.is_latent;
    spec.n_heads = s.n_heads;
    spec.n_kv_heads = s.n_kv_heads;
    spec.n_rows = op.rows_per_tile;
    spec.type_k = static_cast<uint32_t>(s.type_k);
    spec.type_v = static_cast<uint32_t>(s.type_v);
    spec.page_tokens = s.page_tokens;
    spec.max_pages = s.max_pages;
    spec.is_split = op.n_splits > 1;
    spec.has_sinks = op.sinks != 0;
    if constexpr (requires { spec.y_is_half; }) spec.y_is_half = op.y_is_half;
    return spec;
}

/// The same of push constants.
template<class Push>
Push attention_push(const Attention& op) {
    Push push;
    push.k_pool = op.shape.k_pool;
    push.v_pool = op.shape.v_pool;
    push.sinks = op.sinks;
    push.y_stride = op.y_stride;
    push.scale = op.scale;
    push.window = op.window == 0 ? UINT32_MAX : op.window;
    return push;
}

} // namespace

Lowered lower(const AttentionDecode& op, const Policy& policy) {
    enum : uint32_t { kCounts, kTiles, kPages, kTable, kQkv, kY, kKv, kArrivals };
    const Attention& a = op.attention;
    auto spec = attention_spec<shader::AttentionDecodeSpec>(a, policy.subgroup_size);
    spec.n_rot = op.rope.n_rot;
    spec.rot_first = op.rope.rot_first;
    spec.rope_kind = static_cast<uint32_t>(op.rope.kind);
    spec.mixed = mixed_dimensions(a.shape);
    spec.has_qk_norm = op.rope.q_norm != 0;
    spec.granules_at_once = granules_at_once(a.shape, policy);
    auto push = attention_push<shader::AttentionDecodePush>(a);
    push.q_norm = op.rope.q_norm;
    push.k_norm = op.rope.k_norm;
    push.row_stride = op.rope.stride;
    push.eps = op.rope.eps;
    Dispatch dispatch;
    dispatch.shader = shader_of("attention_decode");
    dispatch.specialization = spec_words(spec);
    dispatch.push = push_bytes(push, shader::kAttentionDecodePushBytes);
    dispatch.bindings = {kCounts, kTiles, kPages, kTable, kQkv, kY};
    dispatch.unbound = {{kKv, Access::read_write}};
    return attending(std::move(dispatch), a, policy, kY, kArrivals, 1);
}

Lowered lower(const Attention& op, const Policy& policy) {
    enum : uint32_t { kCounts, kTiles, kPages, kQ, kY, kKv, kArrivals };
    Dispatch dispatch;
    const uint32_t team = coopmat_team_of(op.shape, op.rows_per_tile, policy);
    const uint32_t waves = attention_waves(op.shape, op.rows_per_tile, policy);
    VKINFER_ASSERT(waves <= kMaxAttentionWaves); // each counts itself in
    if (team != 0) {
        auto spec = attention_spec<shader::AttentionCoopmatSpec>(op, waves * policy.tiles.subgroup_size);
        spec.k_groups = policy.fragments.k_groups;
        spec.rows_apart = policy.fragments.accumulator_rows == AccumulatorRows::apart;
        spec.key_fragments = key_fragments(op.shape, policy, team);
        spec.team = team;
        spec.row_sets = row_sets_of(op.rows_per_tile);
        spec.queries_shared = spec.row_sets * coopmat_registers(op.shape, team, policy) > kCoopmatRegisters;
        dispatch.shader = shader_of("attention_coopmat");
        dispatch.specialization = spec_words(spec);
    } else if (const CoopmatTiles& tiles = policy.tiles; op.rows_per_tile == staged_rows(op.shape, policy)) {
        auto spec = attention_spec<shader::AttentionStagedSpec>(op, kCoopmatWaves * tiles.subgroup_size);
        spec.subgroup_size = tiles.subgroup_size;
        spec.frag_m = tiles.frag_m;
        spec.frag_n = tiles.frag_n;
        spec.frag_k = tiles.frag_k;
        dispatch.shader = shader_of("attention_staged");
        dispatch.specialization = spec_words(spec);
    } else {
        dispatch.shader = shader_of("attention");
        auto spec = attention_spec<shader::AttentionSpec>(op, policy.subgroup_size);
        spec.granules_at_once = granules_at_once(op.shape, policy);
        dispatch.specialization = spec_words(spec);
    }
    static_assert(shader::kAttentionCoopmatPushBytes == shader::kAttentionPushBytes &&
                  shader::kAttentionStagedPushBytes == shader::kAttentionPushBytes); // all kernels take the same
    auto push = attention_push<shader::AttentionPush>(op);
    push.q_stride = op.q_stride;
    dispatch.push = push_bytes(push, shader::kAttentionPushBytes);
    dispatch.bindings = {kCounts, kTiles, kPages, kQ, kY};
    dispatch.unbound = {{kKv, Access::read}};
    return attending(std::move(dispatch), op, policy, kY, kArrivals, std::max(1u, team));
}

} // namespace vkinfer::kernels
