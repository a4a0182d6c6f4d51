#include "format/tensor_type.h"

#include "base/error.h"

#include <algorithm>
#include <array>

namespace vkinfer::format {

namespace types {
#define VKINFER_TENSOR_TYPE(name, id) extern const TypeTraits name;
#include "format/tensor_types.def"
#undef VKINFER_TENSOR_TYPE
} // namespace types

namespace {

constexpr std::array kTable = {
#define VKINFER_TENSOR_TYPE(name, id) &types::name,
#include "format/tensor_types.def"
#undef VKINFER_TENSOR_TYPE
};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::span<const TypeTraits* const> all_traits() {
    return kTable;
}

const TypeTraits* find_traits(uint32_t id) {
    const auto found = std::ranges::find_if(kTable, [id](const TypeTraits* t) { return uint32_t(t->type) == id; });
    return found == kTable.end() ? nullptr : *found;
}

const TypeTraits* find_traits(std::string_view name) {
    const auto found = std::ranges::find_if(kTable, [name](const TypeTraits* t) {
        return std::ranges::equal(name, std::string_view(t->name), {}, lower, lower);
    });
    return found == kTable.end() ? nullptr : *found;
}

const TypeTraits& traits(TensorType type) {
    const TypeTraits* found = find_traits(static_cast<uint32_t>(type));
    VKINFER_ASSERT(found != nullptr);
    return *found;
}

} // namespace vkinfer::format
