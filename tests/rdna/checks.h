// What hardware does not tell: registers that are used before anything was written to them, or before the load that
// fills them was waited for.
#pragma once

#include "rdna/wave.h"

#include <optional>

namespace vkinfer::rdna {

/// Before an instruction: its sources in the lanes of `lanes`, and pending loads of its sources and destinations.
void check_read(const Wave& w, const RegisterRange& range, uint64_t lanes);
void check_not_pending(const Wave& w, const RegisterRange& range);
/// A source of an exchange between lanes, of which the handler knows the lanes that are taken.
void check_lanes(const Wave& w, const Operand& operand, uint64_t lanes);
/// Registers that are written: nothing but an operation that returns in order with this one (same counter) may be
/// outstanding.
void check_write(const Wave& w, const RegisterRange& range, std::optional<Counter> in_order_with);
void check_before(const Wave& w, const Instruction& in);
/// After it: what is defined now.
void mark_written(Wave& w, const RegisterRange& range, uint64_t lanes);
void mark_after(Wave& w, const Instruction& in, uint64_t lanes);

/// The registers will be filled by the operation `sequence` of a counter.
inline void mark_pending(Wave& w, uint32_t first, uint32_t count, Counter counter, uint32_t sequence) {
    for (uint32_t r = first; r < first + count; ++r) w.v_pending[r] = sequence << 2 | static_cast<uint32_t>(counter);
}

} // namespace vkinfer::rdna
