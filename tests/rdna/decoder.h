// Machine code to instructions, from the encodings themselves: what a disassembler prints loses modifiers.
#pragma once

#include "rdna/isa.h"

#include <cstdint>
#include <memory>
#include <set>
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
    /// Rows of the opcode table are noted in `executed` when they are reached for the first time.
    Program(Arch arch, const uint32_t* code, size_t max_dwords, std::set<const Opcode*>& executed)
        : arch_(arch), code_(code), max_dwords_(max_dwords), executed_(executed) {}

    const Instruction& at(uint32_t pc) {
        if (pc < slots_.size() && slots_[pc]) [[likely]]
            return *slots_[pc];
        return decode_at(pc);
    }
    /// Whether the code is still what was decoded (drivers reuse memory of pipelines that are gone).
    bool is_current(const uint32_t* code, size_t max_dwords) const;
    /// FNV-1a over the bytes from the first instruction to the driver's end-of-code marks: what names this code.
    uint64_t fingerprint();

private:
    const Instruction& decode_at(uint32_t pc);

    Arch arch_;
    const uint32_t* code_;
    size_t max_dwords_;
    std::vector<std::unique_ptr<Instruction>> slots_;
    std::vector<uint32_t> seen_; ///< copy of the words decoded so far, by position
    std::set<const Opcode*>& executed_;
    uint64_t fingerprint_ = 0; ///< 0: not asked for yet
};

} // namespace vkinfer::rdna
