#include "rdna/command_processor.h"

#include <algorithm>

namespace vkinfer::rdna {

namespace {

// PM4 type 3 opcodes, of those that RADV uses for compute.
enum : uint32_t {
    kNop = 0x10,
    kSetBase = 0x11,
    kClearState = 0x12,
    kDispatchDirect = 0x15,
    kDispatchIndirect = 0x16,
    kSetPredication = 0x20,
    kContextControl = 0x28,
    kWriteData = 0x37,
    kWaitRegMem = 0x3c,
    kIndirectBuffer = 0x3f,
    kCopyData = 0x40,
    kPfpSyncMe = 0x42,
    kEventWrite = 0x46,
    kReleaseMem = 0x49,
    kDmaData = 0x50,
    kAcquireMem = 0x58,
    kLoadShRegIndex = 0x63,
    kSetContextReg = 0x69,
    kSetShReg = 0x76,
    kSetUconfigReg = 0x79,
    kSetShRegIndex = 0x9b,
    kSetShRegPairs = 0xba,
    kSetContextRegPairs = 0xb8,
    kSetContextRegPairsPacked = 0xb9,
    kSetShRegPairsPacked = 0xbd,
    kSetUconfigRegPairs = 0xbe,
};

// Compute registers, in dwords from 0xb000.
enum : uint32_t {
    kStartX = 0x204,
    kNumThreadX = 0x207,
    kPgmLo = 0x20c,
    kPgmHi = 0x20d,
    kRsrc1 = 0x212,
    kRsrc2 = 0x213,
    kTmpringSize = 0x218,
    kUserData0 = 0x240,
};

// Bits of the dispatch initiator.
constexpr uint32_t kForceStartAt0 = 4, kUseThreadDimensions = 32, kWave32 = 0x8000;
constexpr uint32_t kCsPartialFlush = 7;
constexpr uint32_t kLdsGranularity = 512, kScratchGranularity = 256;

uint32_t bits(uint32_t word, int high, int low) {
    return word >> low & ((uint64_t{1} << (high - low + 1)) - 1);
}
uint64_t address_of(uint32_t low, uint32_t high) {
    const uint64_t address = low | uint64_t{high} << 32;
    return address >> 47 & 1 ? address | 0xffff000000000000ull : address;
}

} // namespace

void CommandProcessor::run(uint64_t address, uint32_t n_bytes) {
    run_buffer(address, n_bytes);
    flush();
}

void CommandProcessor::run_buffer(uint64_t address, uint32_t n_bytes) {
    while (n_bytes != 0) {
        const auto* words = reinterpret_cast<const uint32_t*>(memory_.at(address, n_bytes, "command fetch"));
        const uint32_t n = n_bytes / 4;
        n_bytes = 0;
        for (uint32_t i = 0; i < n;) {
            const uint32_t header = words[i];
            if (header >> 30 == 2) { // filler
                ++i;
                continue;
            }
            if (header >> 30 != 3) fault("command {:08x} at dword {} is no type 3 packet", header, i);
            // A NOP with all count bits set is a single dword.
            const uint32_t count = bits(header, 29, 16);
            const uint32_t size = bits(header, 15, 8) == kNop && count == 0x3fff ? 0 : count + 1;
            if (i + 1 + size > n) fault("packet {:08x} reaches beyond the end of its buffer", header);
            chained_bytes_ = 0;
            run_packet(bits(header, 15, 8), words + i + 1, size);
            i += 1 + size;
            if (chained_bytes_ != 0) {
                address = chained_address_;
                n_bytes = chained_bytes_;
                break;
            }
        }
    }
    chained_bytes_ = 0; // of a buffer that returns to one that goes on
}

void CommandProcessor::set_registers(uint32_t first, const uint32_t* values, uint32_t n) {
    for (uint32_t i = 0; i < n; ++i)
        if (first + i < registers_.size()) registers_[first + i] = values[i];
}

/// Values for consecutive registers out of memory: what gl_NumWorkGroups of an indirect dispatch is made of.
void CommandProcessor::load_registers(const uint32_t* body) {
    const uint32_t mode = bits(body[0], 1, 0), first = body[2] & 0xffff, n = bits(body[3], 13, 0);
    if (mode != 0 || bits(body[2], 31, 31)) fault("LOAD_SH_REG_INDEX with offsets or pairs is not handled");
    if (first + n > registers_.size()) fault("LOAD_SH_REG_INDEX to registers {} to {}", first, first + n);
    const uint64_t at = address_of(body[0] & ~3u, body[1]);
    std::memcpy(&registers_[first], memory_.at(at, uint64_t{n} * 4, "register load"), uint64_t{n} * 4);
}

void CommandProcessor::run_packet(uint32_t opcode, const uint32_t* body, uint32_t n) {
    switch (opcode) {
    case kNop:
    case kClearState:
    case kContextControl:
    case kPfpSyncMe:
    case kAcquireMem:
    case kSetContextReg:
    case kSetUconfigReg:
    case kSetContextRegPairs:
    case kSetContextRegPairsPacked:
    case kSetUconfigRegPairs:
    case kWaitRegMem: // one queue, in order: what it waits for has happened
        return;
    case kSetShReg:
    case kSetShRegIndex:
        return set_registers(body[0] & 0xffff, body + 1, n - 1);
    case kSetShRegPairs:
        for (uint32_t i = 0; i + 1 < n; i += 2) set_registers(body[i] & 0xffff, body + i + 1, 1);
        return;
    case kSetShRegPairsPacked:
        for (uint32_t i = 1; i + 2 < n + 0u; i += 3) {
            set_registers(body[i] & 0xffff, body + i + 1, 1);
            set_registers(body[i] >> 16, body + i + 2, 1);
        }
        return;
    case kLoadShRegIndex:
        flush(); // the values may have been written just now
        return load_registers(body);
    case kSetBase:
        indirect_base_ = address_of(body[1], body[2]);
        return;
    case kDispatchDirect:
        return dispatch({body[0], body[1], body[2]}, body[3]);
    case kDispatchIndirect: {
        const bool has_address = n == 3;
        const uint64_t at = has_address ? address_of(body[0], body[1]) : indirect_base_ + body[0];
        flush(); // the sizes may have been written just now
        std::array<uint32_t, 3> dims{};
        std::memcpy(dims.data(), memory_.at(at, sizeof dims, "indirect dispatch"), sizeof dims);
        return dispatch(dims, body[n - 1]);
    }
    case kIndirectBuffer: {
        const uint64_t at = address_of(body[0], body[1]);
        const uint32_t bytes = bits(body[2], 19, 0) * 4;
        if (!bits(body[2], 20, 20)) return run_buffer(at, bytes);
        chained_address_ = at;
        chained_bytes_ = bytes;
        return;
    }
    case kEventWrite:
        if (bits(body[0], 5, 0) == kCsPartialFlush) flush();
        return;
    case kWriteData:
        flush();
        for (uint32_t i = 3; i < n; ++i) {
            const uint64_t step = bits(body[0], 16, 16) ? 0 : 4 * uint64_t{i - 3};
            write(address_of(body[1], body[2]) + step, &body[i], 4);
        }
        return;
    case kCopyData:
        flush();
        return copy_data(body);
    case kReleaseMem: {
        flush();
        const uint32_t select = bits(body[1], 31, 29);
        uint64_t value = body[4] | uint64_t{body[5]} << 32;
        if (select == 3) value = machine_.n_instructions(); // a clock that moves
        if (select != 0) write(address_of(body[2], body[3]), &value, select == 1 ? 4 : 8);
        return;
    }
    case kDmaData:
        flush();
        return dma(body);
    default:
        fault("packet opcode {:#x} is not handled", opcode);
    }
}

void CommandProcessor::write(uint64_t address, const void* data, uint64_t bytes) {
    std::memcpy(memory_.at(address, bytes, "command processor write"), data, bytes);
}

void CommandProcessor::dma(const uint32_t* body) {
    const uint32_t to = bits(body[0], 21, 20), from = bits(body[0], 30, 29), bytes = bits(body[5], 25, 0);
    if (bytes == 0 || to == 2) return; // a wait, or a prefetch into the cache
    if (to == 1 || from == 1) fault("DMA to or from GDS is not handled");
    std::byte* target = memory_.at(address_of(body[3], body[4]), bytes, "DMA write");
    if (from == 2) {
        for (uint32_t i = 0; i < bytes; i += 4) std::memcpy(target + i, &body[1], std::min(4u, bytes - i));
    } else {
        std::memmove(target, memory_.at(address_of(body[1], body[2]), bytes, "DMA read"), bytes);
    }
}

void CommandProcessor::copy_data(const uint32_t* body) {
    const uint32_t from = bits(body[0], 3, 0), to = bits(body[0], 11, 8), bytes = bits(body[0], 16, 16) ? 8 : 4;
    uint64_t value = 0;
    if (from == 1 || from == 2)
        std::memcpy(&value, memory_.at(address_of(body[1], body[2]), bytes, "command processor read"), bytes);
    else if (from == 5)
        value = body[1] | uint64_t{body[2]} << 32;
    else if (from == 9)
        value = machine_.n_instructions();
    else
        fault("COPY_DATA from {} is not handled", from);
    if (to == 1 || to == 2 || to == 5)
        write(address_of(body[3], body[4]), &value, bytes);
    else if (to == 0)
        set_registers(body[3] - 0x2c00, reinterpret_cast<const uint32_t*>(&value), bytes / 4);
    else
        fault("COPY_DATA to {} is not handled", to);
}

void CommandProcessor::dispatch(std::array<uint32_t, 3> dims, uint32_t initiator) {
    Dispatch d;
    const uint32_t rsrc1 = registers_[kRsrc1], rsrc2 = registers_[kRsrc2];
    if (!(initiator & kForceStartAt0) && (registers_[kStartX] | registers_[kStartX + 1] | registers_[kStartX + 2]) != 0)
        fault("a dispatch that does not start at group 0 is not handled");
    d.code = address_of(registers_[kPgmLo] << 8, registers_[kPgmHi] << 8 | registers_[kPgmLo] >> 24);
    for (size_t i = 0; i < 3; ++i) {
        d.threads[i] = bits(registers_[kNumThreadX + i], 15, 0);
        d.groups[i] = dims[i];
        if (initiator & kUseThreadDimensions) {
            d.groups[i] = (dims[i] + d.threads[i] - 1) / d.threads[i];
            d.last_threads[i] = dims[i] % d.threads[i];
        }
        if (d.groups[i] == 0) return;
    }
    d.lanes = initiator & kWave32 ? 32 : 64;
    d.n_user_data = std::min(bits(rsrc2, 5, 1), 16u);
    std::copy_n(&registers_[kUserData0], 16, d.user_data.begin());
    if (bits(rsrc2, 0, 0)) {
        const uint32_t wave = bits(registers_[kTmpringSize], arch_ == Arch::gfx12 ? 29 : 26, 12) * kScratchGranularity;
        d.scratch_bytes = wave / d.lanes;
    }
    // The register counts blocks of 8 registers of a wave32, of 4 of a wave64.
    d.vgprs = (bits(rsrc1, 5, 0) + 1) * (d.lanes == 64 ? 4 : 8);
    d.is_wgp = bits(rsrc1, 29, 29);
    d.group_id_x = bits(rsrc2, 7, 7);
    d.group_id_y = bits(rsrc2, 8, 8);
    d.group_id_z = bits(rsrc2, 9, 9);
    d.group_size = bits(rsrc2, 10, 10);
    d.lds_bytes = bits(rsrc2, 23, 15) * kLdsGranularity;
    d.flush_f32_denormals = bits(rsrc1, 17, 16) != 3;
    if (machine_.options().order == WaveOrder::forward) return execute(d);
    waiting_.push_back(d);
}

void CommandProcessor::execute(const Dispatch& d) {
    if (before_dispatch) before_dispatch(d);
    machine_.run(d);
    if (after_dispatch) after_dispatch(d);
}

void CommandProcessor::flush() {
    // Nothing orders dispatches between two barriers.
    const std::vector<Dispatch> now = std::move(waiting_);
    waiting_.clear();
    for (auto d = now.rbegin(); d != now.rend(); ++d) execute(*d);
}

} // namespace vkinfer::rdna
