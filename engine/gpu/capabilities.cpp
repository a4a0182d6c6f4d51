#include "gpu/capabilities.h"

#include "gpu/memory.h"

#include <bit>
#include <format>
#include <initializer_list>
#include <utility>

namespace vkinfer::gpu {

const char* to_string(ComponentType type) {
    switch (type) {
    case ComponentType::f16:
        return "f16";
    case ComponentType::f32:
        return "f32";
    case ComponentType::f64:
        return "f64";
    case ComponentType::s8:
        return "s8";
    case ComponentType::s16:
        return "s16";
    case ComponentType::s32:
        return "s32";
    case ComponentType::s64:
        return "s64";
    case ComponentType::u8:
        return "u8";
    case ComponentType::u16:
        return "u16";
    case ComponentType::u32:
        return "u32";
    case ComponentType::u64:
        return "u64";
    case ComponentType::bf16:
        return "bf16";
    case ComponentType::f8e4m3:
        return "f8e4m3";
    case ComponentType::f8e5m2:
        return "f8e5m2";
    case ComponentType::other:
        break;
    }
    return "other";
}

std::string CoopmatShape::text() const {
    return std::format("{}x{}x{} {}*{}+{}->{}{}{}", m, n, k, to_string(a), to_string(b), to_string(c),
                       to_string(result), saturating ? " saturating" : "", subgroup_scope ? "" : " (other scope)");
}

const CoopmatShape* Capabilities::find_coopmat(ComponentType a, ComponentType b, ComponentType result) const {
    for (const CoopmatShape& shape : coopmat_shapes) {
        if (shape.subgroup_scope && !shape.saturating && shape.a == a && shape.b == b && shape.c == result &&
            shape.result == result) {
            return &shape;
        }
    }
    return nullptr;
}

bool Capabilities::can_use_subgroup_size(uint32_t size) const {
    if (size == 0) return true;
    if (!subgroup_size_control) return size == subgroup_size && min_subgroup_size == max_subgroup_size;
    return std::has_single_bit(size) && size >= min_subgroup_size && size <= max_subgroup_size;
}

std::vector<CapabilityRow> describe(const Capabilities& c) {
    std::vector<CapabilityRow> rows;
    const auto add = [&](std::string name, std::string value) { rows.push_back({std::move(name), std::move(value)}); };
    const auto names = [](std::initializer_list<std::pair<bool, const char*>> flags) {
        std::string text;
        for (const auto& [is_set, name] : flags) {
            if (is_set) text += (text.empty() ? "" : " ") + std::string(name);
        }
        return text.empty() ? std::string("none") : text;
    };
    add("type", to_string(c.device_type));
    add("vendor:device", std::format("{:04x}:{:04x}", c.vendor_id, c.device_id));
    add("subgroup size", std::format("{} ({} to {}{})", c.subgroup_size, c.min_subgroup_size, c.max_subgroup_size,
                                     c.subgroup_size_control ? ", chosen per pipeline" : ""));
    add("subgroup operations", names({{c.subgroup_arithmetic, "arithmetic"},
                                      {c.subgroup_shuffle, "shuffle"},
                                      {c.subgroup_shuffle_relative, "shuffle-relative"},
                                      {c.subgroup_ballot, "ballot"},
                                      {c.subgroup_clustered, "clustered"},
                                      {c.subgroup_quad, "quad"},
                                      {c.subgroup_extended_types, "extended-types"},
                                      {c.full_subgroups, "full-subgroups"}}));
    add("arithmetic", names({{c.float16, "f16"},
                             {c.float64, "f64"},
                             {c.int8, "int8"},
                             {c.int16, "int16"},
                             {c.int64, "int64"},
                             {c.buffer_int64_atomics, "int64-atomics"}}));
    add("storage", names({{c.storage_buffer_8bit, "8-bit"},
                          {c.storage_buffer_16bit, "16-bit"},
                          {c.scalar_block_layout, "scalar-layout"},
                          {c.workgroup_explicit_layout, "explicit-workgroup-layout"},
                          {c.buffer_device_address, "addresses"},
                          {c.vulkan_memory_model, "memory-model"}}));
    add("integer dot product", c.integer_dot_product
                                   ? "accelerated 4x8: " + names({{c.dot_4x8_signed_accelerated, "signed"},
                                                                  {c.dot_4x8_unsigned_accelerated, "unsigned"},
                                                                  {c.dot_4x8_mixed_accelerated, "mixed"}})
                                   : "no");
    if (c.coopmat_shapes.empty()) add("cooperative matrix", "none");
    for (const CoopmatShape& shape : c.coopmat_shapes) add("cooperative matrix", shape.text());
    add("workgroup",
        std::format("{} invocations, {} x {} x {}, {} KiB shared", c.max_group_invocations, c.max_group_size[0],
                    c.max_group_size[1], c.max_group_size[2], c.shared_memory_bytes / 1024));
    add("compute units", std::format("{}{}", c.compute_units, c.compute_units_known ? "" : " (guessed)"));
    add("largest binding", size_text(c.max_storage_range_bytes));
    add("largest buffer", size_text(c.max_buffer_bytes));
    add("bindings", std::format("{}, offsets in multiples of {}", c.max_bindings, c.storage_offset_alignment));
    add("push constants", std::format("{} bytes", c.max_push_bytes));
    add("memory", names({{c.unified_memory, "unified"}, {c.memory_budget, "budget-reported"}}));
    add("timestamps", c.timestamp_bits ? std::format("{} bits, {} ns", c.timestamp_bits, c.timestamp_period_ns) : "no");
    add("pipeline statistics", c.executable_properties ? "yes" : "no");
    add("submission limit", c.submit_budget_ms ? std::format("{} ms", c.submit_budget_ms) : "none known");
    return rows;
}

} // namespace vkinfer::gpu
