// The parts of the opcode table, by file.
#pragma once

#include "rdna/isa.h"

#include <span>

namespace vkinfer::rdna {

std::span<const Opcode> scalar_rows();
std::span<const Opcode> vector_rows();
std::span<const Opcode> compare_rows();
std::span<const Opcode> lane_rows();
std::span<const Opcode> packed_rows();
std::span<const Opcode> float8_rows();
std::span<const Opcode> matrix_rows();
std::span<const Opcode> memory_rows();
std::span<const Opcode> lds_rows();

} // namespace vkinfer::rdna
