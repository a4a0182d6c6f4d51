// Functions of a SPIR-V module, by the names that the compiler left in it.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace vkinfer::kernels {

/// The module without the functions whose names `is_dropped` takes (names end in the types of the parameters) and
/// without their calls, so that no driver compiles what a specialisation never runs. They must return nothing. Names go
/// as well. Throws Error{internal} for what is no module.
std::vector<uint32_t> without_functions(std::span<const uint32_t> spirv,
                                        const std::function<bool(std::string_view name)>& is_dropped);

} // namespace vkinfer::kernels
