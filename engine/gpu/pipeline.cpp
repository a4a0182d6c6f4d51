#include "gpu/pipeline.h"

#include "base/error.h"
#include "gpu/pipeline_object.h"

#include <chrono>
#include <format>
#include <vector>

namespace vkinfer::gpu {

namespace {

void check_desc(const Capabilities& capabilities, const PipelineDesc& desc) {
    const auto refuse = [&](const std::string& text) {
        throw Error(ErrorKind::unsupported, std::format("pipeline {} {}", desc.name, text));
    };
    constexpr uint32_t kSpirvMagic = 0x07230203;
    if (desc.spirv.size() < 5 || desc.spirv[0] != kSpirvMagic) refuse("was given words that are not SPIR-V");
    if (desc.push_bytes % 4 != 0) refuse(std::format("has {} push bytes, not a multiple of 4", desc.push_bytes));
    if (desc.push_bytes > capabilities.max_push_bytes) {
        refuse(std::format("needs {} push bytes, the device has {}", desc.push_bytes, capabilities.max_push_bytes));
    }
    if (desc.n_bindings > capabilities.max_bindings) {
        refuse(std::format("needs {} bindings, the device has {}", desc.n_bindings, capabilities.max_bindings));
    }
    if (!capabilities.can_use_subgroup_size(desc.subgroup_size)) {
        refuse(std::format("requires subgroups of {}, the device offers {} to {}{}", desc.subgroup_size,
                           capabilities.min_subgroup_size, capabilities.max_subgroup_size,
                           capabilities.subgroup_size_control ? "" : " without a choice"));
    }
    if (desc.full_subgroups && !capabilities.full_subgroups) refuse("requires full subgroups, which the device lacks");
    if (desc.capture_statistics && !capabilities.executable_properties) {
        refuse("asks for statistics, which the device does not report");
    }
}

/// A shader module that lives as long as the call that compiles it.
class ShaderModule {
public:
    ShaderModule(DeviceCore& core, const PipelineDesc& desc) : core_(core) {
        VkShaderModuleCreateInfo info{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO};
        info.codeSize = desc.spirv.size_bytes();
        info.pCode = desc.spirv.data();
        vk_check(core.vk.vkCreateShaderModule(core.device, &info, nullptr, &module_), "vkCreateShaderModule",
                 [&] { return std::format("pipeline {}, {} bytes of SPIR-V", desc.name, info.codeSize); });
    }
    ~ShaderModule() { core_.vk.vkDestroyShaderModule(core_.device, module_, nullptr); }
    ShaderModule(const ShaderModule&) = delete;
    ShaderModule& operator=(const ShaderModule&) = delete;
    VkShaderModule handle() const { return module_; }

private:
    DeviceCore& core_;
    VkShaderModule module_ = VK_NULL_HANDLE;
};

} // namespace

PipelineObject::~PipelineObject() {
    if (pipeline) {
        core.timeline->retire(
            [device = &core, handle = pipeline] { device->vk.vkDestroyPipeline(device->device, handle, nullptr); });
    }
    --core.n_live_objects;
}

Pipeline::Pipeline(Device& device, const PipelineDesc& desc) {
    DeviceCore& core = device.core();
    check_desc(core.capabilities, desc);
    object_ = std::make_shared<PipelineObject>(core);
    PipelineObject& object = *object_;
    object.name = desc.name;
    object.n_bindings = desc.n_bindings;
    object.push_bytes = desc.push_bytes;
    object.subgroup_size = desc.subgroup_size ? desc.subgroup_size : core.capabilities.subgroup_size;
    object.has_statistics =
        desc.capture_statistics || (core.options.capture_statistics && core.capabilities.executable_properties);
    object.set_layout = core.layouts->set_layout(desc.n_bindings);
    object.layout = core.layouts->pipeline_layout(desc.n_bindings, desc.push_bytes);

    const ShaderModule module(core, desc);
    std::vector<VkSpecializationMapEntry> entries(desc.specialization.size());
    for (uint32_t i = 0; i < entries.size(); ++i) {
        entries[i] = {i, i * static_cast<uint32_t>(sizeof(uint32_t)), sizeof(uint32_t)};
    }
    VkSpecializationInfo specialization{};
    specialization.mapEntryCount = static_cast<uint32_t>(entries.size());
    specialization.pMapEntries = entries.data();
    specialization.dataSize = desc.specialization.size_bytes();
    specialization.pData = desc.specialization.data();

    VkPipelineShaderStageRequiredSubgroupSizeCreateInfo required{
        VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO};
    required.requiredSubgroupSize = desc.subgroup_size;
    VkComputePipelineCreateInfo info{VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO};
    info.stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO};
    // can_use_subgroup_size() lets a device without the feature pass only with the size it has anyway.
    if (desc.subgroup_size && core.capabilities.subgroup_size_control) info.stage.pNext = &required;
    if (desc.full_subgroups) info.stage.flags |= VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
    info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
    info.stage.module = module.handle();
    info.stage.pName = "main";
    info.stage.pSpecializationInfo = entries.empty() ? nullptr : &specialization;
    info.layout = object.layout;
    if (object.has_statistics) {
        info.flags |=
            VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR | VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
    }
    const auto start = std::chrono::steady_clock::now();
    vk_check(core.vk.vkCreateComputePipelines(core.device,
                                              object.has_statistics ? VK_NULL_HANDLE : core.pipeline_cache->handle(), 1,
                                              &info, nullptr, &object.pipeline),
             "vkCreateComputePipelines", [&] { return std::format("pipeline {}", desc.name); });
    object.compile_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
    core.pipeline_cache->note_pipeline_created();
    core.set_name(VK_OBJECT_TYPE_PIPELINE, reinterpret_cast<uint64_t>(object.pipeline), desc.name);
}

const std::string& Pipeline::name() const {
    return object_->name;
}
uint32_t Pipeline::n_bindings() const {
    return object_->n_bindings;
}
uint32_t Pipeline::push_bytes() const {
    return object_->push_bytes;
}
uint32_t Pipeline::subgroup_size() const {
    return object_->subgroup_size;
}
double Pipeline::compile_ms() const {
    return object_->compile_ms;
}

PipelineStats Pipeline::stats() const {
    const DeviceCore& core = object_->core;
    if (!object_->has_statistics) {
        throw Error(ErrorKind::unsupported, std::format("pipeline {} was made without statistics", object_->name),
                    core.capabilities.executable_properties
                        ? "Create the device or the pipeline with capture_statistics."
                        : "This driver does not report them (VK_KHR_pipeline_executable_properties).");
    }
    PipelineStats stats;
    stats.pipeline_name = object_->name;
    VkPipelineInfoKHR pipeline_info{VK_STRUCTURE_TYPE_PIPELINE_INFO_KHR};
    pipeline_info.pipeline = object_->pipeline;
    uint32_t count = 0;
    vk_check(core.vk.vkGetPipelineExecutablePropertiesKHR(core.device, &pipeline_info, &count, nullptr),
             "vkGetPipelineExecutablePropertiesKHR");
    std::vector<VkPipelineExecutablePropertiesKHR> executables(count,
                                                               {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_PROPERTIES_KHR});
    vk_check(core.vk.vkGetPipelineExecutablePropertiesKHR(core.device, &pipeline_info, &count, executables.data()),
             "vkGetPipelineExecutablePropertiesKHR");
    for (uint32_t index = 0; index < count; ++index) {
        stats.subgroup_size = executables[index].subgroupSize;
        VkPipelineExecutableInfoKHR executable{VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INFO_KHR};
        executable.pipeline = object_->pipeline;
        executable.executableIndex = index;

        uint32_t n_values = 0;
        vk_check(core.vk.vkGetPipelineExecutableStatisticsKHR(core.device, &executable, &n_values, nullptr),
                 "vkGetPipelineExecutableStatisticsKHR");
        std::vector<VkPipelineExecutableStatisticKHR> values(n_values,
                                                             {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_STATISTIC_KHR});
        vk_check(core.vk.vkGetPipelineExecutableStatisticsKHR(core.device, &executable, &n_values, values.data()),
                 "vkGetPipelineExecutableStatisticsKHR");
        for (const auto& value : values) {
            PipelineStatistic statistic{value.name, value.description, 0};
            switch (value.format) {
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_BOOL32_KHR:
                statistic.value = value.value.b32;
                break;
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_INT64_KHR:
                statistic.value = static_cast<double>(value.value.i64);
                break;
            case VK_PIPELINE_EXECUTABLE_STATISTIC_FORMAT_UINT64_KHR:
                statistic.value = static_cast<double>(value.value.u64);
                break;
            default:
                statistic.value = value.value.f64;
                break;
            }
            stats.statistics.push_back(std::move(statistic));
        }

        uint32_t n_texts = 0;
        vk_check(core.vk.vkGetPipelineExecutableInternalRepresentationsKHR(core.device, &executable, &n_texts, nullptr),
                 "vkGetPipelineExecutableInternalRepresentationsKHR");
        std::vector<VkPipelineExecutableInternalRepresentationKHR> texts(
            n_texts, {VK_STRUCTURE_TYPE_PIPELINE_EXECUTABLE_INTERNAL_REPRESENTATION_KHR});
        vk_check(
            core.vk.vkGetPipelineExecutableInternalRepresentationsKHR(core.device, &executable, &n_texts, texts.data()),
            "vkGetPipelineExecutableInternalRepresentationsKHR");
        std::vector<std::string> bodies(n_texts);
        for (uint32_t i = 0; i < n_texts; ++i) {
            bodies[i].resize(texts[i].dataSize);
            texts[i].pData = bodies[i].data();
        }
        vk_check(
            core.vk.vkGetPipelineExecutableInternalRepresentationsKHR(core.device, &executable, &n_texts, texts.data()),
            "vkGetPipelineExecutableInternalRepresentationsKHR");
        for (uint32_t i = 0; i < n_texts; ++i) {
            if (!texts[i].isText) continue;
            while (!bodies[i].empty() && bodies[i].back() == '\0') bodies[i].pop_back();
            stats.texts.push_back({texts[i].name, std::move(bodies[i])});
        }
    }
    parse_statistics(stats);
    return stats;
}

} // namespace vkinfer::gpu
