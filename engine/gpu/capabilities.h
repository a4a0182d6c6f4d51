// What one device can do, read once at its creation. Kernels choose variants by these fields and never by vendor.
// A plain value: tests copy it and switch things off to force another variant.
#pragma once

#include "gpu/device_info.h"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace vkinfer::gpu {

/// Element types of cooperative matrices.
enum class ComponentType : uint8_t { f16, f32, f64, s8, s16, s32, s64, u8, u16, u32, u64, bf16, f8e4m3, f8e5m2, other };

const char* to_string(ComponentType type);

/// One supported product: result(MxN) = a(MxK) * b(KxN) + c(MxN).
struct CoopmatShape {
    uint32_t m = 0, n = 0, k = 0;
    ComponentType a = ComponentType::other;
    ComponentType b = ComponentType::other;
    ComponentType c = ComponentType::other;
    ComponentType result = ComponentType::other;
    bool subgroup_scope = false; ///< the only scope kernels use; others are listed with false
    bool saturating = false;

    bool operator==(const CoopmatShape&) const = default;
    /// "16x16x16 f16*f16+f32->f32"
    std::string text() const;
};

struct Capabilities {
    DeviceType device_type = DeviceType::other;
    uint32_t vendor_id = 0;
    uint32_t device_id = 0;
    uint32_t driver_id = 0; ///< VkDriverId
    uint32_t driver_version = 0;
    uint32_t api_version = 0;
    std::array<uint8_t, 16> device_uuid{};
    std::array<uint8_t, 16> pipeline_cache_uuid{};

    // Subgroups. Sizes are powers of two.
    uint32_t subgroup_size = 0; ///< what a pipeline without a required size gets
    uint32_t min_subgroup_size = 0;
    uint32_t max_subgroup_size = 0;
    bool subgroup_size_control = false; ///< PipelineDesc::subgroup_size may differ from subgroup_size
    bool full_subgroups = false;
    uint32_t max_subgroups_per_group = 0; ///< 0: unknown
    bool subgroup_arithmetic = false;
    bool subgroup_shuffle = false;
    bool subgroup_shuffle_relative = false;
    bool subgroup_ballot = false;
    bool subgroup_clustered = false;
    bool subgroup_quad = false;
    bool subgroup_extended_types = false; ///< subgroup operations on 8, 16 and 64-bit types

    // Arithmetic and storage.
    bool float16 = false;
    bool float64 = false;
    bool int8 = false;
    bool int16 = false;
    bool int64 = false;
    bool storage_buffer_8bit = false;
    bool storage_buffer_16bit = false;
    bool push_constant_8bit = false;
    bool push_constant_16bit = false;
    bool scalar_block_layout = false;
    bool vulkan_memory_model = false;
    bool vulkan_memory_model_device_scope = false;
    bool integer_dot_product = false;
    bool dot_4x8_signed_accelerated = false;   ///< dotPacked4x8EXT on int32_t
    bool dot_4x8_unsigned_accelerated = false; ///< ... on uint32_t
    bool dot_4x8_mixed_accelerated = false;
    bool buffer_int64_atomics = false;
    bool workgroup_explicit_layout = false; ///< shared memory blocks that alias

    // Cooperative matrices (GL_KHR_cooperative_matrix). Empty when switched off by DeviceOptions.
    bool cooperative_matrix = false;
    std::vector<CoopmatShape> coopmat_shapes;

    // Workgroups.
    uint32_t shared_memory_bytes = 0;
    uint32_t max_group_invocations = 0;
    std::array<uint32_t, 3> max_group_size{};
    std::array<uint32_t, 3> max_group_count{};
    uint32_t compute_units = 0; ///< CUs, SMs or CPU threads; a guess when compute_units_known is false
    bool compute_units_known = false;

    // Memory.
    bool buffer_device_address = false;
    uint64_t max_storage_range_bytes = 0; ///< largest range of one binding; beyond it reads are silently zero
    uint64_t max_buffer_bytes = 0;        ///< largest single buffer: min(maxBufferSize, maxMemoryAllocationSize)
    uint64_t max_allocation_bytes = 0;
    uint32_t max_allocation_count = 0;
    uint64_t storage_offset_alignment = 1; ///< of BufferRange::offset
    uint32_t max_bindings = 0;             ///< storage buffers of one pipeline
    uint32_t max_push_bytes = 0;
    bool unified_memory = false; ///< every heap is the same DRAM: integrated devices and CPUs
    bool memory_budget = false;

    // Measuring.
    uint32_t timestamp_bits = 0; ///< 0: the queue has no timestamps
    double timestamp_period_ns = 0;
    bool executable_properties = false; ///< Pipeline::stats() works

    // From the quirks table.
    uint32_t submit_budget_ms = 0; ///< keep one submission's GPU time below this; 0: no known limit

    bool operator==(const Capabilities&) const = default;

    /// The first shape with these operand types in subgroup scope, or null.
    const CoopmatShape* find_coopmat(ComponentType a, ComponentType b, ComponentType result) const;
    /// Whether a pipeline can be made with this subgroup size.
    bool can_use_subgroup_size(uint32_t size) const;
};

struct CapabilityRow {
    std::string name;
    std::string value;
};

/// Everything in `capabilities` as text, for the `devices` command and bug reports.
std::vector<CapabilityRow> describe(const Capabilities& capabilities);

} // namespace vkinfer::gpu
