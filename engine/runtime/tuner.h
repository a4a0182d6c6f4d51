// Measures which tiles and waves suit the matrix products of a model on this device, and keeps the answers in a file
// per device, driver and set of shaders that later runs read. Results are compared: a candidate that computes something
// else than the policy's own choice is not taken, however fast.
#pragma once

#include "graph/graph.h"
#include "kernels/tuning.h"

#include <filesystem>
#include <functional>
#include <span>
#include <string>

namespace vkinfer::gpu {
class Device;
}
namespace vkinfer::kernels {
class PipelineStore;
}

namespace vkinfer::runtime {

struct TunedProduct {
    kernels::ProductKey key;
    kernels::ProductChoice choice;
    bool is_default = true;
    double default_us = 0; ///< of one product, median
    double best_us = 0;
    uint32_t n_candidates = 0;
    uint32_t n_wrong = 0; ///< candidates whose results differed
};

/// Tries the products of these graphs, whose weights must be loaded. All layers with the same shape run one after the
/// other, so that weights come from memory as they do in a step. `on_product` hears of each as it is done.
kernels::Tuning tune_products(gpu::Device& device, kernels::PipelineStore& pipelines, const kernels::Policy& policy,
                              std::span<const graph::Graph> graphs,
                              const std::function<void(const TunedProduct&)>& on_product);

/// Where the choices for a device lie; empty when there is no cache directory.
std::filesystem::path tuning_file(const gpu::Device& device);
/// Empty when nothing fits: no file, or one of another version.
kernels::Tuning load_tuning(const std::filesystem::path& file);
/// Replaces the file at once. Throws Error{io}.
void save_tuning(const std::filesystem::path& file, const kernels::Tuning& tuning);

} // namespace vkinfer::runtime
