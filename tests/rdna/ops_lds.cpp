// LDS: loads, stores, atomics and the lane exchanges that use its crossbar. Two accesses by different waves to one byte
// without a barrier between them, one of them a write, are an error, whatever order the waves ran in.
#include "rdna/checks.h"
#include "rdna/counters.h"
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <algorithm>

namespace vkinfer::rdna {

namespace {

using enum Format;

constexpr uint8_t kSeveral = 255, kAtomic = 254;
enum class Touch { read, write, atomic };

void touch(Wave& w, uint32_t address, uint32_t bytes, Touch kind) {
    Workgroup& g = *w.group;
    if (address + uint64_t{bytes} > g.lds_bytes)
        fault("LDS address {} of {} bytes is beyond its {} bytes", address, bytes, g.lds_bytes);
    if (!g.check) return;
    if (w.signalled) fault("LDS is used between the two halves of a barrier, which the race check does not order");
    for (uint32_t at = address; at < address + bytes;) {
        LdsCell& cell = g.lds_cells[at / 4];
        const uint32_t first = at % 4, n = std::min(4 - first, address + bytes - at);
        const auto mask = static_cast<uint8_t>(((1u << n) - 1) << first);
        if (cell.group != g.number) cell = {.group = g.number};
        const bool fresh_write = cell.write_epoch == g.epoch, fresh_read = cell.read_epoch == g.epoch;
        if (kind != Touch::write && (cell.defined & mask) != mask)
            fault("LDS bytes at {} are read before anything was written there", at);
        if (fresh_write && (cell.written & mask) && cell.writer != w.index &&
            !(kind == Touch::atomic && cell.writer == kAtomic))
            fault("wave {} {} LDS at {}, which wave {} wrote without a barrier between", w.index,
                  kind == Touch::read ? "reads" : "writes", at, cell.writer);
        if (kind != Touch::read && fresh_read && (cell.read & mask) && cell.reader != w.index)
            fault("wave {} writes LDS at {}, which wave {} reads without a barrier between", w.index, at, cell.reader);
        if (kind == Touch::read) {
            if (!fresh_read) cell.read = 0;
            cell.reader = fresh_read && cell.read && cell.reader != w.index ? kSeveral : w.index;
            cell.read_epoch = g.epoch;
            cell.read |= mask;
        } else {
            if (!fresh_write) cell.written = 0;
            cell.writer = kind == Touch::atomic ? kAtomic : w.index;
            cell.write_epoch = g.epoch;
            cell.written |= mask;
            cell.defined |= mask;
        }
        at += n;
    }
}

uint32_t next(Wave& w) {
    return ++w.issued[static_cast<size_t>(Counter::ds)];
}

void count(Wave& w, const Instruction& in, uint32_t bytes, int32_t offset) {
    if (w.group->counters == nullptr) return;
    uint32_t addresses[64];
    size_t n = 0;
    for_lanes(w.exec(), [&](uint32_t l) { addresses[n++] = w.v[in.src[0].index][l] + static_cast<uint32_t>(offset); });
    if (n > 0) w.group->counters->lds({addresses, n}, bytes);
}

void load(Wave& w, const Instruction& in) {
    const MemoryShape& shape = in.opcode->memory;
    Workgroup& g = *w.group;
    const uint32_t dwords = std::max(shape.bytes / 4u, 1u);
    // Addresses first: the destination may overlap the address register.
    Lanes base;
    std::memcpy(base, w.v[in.src[0].index], sizeof base);
    const auto one = [&](int32_t offset, uint32_t r) {
        for_lanes(w.exec(), [&](uint32_t l) {
            const uint32_t address = base[l] + static_cast<uint32_t>(offset);
            touch(w, address, shape.bytes, Touch::read);
            if (shape.bytes >= 4) {
                for (uint32_t d = 0; d < dwords; ++d) std::memcpy(&w.v[r + d][l], g.lds.data() + address + 4 * d, 4);
                return;
            }
            uint32_t value = 0;
            std::memcpy(&value, g.lds.data() + address, shape.bytes);
            put_narrow(w.v[r][l], value, shape);
        });
    };
    count(w, in, shape.bytes, in.imm);
    if (shape.two) count(w, in, shape.bytes, in.imm1);
    one(in.imm, in.dst.index);
    if (shape.two) one(in.imm1, in.dst.index + dwords);
    mark_pending(w, in.dst.index, shape.two ? 2 * dwords : dwords, Counter::ds, next(w));
}

void store(Wave& w, const Instruction& in) {
    const MemoryShape& shape = in.opcode->memory;
    Workgroup& g = *w.group;
    const auto one = [&](int32_t offset, uint32_t r) {
        for_lanes(w.exec(), [&](uint32_t l) {
            const uint32_t address = w.v[in.src[0].index][l] + static_cast<uint32_t>(offset);
            touch(w, address, shape.bytes, Touch::write);
            if (shape.bytes >= 4) {
                for (uint32_t d = 0; d < shape.bytes / 4u; ++d)
                    std::memcpy(g.lds.data() + address + 4 * d, &w.v[r + d][l], 4);
                return;
            }
            const uint32_t value = shape.high ? w.v[r][l] >> 16 : w.v[r][l];
            std::memcpy(g.lds.data() + address, &value, shape.bytes);
        });
    };
    count(w, in, shape.bytes, in.imm);
    if (shape.two) count(w, in, shape.bytes, in.imm1);
    one(in.imm, in.src[1].index);
    if (shape.two) one(in.imm1, in.src[2].index);
    next(w);
}

template<class T, auto F, bool kReturns>
void atomic(Wave& w, const Instruction& in) {
    Workgroup& g = *w.group;
    constexpr bool k64 = sizeof(T) == 8;
    count(w, in, sizeof(T), in.imm);
    for_lanes(w.exec(), [&](uint32_t l) {
        const uint32_t address = w.v[in.src[0].index][l] + static_cast<uint32_t>(in.imm);
        touch(w, address, sizeof(T), Touch::atomic);
        T old;
        std::memcpy(&old, g.lds.data() + address, sizeof(T));
        const uint64_t bits = w.v[in.src[1].index][l] | (k64 ? uint64_t{w.v[in.src[1].index + 1][l]} << 32 : 0);
        const T made = F(old, from_bits<T>(bits));
        std::memcpy(g.lds.data() + address, &made, sizeof(T));
        if constexpr (kReturns) {
            static_assert(!k64);
            w.v[in.dst.index][l] = std::bit_cast<uint32_t>(old);
        }
    });
    const uint32_t sequence = next(w);
    if (kReturns) mark_pending(w, in.dst.index, 1, Counter::ds, sequence);
}
template<bool kReturns>
void compare_store(Wave& w, const Instruction& in) { // data0: new value, data1: what it is compared with
    Workgroup& g = *w.group;
    for_lanes(w.exec(), [&](uint32_t l) {
        const uint32_t address = w.v[in.src[0].index][l] + static_cast<uint32_t>(in.imm);
        touch(w, address, 4, Touch::atomic);
        uint32_t old = 0;
        std::memcpy(&old, g.lds.data() + address, 4);
        if (old == w.v[in.src[2].index][l]) std::memcpy(g.lds.data() + address, &w.v[in.src[1].index][l], 4);
        if (kReturns) w.v[in.dst.index][l] = old;
    });
    const uint32_t sequence = next(w);
    if (kReturns) mark_pending(w, in.dst.index, 1, Counter::ds, sequence);
}

/// Adds the number of active lanes, or takes it off, and gives all of them the value before. RADV leaves M0, whose
/// upper half would be added to the offset, as it is: 0.
template<int kSign>
void append(Wave& w, const Instruction& in) {
    const auto address = static_cast<uint32_t>(in.imm);
    touch(w, address, 4, Touch::atomic);
    uint32_t old = 0;
    std::memcpy(&old, w.group->lds.data() + address, 4);
    const uint64_t exec = w.exec();
    const uint32_t made = old + static_cast<uint32_t>(kSign * std::popcount(exec));
    std::memcpy(w.group->lds.data() + address, &made, 4);
    for_lanes(exec, [&](uint32_t l) { w.v[in.dst.index][l] = old; });
    mark_pending(w, in.dst.index, 1, Counter::ds, next(w));
}

/// Lane l gets the data of lane address / 4. gfx11 does so within each half of a wave64.
template<bool kFetchInactive>
void bpermute(Wave& w, const Instruction& in) {
    const uint64_t exec = w.exec();
    const uint32_t span = w.group->arch == Arch::gfx11 ? 32 : w.lanes;
    check_lanes(w, in.src[0], exec);
    uint64_t taken = 0;
    Lanes result;
    for_lanes(exec, [&](uint32_t l) {
        const uint32_t from =
            (l & ~(span - 1)) | ((w.v[in.src[0].index][l] + static_cast<uint32_t>(in.imm)) / 4 & (span - 1));
        const bool valid = kFetchInactive || (exec >> from & 1);
        result[l] = valid ? w.v[in.src[1].index][from] : 0;
        if (valid) taken |= uint64_t{1} << from;
    });
    check_lanes(w, in.src[1], taken);
    write_lanes(w, in.dst.index, result, exec);
    mark_pending(w, in.dst.index, 1, Counter::ds, next(w));
}
void permute(Wave& w, const Instruction& in) {
    const uint64_t exec = w.exec();
    const uint32_t span = w.group->arch == Arch::gfx11 ? 32 : w.lanes;
    check_lanes(w, in.src[0], exec);
    check_lanes(w, in.src[1], exec);
    Lanes result{};
    for_lanes(exec, [&](uint32_t l) {
        const uint32_t to =
            (l & ~(span - 1)) | ((w.v[in.src[0].index][l] + static_cast<uint32_t>(in.imm)) / 4 & (span - 1));
        result[to] = w.v[in.src[1].index][l];
    });
    write_lanes(w, in.dst.index, result, exec);
    mark_pending(w, in.dst.index, 1, Counter::ds, next(w));
}
void swizzle(Wave& w, const Instruction& in) {
    const uint64_t exec = w.exec();
    const auto pattern = static_cast<uint32_t>(in.imm);
    if (pattern >= 0xc000) fault("ds_swizzle_b32 pattern {:#x} is not handled", pattern);
    Lanes result;
    const uint32_t* source = w.v[in.src[0].index];
    uint64_t taken = 0;
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t i = l & 31;
        const uint32_t from =
            (l & ~31u) | (pattern & 0x8000 ? (i & ~3u) | (pattern >> 2 * (i & 3) & 3)
                                           : ((i & (pattern & 31)) | (pattern >> 5 & 31)) ^ (pattern >> 10 & 31));
        result[l] = exec >> from & 1 ? source[from] : 0;
        if (exec >> l & exec >> from & 1) taken |= uint64_t{1} << from;
    }
    check_lanes(w, in.src[0], taken);
    write_lanes(w, in.dst.index, result, exec);
    mark_pending(w, in.dst.index, 1, Counter::ds, next(w));
}

consteval Opcode load_op(std::string_view name, int op, MemoryShape shape) {
    const auto bytes = static_cast<uint8_t>(std::max(shape.bytes, uint8_t{4}) * (shape.two ? 2 : 1));
    Opcode row = plain_op(name, ds, op, op, load, Class::lds, {bytes}, {kU32});
    row.memory = shape;
    return row;
}
consteval Opcode store_op(std::string_view name, int op, MemoryShape shape) {
    const OperandType data{std::max(shape.bytes, uint8_t{4})};
    Opcode row = plain_op(name, ds, op, op, store, Class::lds, {}, {kU32, data, shape.two ? data : OperandType{}});
    row.memory = shape;
    return row;
}
consteval Opcode atomic_op(std::string_view name, int op, Handler handler, bool returns, uint8_t bytes = 4) {
    return plain_op(name, ds, op, op, handler, Class::lds, returns ? OperandType{bytes} : OperandType{},
                    {kU32, OperandType{bytes}});
}

#define VKINFER_LDS_ATOMIC(name, suffix, op, T, expression)                                                            \
    atomic_op("ds_" name suffix, op, atomic<T, [](T a, T b) { return expression; }, false>, false),                    \
        atomic_op("ds_" name "rtn_" suffix, op + 32, atomic<T, [](T a, T b) { return expression; }, true>, true)

constexpr Opcode kRows[] = {
    store_op("ds_store_b32", 13, {.bytes = 4}),
    store_op("ds_store_2addr_b32", 14, {.bytes = 4, .two = 4}),
    store_op("ds_store_2addr_stride64_b32", 15, {.bytes = 4, .two = 256}),
    store_op("ds_store_b8", 30, {.bytes = 1}),
    store_op("ds_store_b16", 31, {.bytes = 2}),
    store_op("ds_store_b64", 77, {.bytes = 8}),
    store_op("ds_store_2addr_b64", 78, {.bytes = 8, .two = 8}),
    store_op("ds_store_2addr_stride64_b64", 79, {.bytes = 8, .two = 512}),
    store_op("ds_store_b8_d16_hi", 160, {.bytes = 1, .high = true}),
    store_op("ds_store_b16_d16_hi", 161, {.bytes = 2, .high = true}),
    store_op("ds_store_b96", 222, {.bytes = 12}),
    store_op("ds_store_b128", 223, {.bytes = 16}),
    load_op("ds_load_b32", 54, {.bytes = 4}),
    load_op("ds_load_2addr_b32", 55, {.bytes = 4, .two = 4}),
    load_op("ds_load_2addr_stride64_b32", 56, {.bytes = 4, .two = 256}),
    load_op("ds_load_i8", 57, {.bytes = 1, .is_signed = true}),
    load_op("ds_load_u8", 58, {.bytes = 1}),
    load_op("ds_load_i16", 59, {.bytes = 2, .is_signed = true}),
    load_op("ds_load_u16", 60, {.bytes = 2}),
    load_op("ds_load_b64", 118, {.bytes = 8}),
    load_op("ds_load_2addr_b64", 119, {.bytes = 8, .two = 8}),
    load_op("ds_load_2addr_stride64_b64", 120, {.bytes = 8, .two = 512}),
    load_op("ds_load_u8_d16", 162, {.bytes = 1, .d16 = true}),
    load_op("ds_load_u8_d16_hi", 163, {.bytes = 1, .d16 = true, .high = true}),
    load_op("ds_load_i8_d16", 164, {.bytes = 1, .is_signed = true, .d16 = true}),
    load_op("ds_load_i8_d16_hi", 165, {.bytes = 1, .is_signed = true, .d16 = true, .high = true}),
    load_op("ds_load_u16_d16", 166, {.bytes = 2, .d16 = true}),
    load_op("ds_load_u16_d16_hi", 167, {.bytes = 2, .d16 = true, .high = true}),
    load_op("ds_load_b96", 254, {.bytes = 12}),
    load_op("ds_load_b128", 255, {.bytes = 16}),
    VKINFER_LDS_ATOMIC("add_", "u32", 0, uint32_t, a + b),
    VKINFER_LDS_ATOMIC("sub_", "u32", 1, uint32_t, a - b),
    VKINFER_LDS_ATOMIC("min_", "i32", 5, int32_t, std::min(a, b)),
    VKINFER_LDS_ATOMIC("max_", "i32", 6, int32_t, std::max(a, b)),
    VKINFER_LDS_ATOMIC("min_", "u32", 7, uint32_t, std::min(a, b)),
    VKINFER_LDS_ATOMIC("max_", "u32", 8, uint32_t, std::max(a, b)),
    VKINFER_LDS_ATOMIC("and_", "b32", 9, uint32_t, (a & b)),
    VKINFER_LDS_ATOMIC("or_", "b32", 10, uint32_t, (a | b)),
    VKINFER_LDS_ATOMIC("xor_", "b32", 11, uint32_t, (a ^ b)),
    VKINFER_LDS_ATOMIC("min_", "f32", 18, float, (a < b || b != b ? a : b)),
    VKINFER_LDS_ATOMIC("max_", "f32", 19, float, (a > b || b != b ? a : b)),
    atomic_op("ds_add_f32", 21, atomic<float, [](float a, float b) { return a + b; }, false>, false),
    atomic_op("ds_add_rtn_f32", 121, atomic<float, [](float a, float b) { return a + b; }, true>, true),
    atomic_op("ds_storexchg_rtn_b32", 45, atomic<uint32_t, [](uint32_t, uint32_t b) { return b; }, true>, true),
    atomic_op("ds_add_u64", 64, atomic<uint64_t, [](uint64_t a, uint64_t b) { return a + b; }, false>, false, 8),
    plain_op("ds_cmpstore_b32", ds, 16, 16, compare_store<false>, Class::lds, {}, {kU32, kU32, kU32}),
    plain_op("ds_cmpstore_rtn_b32", ds, 48, 48, compare_store<true>, Class::lds, kU32, {kU32, kU32, kU32}),
    plain_op("ds_consume", ds, 61, 61, append<-1>, Class::lds, kU32, {}, kCrossLane),
    plain_op("ds_append", ds, 62, 62, append<1>, Class::lds, kU32, {}, kCrossLane),
    plain_op("ds_swizzle_b32", ds, 53, 53, swizzle, Class::lds, kU32, {kU32}, kCrossLane),
    plain_op("ds_permute_b32", ds, 178, 178, permute, Class::lds, kU32, {kU32, kU32}, kCrossLane),
    plain_op("ds_bpermute_b32", ds, 179, 179, bpermute<false>, Class::lds, kU32, {kU32, kU32}, kCrossLane),
    plain_op("ds_bpermute_fi_b32", ds, -1, 205, bpermute<true>, Class::lds, kU32, {kU32, kU32}, kCrossLane),
};

} // namespace

std::span<const Opcode> lds_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
