#include "runtime/device_decoder.h"

#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/device.h"
#include "gpu/instance.h"
#include "gpu/transfer.h"
#include "kernels.gen.h"
#include "kernels/codebooks.h"
#include "kernels/pipeline_store.h"
#include "kernels/repack.h"
#include "kernels/weight_layout.h"

#include <algorithm>
#include <cstdint>
#include <format>
#include <vector>

namespace vkinfer::runtime {

namespace {

constexpr uint64_t kAlignment = 256;

uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

} // namespace

struct DeviceDecoder::State {
    gpu::Instance instance;
    gpu::Device device;
    kernels::PipelineStore pipelines;
    kernels::Codebooks codebooks;
    const format::TypeTraits& type;
    const kernels::WeightLayout& layout;
    gpu::Buffer source, repacked, values; ///< grow to the largest call

    State(const std::string& selector, const format::TypeTraits& type_traits, const kernels::WeightLayout& type_layout,
          const Log& log)
        : instance({.log = log}), device(instance, selector), pipelines(device), type(type_traits),
          layout(type_layout) {}

    void grow(gpu::Buffer& buffer, uint64_t size_bytes, const char* name) {
        if (buffer && buffer.size_bytes() >= size_bytes) return;
        buffer = gpu::Buffer(device, {.size_bytes = round_up(size_bytes, kAlignment), .name = name});
    }

    kernels::Dispatch dispatch_of(const char* kernel, std::vector<uint32_t> specialization) const {
        kernels::Dispatch dispatch;
        dispatch.shader = kernels::find_shader(std::format("{}.{}", kernel, layout.shader_name));
        VKINFER_ASSERT(dispatch.shader != nullptr);
        dispatch.specialization = std::move(specialization);
        return dispatch;
    }

    void decode(std::span<const std::byte> blocks, std::span<float> to);
};

// The blocks become one strip: 16 rows of a matrix whose rows follow each other, so that order stays. What is missing
// to whole rows are zeros.
void DeviceDecoder::State::decode(std::span<const std::byte> blocks, std::span<float> to) {
    const uint64_t n_cols = round_up((to.size() + kernels::kStripRows - 1) / kernels::kStripRows, layout.tile_elements);
    const auto n_blocks = static_cast<uint32_t>(n_cols / kernels::kBlockElements);
    std::vector<std::byte> rows(type.row_bytes(n_cols) * kernels::kStripRows);
    std::ranges::copy(blocks, rows.begin());
    grow(source, rows.size() + kernels::kRepackSlackBytes, "blocks");
    gpu::write_buffer(device, source, 0, rows);

    const uint64_t code_bytes = round_up(kernels::weight_code_bytes(layout, kernels::kStripRows, n_cols), kAlignment);
    grow(repacked, code_bytes + kernels::weight_scale_bytes(layout, kernels::kStripRows, n_cols) + kAlignment,
         "repacked");
    grow(values, n_cols * kernels::kStripRows * sizeof(float), "values");

    const kernels::Repack parts{.source = source.address(),
                                .codes = repacked.address(),
                                .scales = repacked.address() + code_bytes,
                                .n_rows = kernels::kStripRows,
                                .n_cols = static_cast<uint32_t>(n_cols)};
    const kernels::Dispatch repack = kernels::repack(layout, parts);
    const kernels::shader::DequantizeSpec decode_spec;
    const kernels::shader::DequantizePush dequantize{.codes = parts.codes,
                                                     .scales = parts.scales,
                                                     .table = codebooks.address(device, type.type),
                                                     .n_rows = kernels::kStripRows,
                                                     .n_blocks = n_blocks};
    const gpu::BufferRange out(values);
    gpu::CommandList commands(device, {.name = "decode"});
    commands.dispatch(pipelines.get(repack), repack.push, {}, repack.groups[0], repack.groups[1]);
    commands.barrier(gpu::Barrier::compute_to_compute);
    commands.dispatch(pipelines.get(dispatch_of("dequantize", kernels::spec_words(decode_spec))),
                      kernels::push_bytes(dequantize, kernels::shader::kDequantizePushBytes), {&out, 1},
                      (n_blocks + decode_spec.local_size - 1) / decode_spec.local_size, kernels::kStripRows);
    commands.end();
    device.wait(device.submit(commands));
    gpu::read_buffer(device, values, 0, std::as_writable_bytes(to));
}

DeviceDecoder::DeviceDecoder(const std::string& device, const format::TypeTraits& type, const Log& log) {
    const kernels::WeightLayout* layout = kernels::find_weight_layout(type.type);
    if (layout == nullptr) {
        throw Error(ErrorKind::unsupported, std::format("no kernel decodes {}.", type.name),
                    std::format("Kernels decode {}.", kernels::supported_weight_types()));
    }
    state_ = std::make_unique<State>(device, type, *layout, log);
}

DeviceDecoder::~DeviceDecoder() = default;

void DeviceDecoder::decode(std::span<const std::byte> blocks, std::span<float> values) {
    if (!values.empty()) state_->decode(blocks, values);
}

} // namespace vkinfer::runtime
