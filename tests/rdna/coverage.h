// How much of the opcode table has run.
#pragma once

#include "rdna/isa.h"

#include <set>
#include <string>

namespace vkinfer::rdna {

/// One line on stderr: rows of this generation, those that ran, their share.
void print_coverage(Arch arch, const std::set<const Opcode*>& executed);
/// Adds "gfx12 VOP2 v_add_f32 run" for each row that ran, and the same with "known" for every row, to a file that
/// several programs write to; tests/rdna/sweep.py sums it up.
void append_coverage(const std::string& path, Arch arch, const std::set<const Opcode*>& executed,
                     std::string_view who = "run");

} // namespace vkinfer::rdna
