// The ModelRunner on a Vulkan device: weights, KV cache, and one recorded plan per shape of step.
#pragma once

#include "base/log.h"
#include "format/tensor_type.h"
#include "runtime/load_progress.h"
#include "runtime/model_runner.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace vkinfer::gpu {
class Device;
}
namespace vkinfer::kernels {
class PipelineStore;
class Tuning;
} // namespace vkinfer::kernels

namespace vkinfer::runtime {

struct MemoryDecision;
class StepProfile;
struct TunedProduct;

struct RunnerOptions {
    std::filesystem::path model; ///< GGUF file, or the first of a split one
    std::string device;          ///< index, UUID or part of the name; empty: the best one
    int32_t n_ctx = 0;           ///< tokens one sequence can hold; 0: what the model was trained with
    bool is_fit = false;         ///< less context, or smaller K/V types, where that much does not fit
    bool allow_spill = false;    ///< weights may go to host memory beside a discrete card
    int32_t n_ubatch = 512;      ///< tokens of one evaluate() at most
    int32_t max_sequences = 1;
    int32_t max_logits = 0;                   ///< rows of logits of one evaluate() at most; 0: max_sequences
    std::optional<format::TensorType> type_k; ///< nothing: f16, or what fits
    std::optional<format::TensorType> type_v;
    std::string coopmat = "auto";          ///< auto, on, off
    std::string act = "auto";              ///< activations in matmuls: auto, f32, f16, q8
    std::string backend_sampling = "auto"; ///< tokens are chosen on the device: auto, on, off
    bool validation = false;               ///< under the Vulkan validation layer
    bool count_experts = false;            ///< count how often each expert is chosen (expert_load)
    bool pipeline_cache = true;            ///< keep compiled pipelines under XDG_CACHE_HOME/vkinfer
    bool tuned = false;                    ///< take the choices of vkinfer-bench --tune from the cache directory
    bool capture_statistics = false;       ///< pipelines keep statistics and machine code (`vkinfer shaders`)
    Log log;
    LoadCallback progress;
    std::optional<bool> is_staged;        ///< copy before repacking; nothing: where device memory is a card's own
    std::filesystem::path expert_stats;   ///< how often each expert is chosen: spills the least chosen first
    uint32_t spilled_experts = 0;         ///< for tests: so many are spilled, wherever there is host memory or none
    bool shares_layers = false;           ///< for tests: all layers in the memory of one (weight_plan.h)
    int32_t submit_budget_ms = -1;        ///< estimated time of one submission at most; 0: no limit; -1: the driver's
    std::shared_ptr<StepProfile> profile; ///< when given, every dispatch is timed into it
    std::function<void(gpu::Device&)> on_device; ///< for tests: called with the new device before it is used
};

/// What tools may ask beyond evaluating.
class VulkanRunner : public ModelRunner {
public:
    /// Records and runs an empty step of every shape, so that no request waits for pipelines. Not between reserve() and
    /// evaluate() of a step: it overwrites the step's counters.
    virtual void warm_up() = 0;
    virtual kernels::PipelineStore& pipelines() = 0;
    virtual gpu::Device& device() = 0;
    /// Dispatches and barriers of a step of n_tokens of as many sequences as there are.
    virtual std::pair<uint32_t, uint32_t> plan_size(int32_t n_tokens) = 0;
    /// Measures what suits the products of this model here and uses it from now on; save_tuning() of runtime/tuner.h
    /// keeps it for later runs. Throws Error.
    virtual const kernels::Tuning& tune(const std::function<void(const TunedProduct&)>& on_product) = 0;
    /// Where everything was put, and the arithmetic behind it.
    virtual const MemoryDecision& memory() const = 0;
    /// Messages of the validation layer so far; 0 without it.
    virtual uint32_t validation_messages() const = 0;
};

/// Loads the weights onto a device; throws Error.
std::unique_ptr<VulkanRunner> create_vulkan_runner(const RunnerOptions& options);

} // namespace vkinfer::runtime
