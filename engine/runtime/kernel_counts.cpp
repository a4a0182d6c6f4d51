#include "runtime/kernel_counts.h"

#include <algorithm>
#include <string>
#include <tuple>

namespace vkinfer::runtime {

namespace {

constexpr KernelCounts kCounts[] = {
#include "runtime/kernel_counts.inc"
};

/// "expert_gemm.q4_0 64" -> "gemm_coopmat.q4_0".
std::string dense_name(std::string_view name) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view kernel = name.substr(0, dot), type = name.substr(dot, name.find(' ') - dot);
    if (kernel == "expert_gemm") return "gemm_coopmat" + std::string(type);
    if (kernel == "expert_matvec" || kernel == "expert_down_one") return "matvec" + std::string(type);
    return std::string(name);
}

std::string_view kernel_of(std::string_view name) {
    return name.substr(0, name.find_first_of(". "));
}

/// " 64" of "expert_gemm.q4_0 64".
std::string_view suffix_of(std::string_view name) {
    return name.substr(std::min(name.find(' '), name.size()));
}

/// "q4_0" of "matvec.q4_0.f32" and of "expert_gemm.q4_0 64".
std::string_view type_of(std::string_view name) {
    const std::string_view rest = name.substr(std::min(name.find('.'), name.size()));
    return rest.substr(0, rest.find_first_of(". ", 1));
}

/// The row of that name, else the costliest of the kernel: with the same suffix and type if there is one.
const KernelCounts* closest(std::string_view chip, bool is_decode, std::string_view name) {
    const KernelCounts* best = nullptr;
    const auto rank = [&](const KernelCounts& row) {
        return std::tuple(suffix_of(row.name) == suffix_of(name), type_of(row.name) == type_of(name), row.simd);
    };
    for (const KernelCounts& row : kCounts) {
        if (row.chip != chip || row.is_decode != is_decode || kernel_of(row.name) != kernel_of(name)) continue;
        if (row.name == name) return &row;
        if (best == nullptr || rank(row) > rank(*best)) best = &row;
    }
    return best;
}

} // namespace

std::span<const KernelCounts> kernel_counts() {
    return kCounts;
}

const KernelCounts* find_kernel_counts(std::string_view chip, bool is_decode, std::string_view name) {
    const std::string dense = dense_name(name);
    for (const std::string_view wanted : {name, std::string_view(dense)}) {
        if (const KernelCounts* row = closest(chip, is_decode, wanted)) return row;
    }
    // RDNA3.5 has RDNA3's vector instructions, matrices and LDS.
    return chip == "strix1" ? find_kernel_counts("navi31", is_decode, name) : nullptr;
}

} // namespace vkinfer::runtime
