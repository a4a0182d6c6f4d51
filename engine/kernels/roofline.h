// What a device gives at most, measured by kernels that do nothing else: the roofs that achieved rates are shares of.
#pragma once

#include <cstdint>
#include <string>

namespace vkinfer::gpu {
class Device;
}

namespace vkinfer::kernels {

class PipelineStore;
struct Policy;

/// Per second, each the best of several runs; 0 where the device has no such thing.
struct Roofline {
    double read_bytes = 0;
    double copy_bytes = 0; ///< read and written, both counted
    double f32_flops = 0;
    double f16_matrix_flops = 0; ///< cooperative matrices, f32 sums
    double s8_matrix_flops = 0;  ///< cooperative matrices, s32 sums
    double s8_dot_flops = 0;     ///< packed dot products
    uint64_t buffer_bytes = 0;   ///< that reading and copying went over

    /// The better of reading and copying: what decoding can reach.
    double bytes() const { return read_bytes > copy_bytes ? read_bytes : copy_bytes; }
};

/// Takes about a second and up to 1 GiB of device memory for that time. Throws Error.
Roofline measure_roofline(gpu::Device& device, PipelineStore& pipelines, const Policy& policy);

/// "copy 31.2 GB/s, read ..., f32 ...": one line.
std::string describe(const Roofline& roofline);

} // namespace vkinfer::kernels
