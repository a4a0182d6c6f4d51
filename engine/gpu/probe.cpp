#include "gpu/probe.h"

#include "base/error.h"

#include <algorithm>
#include <cstring>
#include <format>
#include <thread>

namespace vkinfer::gpu {

namespace {

class Extensions {
public:
    explicit Extensions(VkPhysicalDevice physical) {
        uint32_t count = 0;
        vk_check(vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr),
                 "vkEnumerateDeviceExtensionProperties");
        found_.resize(count);
        vk_check(vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, found_.data()),
                 "vkEnumerateDeviceExtensionProperties");
    }
    bool has(const char* name) const {
        return std::ranges::any_of(found_, [&](const auto& e) { return std::strcmp(e.extensionName, name) == 0; });
    }

private:
    std::vector<VkExtensionProperties> found_;
};

/// Puts `item` at the front of the pNext chain of `head`.
template<class Head, class Item>
void chain(Head& head, Item& item) {
    item.pNext = head.pNext;
    head.pNext = &item;
}

ComponentType component_type(VkComponentTypeKHR type) {
    switch (type) {
    case VK_COMPONENT_TYPE_FLOAT16_KHR:
        return ComponentType::f16;
    case VK_COMPONENT_TYPE_FLOAT32_KHR:
        return ComponentType::f32;
    case VK_COMPONENT_TYPE_FLOAT64_KHR:
        return ComponentType::f64;
    case VK_COMPONENT_TYPE_SINT8_KHR:
        return ComponentType::s8;
    case VK_COMPONENT_TYPE_SINT16_KHR:
        return ComponentType::s16;
    case VK_COMPONENT_TYPE_SINT32_KHR:
        return ComponentType::s32;
    case VK_COMPONENT_TYPE_SINT64_KHR:
        return ComponentType::s64;
    case VK_COMPONENT_TYPE_UINT8_KHR:
        return ComponentType::u8;
    case VK_COMPONENT_TYPE_UINT16_KHR:
        return ComponentType::u16;
    case VK_COMPONENT_TYPE_UINT32_KHR:
        return ComponentType::u32;
    case VK_COMPONENT_TYPE_UINT64_KHR:
        return ComponentType::u64;
    default:
        break;
    }
    // Newer than the headers of the oldest supported system: VK_KHR_shader_bfloat16 and VK_EXT_shader_float8.
    switch (static_cast<uint32_t>(type)) {
    case 1000141000:
        return ComponentType::bf16;
    case 1000491002:
        return ComponentType::f8e4m3;
    case 1000491003:
        return ComponentType::f8e5m2;
    default:
        return ComponentType::other;
    }
}

std::vector<CoopmatShape> read_coopmat_shapes(VkPhysicalDevice physical) {
    uint32_t count = 0;
    vk_check(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &count, nullptr),
             "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    std::vector<VkCooperativeMatrixPropertiesKHR> found(count, {VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR});
    vk_check(vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical, &count, found.data()),
             "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
    std::vector<CoopmatShape> shapes;
    for (const auto& p : found) {
        CoopmatShape shape;
        shape.m = p.MSize;
        shape.n = p.NSize;
        shape.k = p.KSize;
        shape.a = component_type(p.AType);
        shape.b = component_type(p.BType);
        shape.c = component_type(p.CType);
        shape.result = component_type(p.ResultType);
        shape.subgroup_scope = p.scope == VK_SCOPE_SUBGROUP_KHR;
        shape.saturating = p.saturatingAccumulation == VK_TRUE;
        // Element types whose extensions are not enabled (bfloat16 and float8: neither the headers nor the shader
        // compiler of the oldest supported system know them) must not be used, so they are not listed.
        const ComponentType types[] = {shape.a, shape.b, shape.c, shape.result};
        const bool is_enabled = std::ranges::none_of(types, [](ComponentType type) {
            return type == ComponentType::bf16 || type == ComponentType::f8e4m3 || type == ComponentType::f8e5m2 ||
                   type == ComponentType::other;
        });
        if (is_enabled) shapes.push_back(shape);
    }
    return shapes;
}

/// Fills `features` with what the device has, then keeps only what the engine uses.
void choose_features(VkPhysicalDevice physical, const Extensions& extensions, const ProbeOptions& options,
                     Probe& probe) {
    FeatureChain have;
    chain(have.core, have.v11);
    chain(have.core, have.v12);
    chain(have.core, have.v13);
    const bool coopmat = options.cooperative_matrix && extensions.has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
    const bool executable = extensions.has(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
    const bool explicit_layout = extensions.has(VK_KHR_WORKGROUP_MEMORY_EXPLICIT_LAYOUT_EXTENSION_NAME);
    if (coopmat) chain(have.core, have.coopmat);
    if (executable) chain(have.core, have.executable);
    if (explicit_layout) chain(have.core, have.explicit_layout);
    vkGetPhysicalDeviceFeatures2(physical, &have.core);

    FeatureChain& use = *(probe.features = std::make_unique<FeatureChain>());
    chain(use.core, use.v11);
    chain(use.core, use.v12);
    chain(use.core, use.v13);
    use.core.features.robustBufferAccess = options.robust_buffer_access && have.core.features.robustBufferAccess;
    use.core.features.shaderInt16 = have.core.features.shaderInt16;
    use.core.features.shaderInt64 = have.core.features.shaderInt64;
    use.core.features.shaderFloat64 = have.core.features.shaderFloat64;
    use.v11.storageBuffer16BitAccess = have.v11.storageBuffer16BitAccess;
    use.v11.storagePushConstant16 = have.v11.storagePushConstant16;
    use.v12.storageBuffer8BitAccess = have.v12.storageBuffer8BitAccess;
    use.v12.storagePushConstant8 = have.v12.storagePushConstant8;
    use.v12.shaderBufferInt64Atomics = have.v12.shaderBufferInt64Atomics;
    use.v12.shaderFloat16 = have.v12.shaderFloat16;
    use.v12.shaderInt8 = have.v12.shaderInt8;
    use.v12.scalarBlockLayout = have.v12.scalarBlockLayout;
    use.v12.uniformBufferStandardLayout = have.v12.uniformBufferStandardLayout;
    use.v12.shaderSubgroupExtendedTypes = have.v12.shaderSubgroupExtendedTypes;
    use.v12.subgroupBroadcastDynamicId = have.v12.subgroupBroadcastDynamicId;
    use.v12.timelineSemaphore = have.v12.timelineSemaphore;
    use.v12.bufferDeviceAddress = have.v12.bufferDeviceAddress;
    use.v12.vulkanMemoryModel = have.v12.vulkanMemoryModel;
    use.v12.vulkanMemoryModelDeviceScope = have.v12.vulkanMemoryModel && have.v12.vulkanMemoryModelDeviceScope;
    use.v13.subgroupSizeControl = have.v13.subgroupSizeControl;
    use.v13.computeFullSubgroups = have.v13.computeFullSubgroups;
    use.v13.synchronization2 = have.v13.synchronization2;
    use.v13.shaderIntegerDotProduct = have.v13.shaderIntegerDotProduct;
    use.v13.maintenance4 = have.v13.maintenance4;

    Capabilities& caps = probe.capabilities;
    if (coopmat && have.coopmat.cooperativeMatrix) {
        chain(use.core, use.coopmat);
        use.coopmat.cooperativeMatrix = VK_TRUE;
        probe.extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);
        caps.coopmat_shapes = read_coopmat_shapes(physical);
        caps.cooperative_matrix = !caps.coopmat_shapes.empty();
    }
    if (executable && have.executable.pipelineExecutableInfo) {
        chain(use.core, use.executable);
        use.executable.pipelineExecutableInfo = VK_TRUE;
        probe.extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
        caps.executable_properties = true;
    }
    if (explicit_layout && have.explicit_layout.workgroupMemoryExplicitLayout) {
        chain(use.core, use.explicit_layout);
        use.explicit_layout.workgroupMemoryExplicitLayout = VK_TRUE;
        use.explicit_layout.workgroupMemoryExplicitLayout8BitAccess =
            have.explicit_layout.workgroupMemoryExplicitLayout8BitAccess;
        use.explicit_layout.workgroupMemoryExplicitLayout16BitAccess =
            have.explicit_layout.workgroupMemoryExplicitLayout16BitAccess;
        probe.extensions.push_back(VK_KHR_WORKGROUP_MEMORY_EXPLICIT_LAYOUT_EXTENSION_NAME);
        caps.workgroup_explicit_layout = use.explicit_layout.workgroupMemoryExplicitLayout8BitAccess &&
                                         use.explicit_layout.workgroupMemoryExplicitLayout16BitAccess;
    }
    if (extensions.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) {
        probe.extensions.push_back(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
        caps.memory_budget = true;
    }

    // Both are required of every Vulkan 1.3 driver, and nothing works without them.
    if (!use.v12.timelineSemaphore || !use.v13.synchronization2) {
        throw Error(ErrorKind::unsupported, "the device lacks timelineSemaphore or synchronization2",
                    "Update its driver.");
    }
    caps.float16 = use.v12.shaderFloat16;
    caps.float64 = use.core.features.shaderFloat64;
    caps.int8 = use.v12.shaderInt8;
    caps.int16 = use.core.features.shaderInt16;
    caps.int64 = use.core.features.shaderInt64;
    caps.storage_buffer_8bit = use.v12.storageBuffer8BitAccess;
    caps.storage_buffer_16bit = use.v11.storageBuffer16BitAccess;
    caps.push_constant_8bit = use.v12.storagePushConstant8;
    caps.push_constant_16bit = use.v11.storagePushConstant16;
    caps.scalar_block_layout = use.v12.scalarBlockLayout;
    caps.vulkan_memory_model = use.v12.vulkanMemoryModel;
    caps.vulkan_memory_model_device_scope = use.v12.vulkanMemoryModelDeviceScope;
    caps.integer_dot_product = use.v13.shaderIntegerDotProduct;
    caps.buffer_int64_atomics = use.v12.shaderBufferInt64Atomics;
    caps.buffer_device_address = use.v12.bufferDeviceAddress;
    caps.subgroup_extended_types = use.v12.shaderSubgroupExtendedTypes;
    caps.subgroup_size_control = use.v13.subgroupSizeControl;
    caps.full_subgroups = use.v13.computeFullSubgroups;
}

void read_properties(VkPhysicalDevice physical, const Extensions& extensions, Probe& probe) {
    VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    VkPhysicalDeviceVulkan11Properties v11{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES};
    VkPhysicalDeviceVulkan12Properties v12{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES};
    VkPhysicalDeviceVulkan13Properties v13{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_PROPERTIES};
    VkPhysicalDeviceShaderCorePropertiesAMD amd{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_AMD};
    VkPhysicalDeviceShaderCoreProperties2AMD amd2{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_CORE_PROPERTIES_2_AMD};
    VkPhysicalDeviceShaderSMBuiltinsPropertiesNV nv{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_SM_BUILTINS_PROPERTIES_NV};
    chain(properties, v11);
    chain(properties, v12);
    chain(properties, v13);
    if (extensions.has(VK_AMD_SHADER_CORE_PROPERTIES_EXTENSION_NAME)) chain(properties, amd);
    if (extensions.has(VK_AMD_SHADER_CORE_PROPERTIES_2_EXTENSION_NAME)) chain(properties, amd2);
    if (extensions.has(VK_NV_SHADER_SM_BUILTINS_EXTENSION_NAME)) chain(properties, nv);
    vkGetPhysicalDeviceProperties2(physical, &properties);

    Capabilities& caps = probe.capabilities;
    const VkPhysicalDeviceProperties& core = properties.properties;
    const VkPhysicalDeviceLimits& limits = core.limits;
    caps.vendor_id = core.vendorID;
    caps.device_id = core.deviceID;
    caps.driver_id = static_cast<uint32_t>(v12.driverID);
    caps.driver_version = core.driverVersion;
    caps.api_version = core.apiVersion;
    std::copy_n(v11.deviceUUID, VK_UUID_SIZE, caps.device_uuid.begin());
    std::copy_n(core.pipelineCacheUUID, VK_UUID_SIZE, caps.pipeline_cache_uuid.begin());

    caps.subgroup_size = v11.subgroupSize;
    caps.min_subgroup_size = v13.minSubgroupSize;
    caps.max_subgroup_size = v13.maxSubgroupSize;
    caps.subgroup_size_control =
        caps.subgroup_size_control && (v13.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
    caps.max_subgroups_per_group = v13.maxComputeWorkgroupSubgroups;
    const VkSubgroupFeatureFlags subgroup =
        v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT ? v11.subgroupSupportedOperations : 0;
    caps.subgroup_arithmetic = subgroup & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT;
    caps.subgroup_shuffle = subgroup & VK_SUBGROUP_FEATURE_SHUFFLE_BIT;
    caps.subgroup_shuffle_relative = subgroup & VK_SUBGROUP_FEATURE_SHUFFLE_RELATIVE_BIT;
    caps.subgroup_ballot = subgroup & VK_SUBGROUP_FEATURE_BALLOT_BIT;
    caps.subgroup_clustered = subgroup & VK_SUBGROUP_FEATURE_CLUSTERED_BIT;
    caps.subgroup_quad = subgroup & VK_SUBGROUP_FEATURE_QUAD_BIT;

    caps.dot_4x8_signed_accelerated = v13.integerDotProduct4x8BitPackedSignedAccelerated;
    caps.dot_4x8_unsigned_accelerated = v13.integerDotProduct4x8BitPackedUnsignedAccelerated;
    caps.dot_4x8_mixed_accelerated = v13.integerDotProduct4x8BitPackedMixedSignednessAccelerated;

    caps.shared_memory_bytes = limits.maxComputeSharedMemorySize;
    caps.max_group_invocations = limits.maxComputeWorkGroupInvocations;
    std::copy_n(limits.maxComputeWorkGroupSize, 3, caps.max_group_size.begin());
    std::copy_n(limits.maxComputeWorkGroupCount, 3, caps.max_group_count.begin());

    caps.max_storage_range_bytes = limits.maxStorageBufferRange;
    caps.max_allocation_bytes = v11.maxMemoryAllocationSize;
    caps.max_buffer_bytes = std::min(v13.maxBufferSize, v11.maxMemoryAllocationSize);
    caps.max_allocation_count = limits.maxMemoryAllocationCount;
    caps.storage_offset_alignment = std::max<uint64_t>(limits.minStorageBufferOffsetAlignment, 1);
    caps.max_bindings = std::min(limits.maxPerStageDescriptorStorageBuffers, limits.maxDescriptorSetStorageBuffers);
    caps.max_push_bytes = limits.maxPushConstantsSize;
    caps.timestamp_period_ns = static_cast<double>(limits.timestampPeriod);

    if (core.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU) {
        caps.compute_units = std::max(1u, std::thread::hardware_concurrency());
        caps.compute_units_known = true;
    } else if (amd2.activeComputeUnitCount > 0) {
        caps.compute_units = amd2.activeComputeUnitCount;
        caps.compute_units_known = true;
    } else if (amd.computeUnitsPerShaderArray > 0) {
        caps.compute_units = amd.shaderEngineCount * amd.shaderArraysPerEngineCount * amd.computeUnitsPerShaderArray;
        caps.compute_units_known = true;
    } else if (nv.shaderSMCount > 0) {
        caps.compute_units = nv.shaderSMCount;
        caps.compute_units_known = true;
    } else {
        caps.compute_units = core.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ? 32 : 8;
    }
}

} // namespace

Probe probe_device(VkPhysicalDevice physical, uint32_t queue_family, const ProbeOptions& options) {
    Probe probe;
    probe.queue_family = queue_family;
    const Extensions extensions(physical);
    choose_features(physical, extensions, options, probe);
    read_properties(physical, extensions, probe);

    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
    std::vector<VkQueueFamilyProperties> families(count);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
    probe.capabilities.timestamp_bits = families.at(queue_family).timestampValidBits;
    return probe;
}

} // namespace vkinfer::gpu
