// The engine as programs see it: one model on one device behind the Generator interface.
//
// create() loads everything and starts one thread, which owns the device and runs the scheduler. Programs that need the
// logits themselves (bench, logits) use a ModelRunner without an engine.
#pragma once

#include "base/log.h"
#include "runtime/load_progress.h"
#include "runtime/scheduler.h"
#include "runtime/types.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace vkinfer::runtime {

class StepProfile;

struct EngineOptions {
    std::filesystem::path model; ///< GGUF file, or the first of a split one; empty: default_model_path()
    std::string device;          ///< index, UUID or part of the name; empty: the best one
    int32_t n_ctx = 0;           ///< tokens one sequence can hold; 0: what the model was trained with
    int32_t n_ubatch = 512;      ///< tokens evaluated at once at most
    int32_t n_parallel = 1;      ///< sequences that run at the same time
    std::string type_k = "auto"; ///< tensor type of the K cache; auto: f16, or smaller where fitting needs that
    std::string type_v = "auto"; ///< tensor type of the V cache
    std::optional<bool> fit;     ///< less context or smaller K/V types where they do not fit; default: when n_ctx is 0
    bool allow_spill = false;    ///< weights may go to host memory beside a discrete card
    std::filesystem::path expert_stats;    ///< RunnerOptions::expert_stats
    std::string coopmat = "auto";          ///< cooperative matrices: auto, on, off
    std::string act = "auto";              ///< activations in matmuls: auto, f32, f16, q8
    std::string backend_sampling = "auto"; ///< tokens are chosen on the device: auto, on, off
    bool validation = false;               ///< run under the Vulkan validation layer
    bool count_experts = false;            ///< count how often each expert is chosen (ModelRunner::expert_load)
    bool tuned = true; ///< take the choices of vkinfer-bench --tune for this device, if there are any
    std::shared_ptr<StepProfile> profile; ///< when given, every dispatch is timed into it (runtime/step_profile.h)
    std::string alias;                    ///< name of the model towards clients; empty: the file's own
    std::string chat_template;            ///< Jinja text in place of the file's template; empty: the file's
    bool warm_up = true; ///< compile every pipeline now, so that the first request does not wait for it
    SchedulerOptions scheduling;
    Log log;
    LoadCallback progress; ///< on the caller's thread
};

/// What turns texts into tokens and back; the engine wraps text::Tokenizer and text::ChatTemplate in one, tests a toy.
class TextModel : public TokenTexts {
public:
    virtual std::vector<Token> tokenize(std::string_view text, bool add_special, bool parse_special) const = 0;
    virtual std::string detokenize(const std::vector<Token>& tokens, bool special) const = 0;
    virtual Result<std::string> apply_template(const ChatRequest& chat) const = 0;
};

class Engine final : public Generator {
public:
    /// Loads model, tokenizer and template and uploads the weights; throws Error.
    static std::unique_ptr<Engine> create(const EngineOptions& options);

    /// An engine over given parts, for tests.
    Engine(ModelInfo info, std::unique_ptr<TextModel> text, std::unique_ptr<ModelRunner> runner,
           const SchedulerOptions& scheduling);
    /// Cancels what still runs; every request gets its last event before this returns.
    ~Engine() override;
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    const ModelInfo& info() const override { return info_; }
    std::vector<Token> tokenize(std::string_view text, bool add_special, bool parse_special) const override;
    std::string detokenize(const std::vector<Token>& tokens, bool special) const override;
    Result<std::string> apply_template(const ChatRequest& chat) const override;
    Result<RequestId> submit(GenerationRequest request, EventHandler on_event) override;
    void cancel(RequestId id) override;
    Result<void> health() const override;

    /// Takes no further requests and waits until the running ones are done; false when they were not in time.
    bool drain(std::chrono::milliseconds timeout);

    SchedulerStats stats() const;
    /// Device, driver and the kernel paths in use, in one line.
    std::string describe() const { return description_; }

private:
    struct Worker;

    ModelInfo info_;
    std::unique_ptr<TextModel> text_;
    std::unique_ptr<ModelRunner> runner_;
    std::string description_;
    std::unique_ptr<Worker> worker_; ///< last: its thread uses all the others
};

/// A runner without an engine, for programs that need the logits themselves. `max_logits`: rows of one evaluation; 0:
/// one per sequence. Throws Error.
std::unique_ptr<ModelRunner> create_runner(const EngineOptions& options, int32_t max_logits = 0);

/// The demo model: share/vkinfer/vkinfer-demo.gguf of the installation that the executable belongs to, else the source
/// tree's. Throws Error{not_found} with both places when neither is there.
std::filesystem::path default_model_path();

} // namespace vkinfer::runtime
