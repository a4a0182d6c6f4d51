#include "kernels/spirv_functions.h"

#include "kernels/spirv_module.h"

#include <cstring>
#include <set>

namespace vkinfer::kernels {

namespace {

// Opcodes of the SPIR-V specification 1.6, section 3.42.
enum Op : uint32_t {
    kOpName = 5,
    kOpMemberName = 6,
    kOpFunction = 54,
    kOpFunctionEnd = 56,
    kOpFunctionCall = 57,
    kOpStore = 62,
    kOpDecorate = 71,
    kOpControlBarrier = 224,
    kOpMemoryBarrier = 225,
    kOpLoopMerge = 246,
    kOpSelectionMerge = 247,
    kOpLabel = 248,
    kOpBranch = 249,
    kOpUnreachable = 255,
};

/// The id that an instruction of a function defines, or 0.
uint32_t result_of(const SpirvInstruction& i) {
    switch (i.op) {
    case kOpStore:
    case kOpControlBarrier:
    case kOpMemoryBarrier:
    case kOpLoopMerge:
    case kOpSelectionMerge:
        return 0;
    case kOpLabel:
        return i.words[1];
    default:
        if (i.op >= kOpBranch && i.op <= kOpUnreachable) return 0; // ends of blocks
        return i.words.size() > 2 ? i.words[2] : 0;                // behind the type
    }
}

} // namespace

std::vector<uint32_t> without_functions(std::span<const uint32_t> spirv,
                                        const std::function<bool(std::string_view name)>& is_dropped) {
    std::set<uint32_t> dropped, gone; // functions, and what is defined in them
    bool is_inside = false;
    for_each_instruction(spirv, [&](const SpirvInstruction& i) {
        if (i.op == kOpName && i.words.size() > 2) {
            const auto* text = reinterpret_cast<const char*>(&i.words[2]);
            if (is_dropped({text, strnlen(text, (i.words.size() - 2) * 4)})) dropped.insert(i.words[1]);
        }
        if (i.op == kOpFunction) is_inside = dropped.contains(i.words[2]);
        if (is_inside) gone.insert(result_of(i));
        if (i.op == kOpFunctionEnd) is_inside = false;
    });
    std::vector<uint32_t> kept(spirv.begin(), spirv.begin() + kSpirvHeaderWords);
    for_each_instruction(spirv, [&](const SpirvInstruction& i) {
        if (i.op == kOpName || i.op == kOpMemberName) return;
        if (i.op == kOpDecorate && gone.contains(i.words[1])) return;
        if (i.op == kOpFunctionCall && dropped.contains(i.words[3])) return;
        if (i.op == kOpFunction) is_inside = dropped.contains(i.words[2]);
        if (!is_inside) kept.insert(kept.end(), i.words.begin(), i.words.end());
        if (i.op == kOpFunctionEnd) is_inside = false;
    });
    return kept;
}

} // namespace vkinfer::kernels
