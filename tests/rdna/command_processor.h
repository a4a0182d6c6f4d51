// Executes the command buffers that the driver submits (PM4 packets), as far as compute needs them.
#pragma once

#include "rdna/machine.h"

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace vkinfer::rdna {

class CommandProcessor {
public:
    CommandProcessor(Arch arch, AddressSpace& memory) : arch_(arch), memory_(memory), machine_(arch, memory) {}

    /// One indirect buffer. Throws Fault.
    void run(uint64_t address, uint32_t n_bytes);
    Machine& machine() { return machine_; }
    /// Called with every dispatch just before it runs, and after it.
    std::function<void(const Dispatch&)> before_dispatch, after_dispatch;

private:
    void run_buffer(uint64_t address, uint32_t n_bytes);
    void run_packet(uint32_t opcode, const uint32_t* body, uint32_t n);
    void set_registers(uint32_t first, const uint32_t* values, uint32_t n);
    void load_registers(const uint32_t* body);
    void dispatch(std::array<uint32_t, 3> dims, uint32_t initiator);
    void execute(const Dispatch& dispatch);
    void flush();
    void dma(const uint32_t* body);
    void copy_data(const uint32_t* body);
    void write(uint64_t address, const void* data, uint64_t bytes);

    Arch arch_;
    AddressSpace& memory_;
    Machine machine_;
    std::array<uint32_t, 0x400> registers_{}; ///< the SH registers from 0xb000 on, by dword
    std::vector<Dispatch> waiting_; ///< since the last barrier, when dispatches run in another order than recorded
    uint64_t indirect_base_ = 0;
    uint64_t chained_address_ = 0;
    uint32_t chained_bytes_ = 0;
};

} // namespace vkinfer::rdna
