#include "runtime/kernel_counts.h"

#include <algorithm>
#include <string>

namespace vkinfer::runtime {

namespace {

constexpr KernelCounts kCounts[] = {
#include "runtime/kernel_counts.inc"
};

/// "expert_gemm.q4_0" -> "gemm_coopmat.q4_0".
std::string dense_name(std::string_view name) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view kernel = name.substr(0, dot);
    if (kernel == "expert_gemm") return "gemm_coopmat" + std::string(name.substr(dot));
    if (kernel == "expert_matvec" || kernel == "expert_down_one") return "matvec" + std::string(name.substr(dot));
    return std::string(name);
}

std::string_view kernel_of(std::string_view name) {
    return name.substr(0, name.find_first_of(". "));
}

} // namespace

std::span<const KernelCounts> kernel_counts() {
    return kCounts;
}

const KernelCounts* find_kernel_counts(std::string_view chip, bool is_decode, std::string_view name) {
    const std::string dense = dense_name(name);
    // RDNA3.5 has RDNA3's vector instructions, matrices and LDS.
    const auto has = [&](std::string_view of) {
        return std::ranges::any_of(kCounts, [&](const KernelCounts& row) {
            return row.chip == of && row.is_decode == is_decode && (row.name == name || row.name == dense);
        });
    };
    if (chip == "strix1" && !has(chip) && has("navi31")) chip = "navi31";
    const KernelCounts* costliest = nullptr;
    for (const KernelCounts& row : kCounts) {
        if (row.chip != chip || row.is_decode != is_decode) continue;
        if (row.name == name || row.name == dense) return &row;
        if (kernel_of(row.name) == kernel_of(dense) && (costliest == nullptr || row.simd > costliest->simd))
            costliest = &row;
    }
    return costliest;
}

} // namespace vkinfer::runtime
