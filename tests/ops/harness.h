// Runs single ops on a device, exactly as plans run them, so that each can be held against a float64 reference.
#pragma once

#include "format/tensor_type.h"
#include "gpu/buffer.h"
#include "gpu/device.h"
#include "gpu/instance.h"
#include "kernels/codebooks.h"
#include "kernels/ops.h"
#include "kernels/pipeline_store.h"

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::test {

/// Random floats that do not depend on the library's distributions.
std::vector<float> random_floats(size_t n, uint32_t seed, float scale = 1.0f);

/// What a kernel that rounds to nearest makes of them.
std::vector<uint16_t> rounded_to_halves(std::span<const float> values);

/// sum (x - y)^2 / sum y^2 over float64.
double nmse(std::span<const float> x, std::span<const double> y);

/// The fragment map of RDNA3 for that of RDNA4, and the other way round: a fault to plant.
kernels::FragmentMap other_chips(const kernels::FragmentMap& map);

/// A matrix on the device and the values it stands for.
struct TestWeight {
    kernels::Weight weight;
    std::vector<float> values; ///< (n_rows, n_cols), decoded on the CPU
    gpu::Buffer buffer;
};

class OpHarness {
public:
    OpHarness();

    gpu::Device& device() { return device_; }
    const gpu::Capabilities& capabilities() const { return device_.capabilities(); }
    kernels::PipelineStore& pipelines() { return pipelines_; }
    /// The device's policy under these options.
    kernels::Policy policy(kernels::CoopmatMode coopmat = kernels::CoopmatMode::automatic,
                           kernels::ActivationMode act = kernels::ActivationMode::automatic);

    gpu::Buffer buffer(uint64_t size_bytes);
    template<class T>
    gpu::Buffer buffer(const std::vector<T>& values) {
        gpu::Buffer made = buffer(values.size() * sizeof(T));
        write(made, std::as_bytes(std::span(values)));
        return made;
    }
    void write(const gpu::Buffer& buffer, std::span<const std::byte> bytes);
    template<class T>
    std::vector<T> read(const gpu::Buffer& buffer, size_t n) {
        std::vector<T> values(n);
        read_bytes(buffer, std::as_writable_bytes(std::span(values)));
        return values;
    }

    /// Quantises random values on the CPU (or makes random blocks of types that nothing here writes), uploads the
    /// blocks as a file holds them and repacks them on the device.
    TestWeight weight(format::TensorType type, uint32_t n_rows, uint32_t n_cols, uint32_t seed);
    /// The same from given blocks.
    TestWeight weight_from_blocks(format::TensorType type, uint32_t n_rows, uint32_t n_cols,
                                  std::span<const std::byte> blocks);

    /// The rows of a repacked matrix, decoded by the dequantize kernel.
    std::vector<float> dequantise(const TestWeight& weight);

    /// Runs one op; operands in the op's order (an operand that is reached by address only may be null).
    void run(const kernels::Op& op, const std::vector<const gpu::Buffer*>& operands, const kernels::Policy& policy);
    /// Names of the shaders that the op becomes.
    static std::vector<std::string> shaders_of(const kernels::Op& op, const kernels::Policy& policy);

    /// Names of the shader variants that have been dispatched so far, sorted.
    std::vector<std::string> shaders_run() const;

    /// Faults that the rig of tests/rdna has reported since the last call, which are forgiven with it: a planted fault
    /// may show there as well. 0 on any other device.
    static uint64_t take_rig_faults();

    uint32_t validation_messages() const { return instance_.validation_message_count(); }

private:
    void read_bytes(const gpu::Buffer& buffer, std::span<std::byte> bytes);

    gpu::Instance instance_;
    gpu::Device device_;
    kernels::PipelineStore pipelines_;
    std::optional<kernels::FragmentMap> fragments_; ///< asked for once
    kernels::Codebooks codebooks_;
};

/// One device for all tests of a program.
OpHarness& harness();

} // namespace vkinfer::test
