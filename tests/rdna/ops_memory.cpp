// Vector memory: buffers through RADV's V#, global addresses, and a lane's own scratch. Loads are carried out at once;
// the registers they fill are marked until the wave has waited for them.
#include "rdna/checks.h"
#include "rdna/counters.h"
#include "rdna/lanes.h"
#include "rdna/tables.h"

#include <algorithm>

namespace vkinfer::rdna {

namespace {

using enum Format;

/// Per lane, where an access goes and how many bytes lie there before the buffer ends.
struct Places {
    uint64_t address[64];
    uint64_t room[64];
    uint64_t active = 0;
};

void buffer_places(const Wave& w, const Instruction& in, Places& places) {
    const uint32_t* v = &w.s[in.src[2].index];
    if (in.idxen || (v[3] >> 31)) fault("a structured buffer access is not handled");
    uint64_t base = v[0] | uint64_t{v[1] & 0xffff} << 32;
    if (base >> 47 & 1) base |= 0xffff000000000000ull;
    const uint64_t constant = static_cast<uint64_t>(int64_t{in.imm}) + read_scalar(w, in.sdst);
    for_lanes(places.active, [&](uint32_t l) {
        const uint64_t offset = constant + (in.offen ? w.v[in.src[0].index][l] : 0);
        places.address[l] = base + offset;
        places.room[l] = offset < v[2] ? v[2] - offset : 0;
    });
}

void global_places(const Wave& w, const Instruction& in, Places& places) {
    const bool has_base = in.src[2].index != kNull;
    const uint64_t base = (has_base ? w.pair(in.src[2].index) : 0) + static_cast<uint64_t>(int64_t{in.imm});
    const uint32_t* low = w.v[in.src[0].index];
    const uint32_t* high = has_base ? nullptr : w.v[in.src[0].index + 1];
    for_lanes(places.active, [&](uint32_t l) {
        places.address[l] = base + low[l] + (high ? uint64_t{high[l]} << 32 : 0);
        places.room[l] = ~uint64_t{0};
    });
}

/// Scratch has no addresses that anything else could use: those of a lane count from 0.
void scratch_places(const Wave& w, const Instruction& in, Places& places) {
    const uint64_t constant =
        static_cast<uint64_t>(int64_t{in.imm}) + (in.src[2].index != kNull ? w.s[in.src[2].index] : 0);
    for_lanes(places.active, [&](uint32_t l) {
        places.address[l] = constant + (in.offen ? w.v[in.src[0].index][l] : 0);
        places.room[l] = ~uint64_t{0};
    });
}

void find_places(const Wave& w, const Instruction& in, Places& places) {
    places.active = w.exec();
    if (in.opcode->format == buffer)
        buffer_places(w, in, places);
    else if (in.opcode->format == scratch)
        scratch_places(w, in, places);
    else
        global_places(w, in, places);
}

std::byte* locate(Wave& w, const Instruction& in, const Places& places, uint32_t lane, uint32_t offset,
                  uint32_t bytes) {
    const uint64_t room = places.room[lane];
    if (room < offset + uint64_t{bytes}) {
        const bool is_read = in.opcode->cls == Class::load;
        if (is_read) ++w.group->reads_beyond;
        if (w.group->check && (!is_read || w.group->strict_reads))
            fault("lane {}: {} reaches {} bytes beyond the end of its buffer", lane, in.opcode->name,
                  offset + uint64_t{bytes} - room);
        return nullptr; // reads give 0, writes are dropped
    }
    const uint64_t address = places.address[lane] + offset;
    if (in.opcode->format == scratch) {
        if (address + bytes > w.scratch_bytes)
            fault("lane {}: {} at {} of {} bytes of scratch", lane, in.opcode->name, address, w.scratch_bytes);
        return w.scratch.data() + size_t{lane} * w.scratch_bytes + address;
    }
    std::byte* host = w.group->memory->find(address, bytes);
    if (host == nullptr) fault("lane {}: {} at {:#x}, where nothing is mapped", lane, in.opcode->name, address);
    return host;
}

void count(Wave& w, const Places& places, uint32_t bytes, bool is_store) {
    if (w.group->counters == nullptr) return;
    uint64_t addresses[64];
    size_t n = 0;
    for_lanes(places.active, [&](uint32_t l) { addresses[n++] = places.address[l]; });
    if (n == 0) return;
    if (is_store)
        w.group->counters->store({addresses, n}, bytes);
    else
        w.group->counters->load({addresses, n}, bytes);
}

void load(Wave& w, const Instruction& in) {
    const MemoryShape& shape = in.opcode->memory;
    Places places;
    find_places(w, in, places);
    const uint32_t r = in.dst.index;
    for_lanes(places.active, [&](uint32_t l) {
        if (shape.bytes >= 4) {
            // Buffers are range-checked by dword.
            if (places.room[l] >= shape.bytes) {
                const std::byte* host = locate(w, in, places, l, 0, shape.bytes);
                for (uint32_t d = 0; d < shape.bytes / 4u; ++d) std::memcpy(&w.v[r + d][l], host + 4 * d, 4);
            } else {
                for (uint32_t d = 0; d < shape.bytes / 4u; ++d) {
                    const std::byte* host = locate(w, in, places, l, 4 * d, 4);
                    uint32_t value = 0;
                    if (host) std::memcpy(&value, host, 4);
                    w.v[r + d][l] = value;
                }
            }
            return;
        }
        uint32_t value = 0;
        if (const std::byte* host = locate(w, in, places, l, 0, shape.bytes)) std::memcpy(&value, host, shape.bytes);
        put_narrow(w.v[r][l], value, shape);
    });
    count(w, places, shape.bytes, false);
    const uint32_t sequence = ++w.issued[static_cast<size_t>(Counter::load)];
    mark_pending(w, r, (shape.bytes + 3u) / 4, Counter::load, sequence);
}

/// Loads a tile of 16x16 elements and turns it into a matrix operand: 32 lanes (the lower half of a wave of 64) each
/// give the address of eight elements side by side in one row, and every lane gets the rows of its group in one column.
/// Lanes of the same eight columns lie 8 (16 bits) or 4 (8 bits) beside each other.
template<class T>
void load_transposed(Wave& w, const Instruction& in) {
    if (w.exec() != w.all_lanes()) fault("{} with lanes switched off", in.opcode->name);
    Places places;
    find_places(w, in, places);
    places.active &= 0xffffffff;
    for (uint32_t i = 0; i < in.n_reads && w.group->check; ++i) check_read(w, in.reads[i], places.active);
    T loaded[32][8];
    for_lanes(places.active, [&](uint32_t l) {
        std::memcpy(loaded[l], locate(w, in, places, l, 0, sizeof loaded[l]), sizeof loaded[l]);
    });
    count(w, places, sizeof loaded[0], false);

    constexpr uint32_t kPer = 4 / sizeof(T), kBits = 8 * sizeof(T), kRows = 4 * sizeof(T);
    const uint32_t n_elements = 256 / w.lanes;
    const RegisterRange written{in.dst.index, static_cast<uint8_t>(n_elements / kPer)};
    if (w.group->check) check_write(w, written, Counter::load);
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t column = l % 16;
        for (uint32_t e = 0; e < n_elements; ++e) {
            const uint32_t k = fragment_row(w.lanes, l / 16, e);
            const uint32_t from = k / kRows * 2 * kRows + column / 8 * kRows + k % kRows;
            uint32_t& to = w.v[in.dst.index + e / kPer][l];
            to = (e % kPer == 0 ? 0 : to) | uint32_t{loaded[from][column % 8]} << kBits * (e % kPer);
        }
    }
    mark_written(w, written, w.all_lanes());
    mark_pending(w, written.first, written.count, Counter::load, ++w.issued[static_cast<size_t>(Counter::load)]);
}
/// Registers depend on the size of the wave, so the handler checks its own.
template<class T>
consteval Opcode transposed(std::string_view name, int op) {
    return plain_op(name, global, -1, op, load_transposed<T>, Class::load, {}, {kU64, {}, kU64}, kCrossLane);
}

void store(Wave& w, const Instruction& in) {
    const MemoryShape& shape = in.opcode->memory;
    Places places;
    find_places(w, in, places);
    const uint32_t r = in.src[1].index;
    for_lanes(places.active, [&](uint32_t l) {
        if (shape.bytes >= 4) {
            for (uint32_t d = 0; d < shape.bytes / 4u; ++d)
                if (std::byte* host = locate(w, in, places, l, 4 * d, 4)) std::memcpy(host, &w.v[r + d][l], 4);
            return;
        }
        const uint32_t value = shape.high ? w.v[r][l] >> 16 : w.v[r][l];
        if (std::byte* host = locate(w, in, places, l, 0, shape.bytes)) std::memcpy(host, &value, shape.bytes);
    });
    count(w, places, shape.bytes, true);
    ++w.issued[static_cast<size_t>(Counter::store)];
}

/// memory = F(memory, data); the old value is returned where the instruction asks for it.
template<class T, auto F>
void atomic(Wave& w, const Instruction& in) {
    Places places;
    find_places(w, in, places);
    const uint32_t r = in.src[1].index;
    constexpr bool k64 = sizeof(T) == 8;
    for_lanes(places.active, [&](uint32_t l) {
        std::byte* host = locate(w, in, places, l, 0, sizeof(T));
        T old{};
        if (host) std::memcpy(&old, host, sizeof(T));
        const uint64_t bits = w.v[r][l] | (k64 ? uint64_t{w.v[r + 1][l]} << 32 : 0);
        const T made = F(old, from_bits<T>(bits));
        if (host) std::memcpy(host, &made, sizeof(T));
        if (!in.glc) return;
        if constexpr (k64) {
            const auto o = std::bit_cast<uint64_t>(old);
            w.v[in.dst.index][l] = static_cast<uint32_t>(o);
            w.v[in.dst.index + 1][l] = static_cast<uint32_t>(o >> 32);
        } else {
            w.v[in.dst.index][l] = std::bit_cast<uint32_t>(old);
        }
    });
    count(w, places, sizeof(T), true);
    if (in.glc)
        mark_pending(w, in.dst.index, sizeof(T) / 4, Counter::load, ++w.issued[static_cast<size_t>(Counter::load)]);
    else
        ++w.issued[static_cast<size_t>(Counter::store)];
}
void compare_swap(Wave& w, const Instruction& in) { // data: new value, then what it is compared with
    Places places;
    find_places(w, in, places);
    for_lanes(places.active, [&](uint32_t l) {
        std::byte* host = locate(w, in, places, l, 0, 4);
        uint32_t old = 0;
        if (host) std::memcpy(&old, host, 4);
        if (host && old == w.v[in.src[1].index + 1][l]) std::memcpy(host, &w.v[in.src[1].index][l], 4);
        if (in.glc) w.v[in.dst.index][l] = old;
    });
    if (in.glc)
        mark_pending(w, in.dst.index, 1, Counter::load, ++w.issued[static_cast<size_t>(Counter::load)]);
    else
        ++w.issued[static_cast<size_t>(Counter::store)];
}

/// Rows of buffer_ and global_ share their numbers; operands differ.
consteval Opcode access(std::string_view name, Format format, int op, MemoryShape shape, bool is_store) {
    const OperandType data{static_cast<uint8_t>(shape.bytes < 4 ? 4 : shape.bytes), false};
    const OperandType address = format == global ? kU64 : kU32;
    const OperandType base = format == buffer ? OperandType{16} : format == global ? kU64 : kU32;
    Opcode row = plain_op(name, format, op, op, is_store ? store : load, is_store ? Class::store : Class::load,
                          is_store ? OperandType{} : data, {address, is_store ? data : OperandType{}, base});
    row.memory = shape;
    return row;
}
consteval Opcode atomic_op(std::string_view name, Format format, int op, Handler handler, uint8_t bytes,
                           uint8_t data_bytes) {
    const OperandType address = format == buffer ? kU32 : kU64, base = format == buffer ? OperandType{16} : kU64;
    return plain_op(name, format, op, op, handler, Class::atomic, {bytes}, {address, OperandType{data_bytes}, base});
}

#define VKINFER_ACCESSES(prefix, format)                                                                               \
    access(prefix "load_u8", format, 16, {.bytes = 1}, false),                                                         \
        access(prefix "load_i8", format, 17, {.bytes = 1, .is_signed = true}, false),                                  \
        access(prefix "load_u16", format, 18, {.bytes = 2}, false),                                                    \
        access(prefix "load_i16", format, 19, {.bytes = 2, .is_signed = true}, false),                                 \
        access(prefix "load_b32", format, 20, {.bytes = 4}, false),                                                    \
        access(prefix "load_b64", format, 21, {.bytes = 8}, false),                                                    \
        access(prefix "load_b96", format, 22, {.bytes = 12}, false),                                                   \
        access(prefix "load_b128", format, 23, {.bytes = 16}, false),                                                  \
        access(prefix "store_b8", format, 24, {.bytes = 1}, true),                                                     \
        access(prefix "store_b16", format, 25, {.bytes = 2}, true),                                                    \
        access(prefix "store_b32", format, 26, {.bytes = 4}, true),                                                    \
        access(prefix "store_b64", format, 27, {.bytes = 8}, true),                                                    \
        access(prefix "store_b96", format, 28, {.bytes = 12}, true),                                                   \
        access(prefix "store_b128", format, 29, {.bytes = 16}, true),                                                  \
        access(prefix "load_d16_u8", format, 30, {.bytes = 1, .d16 = true}, false),                                    \
        access(prefix "load_d16_i8", format, 31, {.bytes = 1, .is_signed = true, .d16 = true}, false),                 \
        access(prefix "load_d16_b16", format, 32, {.bytes = 2, .d16 = true}, false),                                   \
        access(prefix "load_d16_hi_u8", format, 33, {.bytes = 1, .d16 = true, .high = true}, false),                   \
        access(prefix "load_d16_hi_i8", format, 34, {.bytes = 1, .is_signed = true, .d16 = true, .high = true},        \
               false),                                                                                                 \
        access(prefix "load_d16_hi_b16", format, 35, {.bytes = 2, .d16 = true, .high = true}, false),                  \
        access(prefix "store_d16_hi_b8", format, 36, {.bytes = 1, .high = true}, true),                                \
        access(prefix "store_d16_hi_b16", format, 37, {.bytes = 2, .high = true}, true)
#define VKINFER_ATOMICS(prefix, format)                                                                                \
    atomic_op(prefix "atomic_swap_b32", format, 51, atomic<uint32_t, [](uint32_t, uint32_t b) { return b; }>, 4, 4),   \
        atomic_op(prefix "atomic_cmpswap_b32", format, 52, compare_swap, 4, 8),                                        \
        atomic_op(prefix "atomic_add_u32", format, 53, atomic<uint32_t, [](uint32_t a, uint32_t b) { return a + b; }>, \
                  4, 4),                                                                                               \
        atomic_op(prefix "atomic_sub_u32", format, 54, atomic<uint32_t, [](uint32_t a, uint32_t b) { return a - b; }>, \
                  4, 4),                                                                                               \
        atomic_op(prefix "atomic_min_i32", format, 56,                                                                 \
                  atomic<int32_t, [](int32_t a, int32_t b) { return std::min(a, b); }>, 4, 4),                         \
        atomic_op(prefix "atomic_min_u32", format, 57,                                                                 \
                  atomic<uint32_t, [](uint32_t a, uint32_t b) { return std::min(a, b); }>, 4, 4),                      \
        atomic_op(prefix "atomic_max_i32", format, 58,                                                                 \
                  atomic<int32_t, [](int32_t a, int32_t b) { return std::max(a, b); }>, 4, 4),                         \
        atomic_op(prefix "atomic_max_u32", format, 59,                                                                 \
                  atomic<uint32_t, [](uint32_t a, uint32_t b) { return std::max(a, b); }>, 4, 4),                      \
        atomic_op(prefix "atomic_and_b32", format, 60, atomic<uint32_t, [](uint32_t a, uint32_t b) { return a & b; }>, \
                  4, 4),                                                                                               \
        atomic_op(prefix "atomic_or_b32", format, 61, atomic<uint32_t, [](uint32_t a, uint32_t b) { return a | b; }>,  \
                  4, 4),                                                                                               \
        atomic_op(prefix "atomic_xor_b32", format, 62, atomic<uint32_t, [](uint32_t a, uint32_t b) { return a ^ b; }>, \
                  4, 4),                                                                                               \
        atomic_op(prefix "atomic_add_u64", format, 67, atomic<uint64_t, [](uint64_t a, uint64_t b) { return a + b; }>, \
                  8, 8),                                                                                               \
        atomic_op(prefix "atomic_max_u64", format, 72,                                                                 \
                  atomic<uint64_t, [](uint64_t a, uint64_t b) { return std::max(a, b); }>, 8, 8),                      \
        atomic_op(prefix "atomic_add_f32", format, 86, atomic<float, [](float a, float b) { return a + b; }>, 4, 4)

void nothing(Wave&, const Instruction&) {}

constexpr Opcode kRows[] = {
    VKINFER_ACCESSES("buffer_", buffer),
    VKINFER_ATOMICS("buffer_", buffer),
    VKINFER_ACCESSES("global_", global),
    VKINFER_ATOMICS("global_", global),
    VKINFER_ACCESSES("scratch_", scratch),
    transposed<uint16_t>("global_load_tr_b128", 87),
    transposed<uint8_t>("global_load_tr_b64", 88),
    plain_op("global_inv", global, -1, 43, nothing, Class::other),
    plain_op("global_wb", global, -1, 44, nothing, Class::other),
    plain_op("global_wbinv", global, -1, 79, nothing, Class::other),
};

} // namespace

std::span<const Opcode> memory_rows() {
    return kRows;
}

} // namespace vkinfer::rdna
