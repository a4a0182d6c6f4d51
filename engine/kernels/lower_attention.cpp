// Attention and the paged cache.
#include "base/error.h"
#include "kernels.gen.h"
#include "kernels/ops.h"

#include <algorithm>

namespace vkinfer::kernels {

namespace {

using format::TensorType;

const ShaderInfo* shader_of(std::string_view name) {
    const ShaderInfo* info = find_shader(name);
    VKINFER_ASSERT(info != nullptr);
    return info;
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

Lowered lower(const RopeStore& op, const Policy& policy) {
    const AttentionShape& s = op.shape;
    const shader::RopeStoreSpec spec{.local_size = policy.subgroup_size,
                                     .subgroup_size = policy.subgroup_size,
                                     .head_size = s.head_size,
                                     .n_heads = s.n_heads,
                                     .n_kv_heads = s.n_kv_heads,
                                     .n_rot = op.n_rot,
                                     .rope_kind = static_cast<uint32_t>(op.kind),
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
    const uint32_t heads = s.n_heads + 2 * s.n_kv_heads;
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

Lowered lower(const Attention& op, const Policy& policy) {
    const AttentionShape& s = op.shape;
    const bool is_split = op.n_splits > 1;
    enum : uint32_t { kCounts, kTiles, kPages, kQ, kY, kKv, kPartials };
    Lowered lowered;

    Dispatch dispatch;
    dispatch.shader = shader_of("attention");
    dispatch.specialization = spec_words(shader::AttentionSpec{.local_size = policy.subgroup_size,
                                                               .head_size = s.head_size,
                                                               .n_heads = s.n_heads,
                                                               .n_kv_heads = s.n_kv_heads,
                                                               .n_rows = op.rows_per_tile,
                                                               .type_k = static_cast<uint32_t>(s.type_k),
                                                               .type_v = static_cast<uint32_t>(s.type_v),
                                                               .page_tokens = s.page_tokens,
                                                               .max_pages = s.max_pages,
                                                               .n_splits = op.n_splits,
                                                               .has_sinks = op.sinks != 0});
    dispatch.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    dispatch.push = push_bytes(shader::AttentionPush{.k_pool = s.k_pool,
                                                     .v_pool = s.v_pool,
                                                     .sinks = op.sinks,
                                                     .q_stride = op.q_stride,
                                                     .y_stride = op.y_stride,
                                                     .scale = op.scale,
                                                     .window = op.window == 0 ? UINT32_MAX : op.window},
                               shader::kAttentionPushBytes);
    dispatch.bindings = {kCounts, kTiles, kPages, kQ, kY, is_split ? kPartials : kY};
    dispatch.unbound = {{kKv, Access::read}};
    dispatch.groups = {s.n_kv_heads, op.n_tiles, op.n_splits};
    dispatch.bytes = uint64_t{8} * op.n_tokens * s.n_heads * s.head_size; // K and V depend on the sequence
    lowered.dispatches.push_back(std::move(dispatch));
    if (!is_split) return lowered;

    lowered.scratch_bytes = {uint64_t{4} * op.n_tiles * s.n_kv_heads * op.n_splits * op.rows_per_tile *
                             (s.head_size + 2)};
    Dispatch combine;
    combine.shader = shader_of("attention_combine");
    combine.specialization = spec_words(shader::AttentionCombineSpec{.head_size = s.head_size,
                                                                     .n_heads = s.n_heads,
                                                                     .n_kv_heads = s.n_kv_heads,
                                                                     .n_rows = op.rows_per_tile,
                                                                     .n_splits = op.n_splits,
                                                                     .has_sinks = op.sinks != 0});
    combine.push = push_bytes(shader::AttentionCombinePush{.sinks = op.sinks, .y_stride = op.y_stride},
                              shader::kAttentionCombinePushBytes);
    combine.bindings = {kCounts, kTiles, kPartials, kY};
    combine.groups = {s.n_kv_heads * op.rows_per_tile, op.n_tiles, 1};
    combine.bytes = lowered.scratch_bytes[0];
    lowered.dispatches.push_back(std::move(combine));
    return lowered;
}

} // namespace vkinfer::kernels
