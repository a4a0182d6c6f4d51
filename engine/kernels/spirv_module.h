// The instructions of a SPIR-V module, one after the other.
#pragma once

#include "base/error.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace vkinfer::kernels {

struct SpirvInstruction {
    uint32_t op;                     ///< opcode, section 3.42 of the SPIR-V specification 1.6
    std::span<const uint32_t> words; ///< the whole instruction
};

constexpr size_t kSpirvHeaderWords = 5;

/// Calls `visit` with every instruction. Throws Error{internal} for what is no module.
template<class Visit>
void for_each_instruction(std::span<const uint32_t> spirv, Visit visit) {
    if (spirv.size() < kSpirvHeaderWords || spirv[0] != 0x07230203)
        throw Error(ErrorKind::internal, "not a SPIR-V module");
    for (size_t at = kSpirvHeaderWords; at < spirv.size();) {
        const uint32_t count = spirv[at] >> 16;
        if (count == 0 || at + count > spirv.size()) throw Error(ErrorKind::internal, "truncated SPIR-V module");
        visit(SpirvInstruction{spirv[at] & 0xffff, spirv.subspan(at, count)});
        at += count;
    }
}

} // namespace vkinfer::kernels
