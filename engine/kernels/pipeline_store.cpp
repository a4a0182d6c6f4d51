#include "kernels/pipeline_store.h"

#include "gpu/device.h"

#include <format>

namespace vkinfer::kernels {

namespace {

std::string full_name(const ShaderInfo& shader, const std::vector<uint32_t>& specialization) {
    std::string name(shader.name);
    for (size_t i = 0; i < specialization.size(); ++i)
        name += std::format("{}{}", i == 0 ? ' ' : ',', specialization[i]);
    return name;
}

} // namespace

const gpu::Pipeline& PipelineStore::get(const Dispatch& dispatch) {
    const Key key{dispatch.shader, dispatch.specialization, dispatch.subgroup_size};
    auto& pipeline = pipelines_[key];
    if (!pipeline) {
        const ShaderInfo& shader = *dispatch.shader;
        gpu::PipelineDesc desc;
        desc.name = full_name(shader, dispatch.specialization);
        desc.spirv = shader.spirv;
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
