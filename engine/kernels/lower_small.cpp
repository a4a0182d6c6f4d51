// Norms, copies, activation functions, rotary tables, sampling.
#include "kernels.gen.h"
#include "kernels/lowering.h"

#include <algorithm>
#include <bit>

namespace vkinfer::kernels {

namespace {

Lowered one(const char* name, std::vector<uint32_t> specialization, std::vector<std::byte> push,
            std::vector<uint32_t> bindings, std::array<uint32_t, 3> groups, uint64_t bytes) {
    Dispatch dispatch;
    dispatch.shader = shader_of(name);
    dispatch.specialization = std::move(specialization);
    dispatch.push = std::move(push);
    dispatch.bindings = std::move(bindings);
    dispatch.groups = groups;
    dispatch.bytes = bytes;
    return {.dispatches = {std::move(dispatch)}, .scratch_bytes = {}};
}

} // namespace

uint32_t NormedRows::n_parts(uint32_t n_cols, const Policy& policy) {
    return ceil_div(n_cols, policy.matvec_lanes * policy.matvec_rows_per_lane);
}

Lowered lower(const RmsNorm& op, const Policy& policy) {
    VKINFER_ASSERT(op.n_cols % 4 == 0);
    // One subgroup needs no barrier, which is a coroutine switch on a CPU; a GPU hides latency with more.
    const uint32_t waves =
        policy.is_cpu ? 1 : std::clamp(op.n_cols / 4 / policy.subgroup_size, 1u, 256 / policy.subgroup_size);
    const shader::RmsNormSpec spec{.local_size = waves * policy.subgroup_size,
                                   .subgroup_size = policy.subgroup_size,
                                   .count_index = static_cast<uint32_t>(op.rows),
                                   .y_is_half = op.y_is_half};
    const shader::RmsNormPush push{
        .weight = op.weight, .n_cols = op.n_cols, .x_stride = op.x_stride, .y_stride = op.y_stride, .eps = op.eps};
    Lowered lowered = one("rms_norm", spec_words(spec), push_bytes(push, shader::kRmsNormPushBytes), {0, 1, 2},
                          {op.n_rows, 1, 1}, uint64_t{op.y_is_half ? 6u : 8u} * op.n_rows * op.n_cols);
    lowered.dispatches[0].subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    return lowered;
}

Lowered lower(const SwiGlu& op, const Policy&) {
    const shader::SwigluPush push{.n_cols = op.n_cols, .stride = op.stride, .up_at = op.up_at};
    const shader::SwigluSpec spec{.rows_per_count = op.rows_per_token,
                                  .activation = static_cast<uint32_t>(op.activation),
                                  .y_is_half = op.y_is_half};
    const uint32_t n_rows = op.n_tokens * op.rows_per_token;
    return one("swiglu", spec_words(spec), push_bytes(push, shader::kSwigluPushBytes), {0, 1, 2, 3},
               row_groups(ceil_div(op.n_cols, 64), n_rows), uint64_t{12} * n_rows * op.n_cols);
}

Lowered lower(const GatherRows& op, const Policy&) {
    const shader::GatherRowsPush push{.n_cols = op.n_cols, .x_stride = op.x_stride, .y_stride = op.y_stride};
    return one("gather_rows", spec_words(shader::GatherRowsSpec{}), push_bytes(push, shader::kGatherRowsPushBytes),
               {0, 1, 2, 3}, {op.n_outputs, 1, 1}, uint64_t{8} * op.n_outputs * op.n_cols);
}

Lowered lower(const RopeTable& op, const Policy&) {
    const shader::RopeTablePush push{
        .frequencies = op.frequencies, .n_pairs = op.n_pairs, .magnitude = op.magnitude, .n_arrivals = op.n_arrivals};
    return one("rope_table", spec_words(shader::RopeTableSpec{}), push_bytes(push, shader::kRopeTablePushBytes),
               {0, 1, 2, op.n_arrivals > 0 ? 3u : 2u}, {std::max(1u, ceil_div(op.n_pairs, 64)), op.n_tokens, 1},
               uint64_t{8} * op.n_tokens * op.n_pairs);
}

Lowered lower(const Sample& op, const Policy& policy) {
    constexpr uint32_t kTile = 2048, kMostBlocks = 1024; // of the shaders
    const uint32_t block = std::max(64u, std::bit_ceil(ceil_div(op.n_vocab, kMostBlocks)));
    VKINFER_ASSERT(block <= kTile);
    const uint32_t n_blocks = ceil_div(op.n_vocab, block);
    enum : uint32_t { counts, tokens, outputs, tiles, rows, window, edits, stops, logits, results, values, blocks };

    Dispatch scan;
    scan.shader = shader_of("sample_scan");
    scan.specialization =
        spec_words(shader::SampleScanSpec{.n_vocab = op.n_vocab, .block = block, .n_blocks = n_blocks});
    scan.bindings = {counts, logits, rows, window, edits, values, blocks};
    scan.groups = {ceil_div(op.n_vocab, kTile), op.n_rows, 1};
    scan.bytes = uint64_t{8} * op.n_rows * op.n_vocab;

    Dispatch pick;
    pick.shader = shader_of("sample_pick");
    pick.specialization = spec_words(shader::SamplePickSpec{
        .local_size = policy.is_cpu ? 64u : 256u, .n_vocab = op.n_vocab, .block = block, .n_blocks = n_blocks});
    pick.push = push_bytes(shader::SamplePickPush{.result_stride = op.result_stride}, shader::kSamplePickPushBytes);
    pick.bindings = {counts, tokens, outputs, tiles, rows, window, stops, values, blocks, results};
    pick.groups = {op.n_rows, 1, 1};
    pick.subgroup_size = policy.require_subgroup_size ? policy.subgroup_size : 0;
    pick.bytes = uint64_t{4} * op.n_rows * (op.n_vocab + n_blocks);

    const uint64_t n_rows = op.n_rows;
    return {.dispatches = {std::move(scan), std::move(pick)},
            .scratch_bytes = {4 * n_rows * op.n_vocab, 4 * n_rows * n_blocks}};
}

uint32_t n_operands(const Op& op) {
    struct Count {
        uint32_t operator()(const Embed& op) const { return 3 + (op.next_norm != 0); }
        uint32_t operator()(const RmsNorm&) const { return 3; }
        uint32_t operator()(const Linear& op) const { return 4 + (op.next_norm != 0) + op.gathers; }
        uint32_t operator()(const SwiGlu&) const { return 4; }
        uint32_t operator()(const GatherRows&) const { return 4; }
        uint32_t operator()(const RopeTable& op) const { return 3 + (op.n_arrivals > 0); }
        uint32_t operator()(const RopeStore&) const { return 6; }
        uint32_t operator()(const Attention& op) const { return 6 + (op.n_splits > 1); }
        uint32_t operator()(const AttentionDecode& op) const { return 7 + (op.attention.n_splits > 1); }
        uint32_t operator()(const ExpertRoute& op) const {
            return 5 + static_cast<bool>(op.router) + static_cast<bool>(op.shared);
        }
        uint32_t operator()(const ExpertHidden&) const { return 5; }
        uint32_t operator()(const ExpertOutput& op) const { return 8 + (op.next_norm != 0); }
        uint32_t operator()(const Sample&) const { return 10; }
    };
    return std::visit(Count{}, op);
}

} // namespace vkinfer::kernels
