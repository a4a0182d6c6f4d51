#include "kernels/spirv_reflection.h"

#include "kernels/spirv_module.h"

#include <algorithm>
#include <array>

namespace vkinfer::kernels {

namespace {

// Opcodes, decorations and storage classes of the SPIR-V specification 1.6, sections 3.42, 3.20 and 3.7.
enum Op : uint32_t {
    kOpTypeInt = 21,
    kOpTypeFloat = 22,
    kOpTypeVector = 23,
    kOpTypeStruct = 30,
    kOpTypePointer = 32,
    kOpVariable = 59,
    kOpDecorate = 71,
    kOpMemberDecorate = 72,
    kOpTypeCooperativeMatrix = 4456,
};
enum Decoration : uint32_t {
    kSpecId = 1,
    kNonWritable = 24,
    kNonReadable = 25,
    kBinding = 33,
    kDescriptorSet = 34,
    kOffset = 35
};
enum StorageClass : uint32_t { kPushConstant = 9, kStorageBuffer = 12 };

struct Module {
    std::map<uint32_t, uint32_t> size;                 ///< bytes of scalars and vectors
    std::map<uint32_t, std::vector<uint32_t>> members; ///< member types of structs
    std::map<uint32_t, uint32_t> pointee;
    std::map<uint32_t, std::map<uint32_t, uint32_t>> decorations; ///< id -> decoration -> value
    std::map<std::pair<uint32_t, uint32_t>, std::map<uint32_t, uint32_t>> member_decorations;
    std::vector<std::array<uint32_t, 3>> variables; ///< type, id, storage class
};

} // namespace

SpirvInterface reflect(std::span<const uint32_t> words) {
    SpirvInterface result;
    Module m;
    for_each_instruction(words, [&](const SpirvInstruction& instruction) {
        const size_t count = instruction.words.size();
        const auto arg = [&](uint32_t i) { return i + 1 < count ? instruction.words[i + 1] : 0; };
        switch (instruction.op) {
        case kOpTypeInt:
        case kOpTypeFloat:
            m.size[arg(0)] = arg(1) / 8;
            break;
        case kOpTypeVector:
            m.size[arg(0)] = m.size[arg(1)] * arg(2);
            break;
        case kOpTypeStruct:
            for (uint32_t i = 1; i + 1 < count; ++i) m.members[arg(0)].push_back(arg(i));
            break;
        case kOpTypePointer:
            m.pointee[arg(0)] = arg(2);
            break;
        case kOpTypeCooperativeMatrix:
            result.uses_cooperative_matrix = true;
            break;
        case kOpVariable:
            m.variables.push_back({arg(0), arg(1), arg(2)});
            break;
        case kOpDecorate:
            m.decorations[arg(0)][arg(1)] = arg(2);
            break;
        case kOpMemberDecorate:
            m.member_decorations[{arg(0), arg(1)}][arg(2)] = arg(3);
            break;
        default:
            break;
        }
    });
    for (const auto& [id, decorations] : m.decorations) {
        if (const auto it = decorations.find(kSpecId); it != decorations.end()) result.spec_ids.push_back(it->second);
    }
    std::ranges::sort(result.spec_ids);
    for (const auto& [type, id, storage] : m.variables) {
        const uint32_t block = m.pointee[type];
        const auto& members = m.members[block];
        if (storage == kPushConstant) {
            for (uint32_t i = 0; i < members.size(); ++i) {
                result.push_bytes =
                    std::max(result.push_bytes, m.member_decorations[{block, i}][kOffset] + m.size[members[i]]);
            }
        } else if (storage == kStorageBuffer) {
            SpirvInterface::Binding binding{
                .set = m.decorations[id][kDescriptorSet], .is_readonly = true, .is_writeonly = true};
            for (uint32_t i = 0; i < members.size(); ++i) {
                binding.is_readonly &= m.member_decorations[{block, i}].contains(kNonWritable);
                binding.is_writeonly &= m.member_decorations[{block, i}].contains(kNonReadable);
            }
            // Variables may share a binding, each for an element type.
            const auto [at, is_new] = result.bindings.emplace(m.decorations[id][kBinding], binding);
            if (!is_new) {
                at->second.is_readonly &= binding.is_readonly;
                at->second.is_writeonly &= binding.is_writeonly;
            }
        }
    }
    return result;
}

} // namespace vkinfer::kernels
