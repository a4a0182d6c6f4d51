#include "rdna/checks.h"

namespace vkinfer::rdna {

namespace {

constexpr const char* kCounterNames[] = {"vector load", "store", "LDS operation", "scalar load"};

void check_pending(const Wave& w, uint32_t pending, const char* kind, uint32_t r) {
    if (pending == 0) return;
    const uint32_t counter = pending & 3;
    if (pending >> 2 > w.completed[counter])
        fault("{}{} is used before its {} was waited for", kind, r, kCounterNames[counter]);
}

} // namespace

void check_not_pending(const Wave& w, const RegisterRange& range) {
    for (uint32_t r = range.first; r < uint32_t{range.first} + range.count; ++r) {
        if (range.scalar)
            check_pending(w, w.s_pending[r], "s", r);
        else
            check_pending(w, w.v_pending[r], "v", r);
    }
}

void check_read(const Wave& w, const RegisterRange& range, uint64_t lanes) {
    check_not_pending(w, range);
    for (uint32_t r = range.first; r < uint32_t{range.first} + range.count; ++r) {
        if (range.scalar) {
            if (!w.s_defined[r]) fault("s{} is read before anything was written to it", r);
        } else if ((w.v_defined[r] & lanes) != lanes) {
            fault("v{} is read in lanes {:#x} that nothing was written to", r, lanes & ~w.v_defined[r]);
        }
    }
}

void check_lanes(const Wave& w, const Operand& operand, uint64_t lanes) {
    if (w.group->check && operand.kind == OperandKind::vgpr) check_read(w, {operand.index, 1}, lanes);
}

void check_write(const Wave& w, const RegisterRange& range, std::optional<Counter> in_order_with) {
    for (uint32_t r = range.first; r < uint32_t{range.first} + range.count; ++r) {
        if (range.scalar)
            check_pending(w, w.s_pending[r], "s", r);
        else if (!in_order_with || (w.v_pending[r] & 3) != static_cast<uint32_t>(*in_order_with))
            check_pending(w, w.v_pending[r], "v", r);
    }
}

void check_before(const Wave& w, const Instruction& in) {
    const uint16_t flags = in.opcode->flags;
    if (flags & kMatrix) return;
    const uint64_t exec = w.exec();
    for (uint32_t i = 0; i < in.n_reads; ++i) {
        // Of another lane's register, the handler alone knows which lanes count.
        const bool other_lanes = !in.reads[i].scalar && ((flags & kCrossLane) || in.dpp);
        if (other_lanes)
            check_not_pending(w, in.reads[i]);
        else
            check_read(w, in.reads[i], exec);
    }
    // Loads of one kind return in order, so a second one may follow the first into a register at once.
    const Class cls = in.opcode->cls;
    std::optional<Counter> own;
    if (cls == Class::lds) own = Counter::ds;
    if (cls == Class::load || cls == Class::atomic) own = Counter::load;
    for (uint32_t i = 0; i < in.n_writes; ++i) check_write(w, in.writes[i], own);
}

void mark_written(Wave& w, const RegisterRange& range, uint64_t lanes) {
    for (uint32_t r = range.first; r < uint32_t{range.first} + range.count; ++r) {
        if (range.scalar)
            w.s_defined[r] = true;
        else
            w.v_defined[r] |= lanes;
    }
}

void mark_after(Wave& w, const Instruction& in, uint64_t lanes) {
    for (uint32_t i = 0; i < in.n_writes; ++i) {
        mark_written(w, in.writes[i], lanes);
        // A mask of wave64 fills two registers.
        if (in.writes[i].scalar && w.lanes == 64 && (in.opcode->flags & (kMaskDst | kCarry)))
            w.s_defined[in.writes[i].first + 1u] = true;
    }
}

} // namespace vkinfer::rdna
