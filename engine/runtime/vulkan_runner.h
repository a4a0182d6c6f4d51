// The ModelRunner on Vulkan: how programs and the engine ask for one.
#pragma once

#include "base/log.h"
#include "format/tensor_type.h"
#include "runtime/model_runner.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace vkinfer::runtime {

struct RunnerOptions {
    std::filesystem::path model; ///< GGUF file, or the first of a split one
    std::string device;          ///< index, UUID or part of the name; empty: the best one
    int32_t n_ctx = 0;           ///< tokens one sequence can hold; 0: what the model was trained with
    int32_t n_ubatch = 512;      ///< tokens of one evaluate() at most
    int32_t max_sequences = 1;
    int32_t max_logits = 0; ///< rows of logits of one evaluate() at most; 0: max_sequences
    format::TensorType type_k = format::TensorType::f16;
    format::TensorType type_v = format::TensorType::f16;
    std::string coopmat = "auto"; ///< auto, on, off
    std::string act = "auto";     ///< activations in matmuls: auto, f32, f16, q8
    bool validation = false;      ///< under the Vulkan validation layer
    Log log;
    std::function<void(float)> progress; ///< 0 .. 1 while loading
};

/// Loads the weights onto a device and compiles what evaluates them; throws Error.
std::unique_ptr<ModelRunner> create_vulkan_runner(const RunnerOptions& options);

} // namespace vkinfer::runtime
