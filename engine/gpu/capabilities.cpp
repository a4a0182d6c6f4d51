#include "gpu/capabilities.h"

#include <bit>
#include <format>

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

} // namespace vkinfer::gpu
