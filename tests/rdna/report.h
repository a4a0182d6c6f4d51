// What the kernels of a program did, summed up by kernel: for VKINFER_RDNA=count, and as JSON for programs.
#pragma once

#include "rdna/model.h"

#include <cstdint>
#include <map>
#include <string>

namespace vkinfer::rdna {

class Report {
public:
    /// `code`: Machine::fingerprint of the kernel. The chip may be one without a row in the model, which then says
    /// nothing.
    void add(const Dispatch& dispatch, uint64_t code, const Counters& counters, const Chip* chip);
    void clear() { kernels_.clear(); }
    bool is_empty() const { return kernels_.empty(); }

    /// One line per kernel, the one with most instructions first.
    std::string text() const;
    /// {"chip": ..., "constants": [...], "kernels": [...]}; kernels are named by the hash of their code.
    std::string json(const Chip* chip) const;

private:
    struct Kernel {
        Dispatch last; ///< registers, LDS and lanes are the same for all of them
        uint64_t n_dispatches = 0;
        uint32_t occupancy = 0;
        Counters counters;
        Estimate estimate; ///< sums over dispatches
        double clocks = 0; ///< of the unit that bounds each dispatch
    };
    std::map<uint64_t, Kernel> kernels_;
};

} // namespace vkinfer::rdna
