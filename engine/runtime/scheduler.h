// Continuous batching: several requests share every evaluation of the model on one thread.
//
// One step takes one token of each sequence that is generating plus a chunk of the prompts that are still being read,
// so a long prompt never holds up the streams of others. A slot is one sequence of the ModelRunner; it keeps the tokens
// of its last request, and the next request with the same beginning (a chat's next turn) starts from there.
#pragma once

#include "base/log.h"
#include "runtime/model_runner.h"
#include "runtime/prefill_budget.h"
#include "runtime/sampler.h"
#include "runtime/types.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::runtime {

/// Turns the tokens of one answer into text; keeps back the bytes of a character that is not complete yet.
class AnswerDecoder {
public:
    virtual ~AnswerDecoder() = default;
    /// Appends the text that `token` completes: whole UTF-8 characters only.
    virtual void append(Token token, std::string& text) = 0;
    /// Appends what is left at the end of the answer, made valid UTF-8.
    virtual void finish(std::string& text) = 0;
    /// Text since the last call that belongs to the model's thoughts rather than to the answer.
    virtual std::string take_reasoning() { return {}; }
};

/// What the scheduler has to know of a vocabulary.
class TokenTexts {
public:
    virtual ~TokenTexts() = default;
    virtual bool is_end_of_generation(Token token) const = 0;
    /// All tokens for which is_end_of_generation() is true.
    virtual std::vector<Token> end_of_generation_tokens() const = 0;
    /// Tokens that are never to be sampled, by the model's own word.
    virtual std::vector<Token> suppressed_tokens() const = 0;
    /// `prompt`: what the answer follows; it stays valid during the call only.
    virtual std::unique_ptr<AnswerDecoder> answer_decoder(std::span<const Token> prompt) const = 0;
};

struct SchedulerOptions {
    int32_t max_queue = 256;     ///< requests that may wait for a slot; more are refused
    int32_t prefill_chunk = 0;   ///< prompt tokens of a step while others generate; 0: by the time that they take
    double target_step_ms = 100; ///< with prefill_chunk 0: how long such a step may take
    int32_t max_steps = 0;       ///< tokens of a sequence in one submission, where the device samples; 0: by their time
    double target_submit_ms = 20; ///< with max_steps 0: how long they may take together
    Log log;
};

/// Counts since the start and the present load.
struct SchedulerStats {
    uint64_t n_steps = 0;
    uint64_t n_prompt_tokens = 0; ///< evaluated, without the reused ones
    uint64_t n_cached_tokens = 0;
    uint64_t n_completion_tokens = 0;
    uint64_t n_preemptions = 0; ///< sequences whose KV was given up for others, to be computed again
    double prompt_ms = 0;
    double completion_ms = 0;
    int32_t n_waiting = 0;
    int32_t n_running = 0;
};

class Scheduler {
public:
    /// `runner` and `texts` must outlive the scheduler. `texts` is used from the thread that runs the steps.
    Scheduler(ModelRunner& runner, const TokenTexts& texts, SchedulerOptions options);
    ~Scheduler();
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;

    // From any thread:
    Result<RequestId> submit(GenerationRequest request, EventHandler on_event);
    void cancel(RequestId id);
    /// No further requests; run() returns when the present ones are done.
    void drain();
    /// No further requests; the present ones are cancelled and run() returns.
    void stop();
    /// Waits after drain() or stop() until run() has no request left; false after `timeout`.
    bool wait_idle(std::chrono::milliseconds timeout);
    /// The error that ended the engine (device lost), if one did.
    Result<void> health() const;
    SchedulerStats stats() const;

    // On the one thread that uses the runner:
    /// Steps until drain() or stop(); sleeps while there is nothing to do.
    void run();
    /// Takes in new requests and cancellations and evaluates one batch; false when nothing is left to do.
    bool step();

private:
    struct Request;
    struct Slot;
    struct BatchPart;

    void take_in();
    void admit_waiting();
    bool admit(std::unique_ptr<Request>& request);
    Slot* choose_slot(const Request& request, int32_t& n_common);
    bool reserve(Slot& slot, int32_t n_tokens, Error& error);
    bool evict_idle(const Slot& keep);
    void build_batch();
    void add_decodes();
    void add_prefills();
    bool resolve_stall();
    void preempt(Slot& slot);
    void evaluate_batch();
    bool find_sampled_rows();
    int32_t choose_n_steps();
    void count_step(int32_t n_steps, double ms);
    void generate_batch(int32_t n_steps);
    void accept_generated(const Generated& generated, size_t n_steps);
    void handle_failure(const Error& error);
    void accept_logits(std::span<const float> logits);
    void accept_sample(Slot& slot, Token token);
    void accept_token(Slot& slot, Token token);
    void finish(Slot& slot, FinishReason reason, std::optional<Error> error = {});
    void finish_unstarted(Request& request, FinishReason reason, std::optional<Error> error = {});
    void emit(Request& request, std::optional<GenerationResult> result);
    void fail_everything(const Error& error);
    int32_t n_active() const;
    bool has_work() const;

    ModelRunner& runner_;
    const TokenTexts& texts_;
    SchedulerOptions options_;
    RunnerLimits limits_;
    PrefillBudget budget_;
    SamplerScratch scratch_;
    std::vector<Token> suppressed_;     ///< never sampled
    std::vector<Token> suppressed_eos_; ///< never sampled when a request ignores the end of generation

    // Only the stepping thread:
    std::vector<Slot> slots_;
    std::deque<std::unique_ptr<Request>> waiting_;
    std::vector<StepToken> batch_;
    std::vector<BatchPart> parts_;
    std::vector<SampledRow> rows_;     ///< of the batch, where the device samples it
    double decode_ms_ = 0;             ///< of the last step that only generated
    std::optional<Error> stall_error_; ///< why a sequence could not get its next place in this step
    uint64_t clock_ = 0;               ///< counts whatever is ordered by it: steps, admissions, ends
    std::string text_;                 ///< scratch of accept_token

    mutable std::mutex mutex_; ///< guards the rest
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::vector<std::unique_ptr<Request>> inbox_;
    std::vector<RequestId> cancelled_;
    SchedulerStats stats_;
    std::optional<Error> fatal_;
    RequestId next_id_ = 1;
    int32_t n_unfinished_ = 0;
    int32_t n_queued_ = 0; ///< submitted and without a slot
    bool draining_ = false;
    bool stopping_ = false;
};

} // namespace vkinfer::runtime
