// How a program that runs on the emulated GPU talks to it: it looks up vkinfer_rdna_api in the preloaded library.
#pragma once

#include "rdna/machine.h"

#include <cstdint>
#include <dlfcn.h>
#include <vector>

namespace vkinfer::rdna {

/// One dispatch that was counted (Options::count).
struct DispatchRecord {
    Dispatch dispatch;
    Counters counters;
    double seconds = 0; ///< that the interpreter took
};

struct RigApi {
    Options& (*options)();
    uint64_t (*n_faults)();
    const char* (*last_fault)();
    void (*forget_faults)(); ///< those that a test provoked
    std::vector<DispatchRecord>& (*records)();
    uint64_t (*n_instructions)();
};

/// The rig that this program runs on, or null.
inline RigApi* find_rig() {
    const auto get = reinterpret_cast<RigApi* (*)()>(dlsym(RTLD_DEFAULT, "vkinfer_rdna_api"));
    return get ? get() : nullptr;
}

} // namespace vkinfer::rdna
