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
uint32_t local_size_for(uint32_t n_items) {
    return n_items % 256 == 0 || n_items > 1024 ? 256u : 64u;
}

} // namespace

Dispatch repack(const WeightLayout& layout, const Repack& what) {
    const uint32_t n_items = items_of_strip(layout, what.n_cols);
    const uint32_t local_size = local_size_for(n_items);
    Dispatch dispatch;
    dispatch.shader = shader_of(std::format("repack.{}", layout.shader_name));
    dispatch.specialization = spec_words(shader::RepackSpec{.local_size = local_size, .is_ragged = what.is_ragged()});
    const uint32_t rows_over = (what.first_row + what.n_rows) % kStripRows;
    const uint32_t n_padding = what.is_last && rows_over != 0 ? kStripRows - rows_over : 0;
    const uint32_t source_cols = what.source_cols == 0 ? what.n_cols : what.source_cols;
    const shader::RepackPush push{.source = what.source,
                                  .codes = what.codes,
                                  .scales = what.scales,
                                  .n_rows = what.n_rows,
                                  .n_padding = n_padding,
                                  .n_blocks = what.n_cols / kBlockElements,
                                  .source_tiles = source_cols / layout.tile_elements,
                                  .first_row = what.first_row};
    dispatch.push = push_bytes(push, shader::kRepackPushBytes);
    dispatch.groups = {ceil_div(n_items, local_size), ceil_div(what.n_rows + n_padding, kStripRows), 1};
    return dispatch;
}

} // namespace vkinfer::kernels
