// What a flop of a kernel costs the units of an AMD GPU, counted by running its machine code on the RDNA rig: a table
// that tests/rdna/kernel_counts.py writes (`ninja -C build kernel-counts`). For predictions; nothing runs by it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace vkinfer::runtime {

/// Clocks per thousand flops, over all waves of a dispatch.
struct KernelCounts {
    std::string_view chip; ///< whose code it is: "gfx1201", "navi31", "strix1"
    bool is_decode;        ///< one token; else many
    std::string_view name; ///< shader variant; of attention with the type of K and V behind it: "attention_decode f16",
                           ///< of expert_gemm with the rows of a tile, and then per thousand flops of whole fragments
    double simd;           ///< of a SIMD's vector pipe, matrix products among them
    double lds;            ///< of a CU's LDS
    double lines;          ///< 128-byte lines through a CU's vector cache
    double wave;           ///< of a wave that is alone, its waits among them
    uint32_t group_waves;
    uint32_t occupancy; ///< waves of a SIMD at a time
};

std::span<const KernelCounts> kernel_counts();
/// The row; where there is none for it, the costliest of the kernel, of the same weights if they were counted at all.
/// Experts' kernels that were not counted are taken for the dense ones that do the same ("expert_gemm.x 64" for
/// "gemm_coopmat.x"). Null where the chip or the kind of kernel has none.
const KernelCounts* find_kernel_counts(std::string_view chip, bool is_decode, std::string_view name);

} // namespace vkinfer::runtime
