// Machine code to instructions, from the encodings themselves: what a disassembler prints loses modifiers.
#pragma once

#include "rdna/isa.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::rdna {

/// Decodes the instruction at the start of `code`. Throws Fault that names the format and opcode when it is unknown.
Instruction decode(Arch arch, std::span<const uint32_t> code);

/// One line, close to the assembler's syntax.
std::string to_string(const Instruction& instruction);

/// Code at one address, decoded as far as it has been reached.
class Program {
public:
    Program(Arch arch, const uint32_t* code, size_t max_dwords) : arch_(arch), code_(code), max_dwords_(max_dwords) {}

    const Instruction& at(uint32_t pc) {
        if (pc < slots_.size() && slots_[pc]) [[likely]]
            return *slots_[pc];
        return decode_at(pc);
    }
    /// Whether the code is still what was decoded (drivers reuse memory of pipelines that are gone).
    bool is_current(const uint32_t* code, size_t max_dwords) const;

private:
    const Instruction& decode_at(uint32_t pc);

    Arch arch_;
    const uint32_t* code_;
    size_t max_dwords_;
    std::vector<std::unique_ptr<Instruction>> slots_;
    std::vector<uint32_t> seen_; ///< copy of the words decoded so far, by position
};

} // namespace vkinfer::rdna
