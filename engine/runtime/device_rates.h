// What devices are taken to reach, for predictions: one table, and where each row comes from. Only a row that says so
// was measured with vkinfer; the others are data sheets and other people's measurements times stated shares.
#pragma once

#include "memory/profile.h"

#include <span>
#include <string_view>

namespace vkinfer::runtime {

struct DeviceRates {
    const char* name;       ///< "Strix Halo"
    const char* match;      ///< a part of the device's name in profiles
    bool is_measured;       ///< with vkinfer, on such a device
    double bytes;           ///< per second that mat-vec streams weights at
    double matrix_flops;    ///< per second of products on cooperative matrices, weights decoded; 0: none
    double alu_flops;       ///< per second of products without them, once weights are decoded
    double weights;         ///< per second that mat-vec kernels decode, each for up to 8 columns at once
    double attention_flops; ///< per second of attention over many query rows
    double dispatch_ns;     ///< of a dispatch beside its work
    double barrier_ns;      ///< of a barrier: the drain before it and the start after it
    double step_ns;         ///< of a submission with its wait
    // Where kernel_counts.h has rows for the chip's code, they take the place of the rates of arithmetic.
    const char* chip = nullptr; ///< "gfx1201"
    uint32_t compute_units = 0; ///< of two SIMDs
    double clock_hz = 0;        ///< nominal, times the share that is kept under load
    const char* source;
};

std::span<const DeviceRates> known_device_rates();
/// The row for a device, scaled to its number of CPU threads where that is what it runs on; throws Error{not_found}
/// with the names of the known ones.
DeviceRates device_rates(const memory::DeviceProfile& profile);

} // namespace vkinfer::runtime
