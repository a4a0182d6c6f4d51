// The roofs of a device, measured before a model is loaded onto it.
#pragma once

#include "kernels/roofline.h"
#include "runtime/engine.h"

#include <string>

namespace vkinfer::runtime {

struct DeviceRoofline {
    std::string device; ///< name and driver
    kernels::Roofline roofline;
    bool uses_matrices = false; ///< products of these options run on cooperative matrices

    /// Of the kind of arithmetic that products run on.
    double flops() const { return uses_matrices ? roofline.f16_matrix_flops : roofline.f32_flops; }
};

/// On the device that `options` choose; takes about a second. Throws Error.
DeviceRoofline measure_device(const EngineOptions& options);

} // namespace vkinfer::runtime
