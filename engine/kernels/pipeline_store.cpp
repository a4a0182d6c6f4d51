#include "kernels/pipeline_store.h"

#include "gpu/device.h"
#include "kernels/spirv_functions.h"

#include <algorithm>
#include <format>
#include <string_view>

namespace vkinfer::kernels {

namespace {

std::string full_name(const ShaderInfo& shader, const std::vector<uint32_t>& specialization) {
    std::string name(shader.name);
    for (size_t i = 0; i < specialization.size(); ++i)
        name += std::format("{}{}", i == 0 ? ' ' : ',', specialization[i]);
    return name;
}

/// The module without decoders of types that the dispatch has none of: most of what a driver would read.
std::vector<uint32_t> spirv_of(const Dispatch& dispatch) {
    return without_functions(dispatch.shader->spirv, [&](std::string_view name) {
        const auto is_decoder_of = [&](const WeightLayout* layout) {
            return name.starts_with(std::string(layout->shader_name) + "_weight_decode");
        };
        return std::ranges::any_of(all_weight_layouts(), [&](const auto& layout) { return is_decoder_of(&layout); }) &&
               std::ranges::none_of(dispatch.weights, is_decoder_of);
    });
}

} // namespace

const gpu::Pipeline& PipelineStore::get(const Dispatch& dispatch) {
    const Key key{dispatch.shader, dispatch.specialization, dispatch.subgroup_size};
    auto& pipeline = pipelines_[key];
    if (!pipeline) {
        const ShaderInfo& shader = *dispatch.shader;
        gpu::PipelineDesc desc;
        desc.name = full_name(shader, dispatch.specialization);
        const std::vector<uint32_t> cut = dispatch.weights.empty() ? std::vector<uint32_t>{} : spirv_of(dispatch);
        desc.spirv = cut.empty() ? shader.spirv : cut;
        desc.specialization = dispatch.specialization;
        desc.push_bytes = shader.push_bytes;
        desc.n_bindings = shader.n_bindings;
        desc.subgroup_size = dispatch.subgroup_size;
        desc.full_subgroups = shader.full_subgroups;
        pipeline = std::make_unique<gpu::Pipeline>(device_, desc);
    }
    return *pipeline;
}

void PipelineStore::for_each(
    const std::function<void(const std::string&, const ShaderInfo&, const gpu::Pipeline&)>& visit) const {
    for (const auto& [key, pipeline] : pipelines_) {
        visit(full_name(*std::get<0>(key), std::get<1>(key)), *std::get<0>(key), *pipeline);
    }
}

} // namespace vkinfer::kernels
