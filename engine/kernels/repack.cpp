#include "kernels/repack.h"

#include "kernels.gen.h"
#include "kernels/lowering.h"

#include <format>

namespace vkinfer::kernels {

namespace {

uint32_t items_of_strip(const WeightLayout& layout, uint32_t n_cols) {
    return n_cols / layout.tile_elements * kStripRows;
}

/// Workgroups as large as a strip can fill: on lavapipe 256 were up to 1.6 times as fast as 64.
shader::RepackSpec spec_for(uint32_t n_items) {
    return {.local_size = n_items % 256 == 0 || n_items > 1024 ? 256u : 64u};
}

} // namespace

Dispatch repack_kernel(const WeightLayout& layout, uint32_t n_cols) {
    Dispatch dispatch;
    dispatch.shader = shader_of(std::format("repack.{}", layout.shader_name));
    dispatch.specialization = spec_words(spec_for(items_of_strip(layout, n_cols)));
    return dispatch;
}

Dispatch repack(const WeightLayout& layout, const Repack& what) {
    Dispatch dispatch = repack_kernel(layout, what.n_cols);
    const shader::RepackPush push{.source = what.source,
                                  .codes = what.codes,
                                  .scales = what.scales,
                                  .n_rows = what.n_rows,
                                  .n_blocks = what.n_cols / kBlockElements,
                                  .first_strip = what.first_strip};
    dispatch.push = push_bytes(push, shader::kRepackPushBytes);
    const uint32_t n_items = items_of_strip(layout, what.n_cols);
    const uint32_t local_size = spec_for(n_items).local_size;
    dispatch.groups = {ceil_div(n_items, local_size), what.n_strips, 1};
    return dispatch;
}

} // namespace vkinfer::kernels
