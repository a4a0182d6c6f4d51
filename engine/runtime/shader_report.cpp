#include "runtime/shader_report.h"

#include "gpu/pipeline.h"
#include "kernels/pipeline_store.h"

namespace vkinfer::runtime {

std::vector<ShaderReportRow> report_shaders(VulkanRunner& runner) {
    runner.warm_up();
    std::vector<ShaderReportRow> rows;
    runner.pipelines().for_each(
        [&](const std::string& name, const kernels::ShaderInfo& shader, const gpu::Pipeline& pipeline) {
            const gpu::PipelineStats stats = pipeline.stats();
            rows.push_back({.pipeline = name,
                            .shader = std::string(shader.name),
                            .is_coopmat = shader.coopmat,
                            .subgroup_size = stats.subgroup_size,
                            .vgprs = stats.vgprs.value_or(0),
                            .spills = stats.spilled_vgprs.value_or(0) + stats.spilled_sgprs.value_or(0),
                            .scratch_bytes = stats.scratch_bytes.value_or(0),
                            .lds_bytes = stats.lds_bytes.value_or(0),
                            .occupancy = stats.subgroups_per_simd.value_or(0),
                            .instructions = stats.instructions.value_or(0),
                            .wmma = stats.count_instructions("v_wmma"),
                            .dot4 = stats.count_instructions("v_dot4"),
                            .compile_ms = pipeline.compile_ms(),
                            .isa = std::string(stats.isa())});
        });
    return rows;
}

} // namespace vkinfer::runtime
