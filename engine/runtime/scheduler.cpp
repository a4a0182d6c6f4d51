#include "runtime/scheduler.h"
#include "runtime/scheduler_state.h"

#include <algorithm>
#include <format>
#include <random>
#include <utility>

namespace vkinfer::runtime {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

uint64_t random_seed() {
    std::random_device device;
    return uint64_t{device()} << 32 | device();
}

} // namespace

Scheduler::Scheduler(ModelRunner& runner, const TokenTexts& texts, SchedulerOptions options)
    : runner_(runner), texts_(texts), options_(std::move(options)), limits_(runner.limits()),
      budget_(limits_.max_batch, options_.prefill_chunk, options_.target_step_ms),
      suppressed_(texts.suppressed_tokens()), suppressed_eos_(suppressed_),
      // Each sequence that runs can have a token and a row of logits in every batch.
      slots_(static_cast<size_t>(std::min({limits_.max_sequences, limits_.max_batch, limits_.max_logits}))) {
    const std::vector<Token> ends = texts.end_of_generation_tokens();
    suppressed_eos_.insert(suppressed_eos_.end(), ends.begin(), ends.end());
    for (size_t i = 0; i < slots_.size(); ++i) slots_[i].sequence = static_cast<int32_t>(i);
    batch_.reserve(static_cast<size_t>(limits_.max_batch));
    parts_.reserve(slots_.size());
    rows_.reserve(slots_.size());
    runner_.set_end_tokens(ends);
}

// A caller that never ran the steps still gets the last event of each request.
Scheduler::~Scheduler() {
    stop();
    take_in();
}

// ---- from any thread

Result<RequestId> Scheduler::submit(GenerationRequest request, EventHandler on_event) {
    const auto n_prompt = request.prompt.size();
    const auto n_ctx = static_cast<size_t>(limits_.n_ctx);
    if (n_prompt == 0) return fail(ErrorKind::invalid_input, "The prompt is empty; at least one token is needed.");
    for (const Token token : request.prompt) {
        if (token < 0 || token >= limits_.n_vocab) {
            return fail(
                ErrorKind::invalid_input,
                std::format("The prompt has the token id {}; the vocabulary has {} tokens.", token, limits_.n_vocab));
        }
    }
    for (const auto& [token, bias] : request.sampling.logit_bias) {
        if (token >= limits_.n_vocab) {
            return fail(
                ErrorKind::invalid_input,
                std::format("logit_bias has the token id {}; the vocabulary has {} tokens.", token, limits_.n_vocab));
        }
    }
    if (request.max_tokens < -1) {
        return fail(ErrorKind::invalid_input,
                    std::format("max_tokens is {}; it must be 0 or more, or -1 for no limit.", request.max_tokens));
    }
    if (auto valid = request.sampling.validate(); !valid) return std::unexpected(valid.error());
    // A place for at least one token of the answer, if one is wanted.
    if (n_prompt + (request.max_tokens == 0 ? 0 : 1) > n_ctx) {
        return fail(ErrorKind::context_overflow,
                    std::format("The prompt has {} tokens; the context holds {} with the answer.", n_prompt, n_ctx),
                    "Shorten the prompt or start with a larger context (-c).");
    }

    const uint64_t seed = request.sampling.seed ? *request.sampling.seed : random_seed();
    auto entry = std::make_unique<Request>(Request{
        .on_event = std::move(on_event),
        .sampler = Sampler(request.sampling, seed, request.ignore_eos ? suppressed_eos_ : suppressed_),
        .stop = StopMatcher(request.stop),
    });
    entry->result.prompt_tokens = static_cast<int32_t>(n_prompt);
    entry->tokens = std::move(request.prompt);
    entry->spec = std::move(request);

    const std::lock_guard lock(mutex_);
    if (fatal_) return std::unexpected(*fatal_);
    if (draining_ || stopping_) return fail(ErrorKind::unavailable, "The engine is shutting down.");
    if (n_queued_ >= options_.max_queue + static_cast<int32_t>(slots_.size())) {
        return fail(ErrorKind::unavailable, std::format("The queue is full: {} requests are waiting.", n_queued_),
                    "Try again later.");
    }
    const RequestId id = next_id_++;
    entry->id = id;
    options_.log.debug("request {}: {} prompt tokens, seed {}", id, n_prompt, seed);
    inbox_.push_back(std::move(entry));
    ++n_queued_;
    ++n_unfinished_;
    wake_.notify_one();
    return id;
}

void Scheduler::cancel(RequestId id) {
    const std::lock_guard lock(mutex_);
    cancelled_.push_back(id);
    wake_.notify_one();
}

void Scheduler::drain() {
    const std::lock_guard lock(mutex_);
    draining_ = true;
    wake_.notify_one();
}

void Scheduler::stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
}

bool Scheduler::wait_idle(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return idle_.wait_for(lock, timeout, [&] { return n_unfinished_ == 0; });
}

Result<void> Scheduler::health() const {
    const std::lock_guard lock(mutex_);
    if (fatal_) return std::unexpected(*fatal_);
    return {};
}

SchedulerStats Scheduler::stats() const {
    const std::lock_guard lock(mutex_);
    SchedulerStats stats = stats_;
    stats.n_waiting = n_queued_;
    stats.n_running = n_unfinished_ - n_queued_;
    return stats;
}

// ---- on the stepping thread

void Scheduler::run() {
    for (;;) {
        bool busy = false;
        try {
            busy = step();
        } catch (const Error& error) {
            fail_everything(error);
        } catch (const std::exception& exception) { // nothing is known of the state any more
            fail_everything(Error(ErrorKind::internal, exception.what(), "Restart the program."));
        }
        std::unique_lock lock(mutex_);
        if (busy || !inbox_.empty() || !cancelled_.empty()) continue;
        if (draining_ || stopping_) return;
        wake_.wait(lock, [&] { return !inbox_.empty() || !cancelled_.empty() || draining_ || stopping_; });
    }
}

bool Scheduler::step() {
    ++clock_;
    take_in();
    admit_waiting();
    do {
        build_batch();
    } while (batch_.empty() && resolve_stall());
    if (!batch_.empty()) evaluate_batch();
    return has_work();
}

void Scheduler::take_in() {
    std::vector<std::unique_ptr<Request>> arrived;
    std::vector<RequestId> cancelled;
    bool cancel_all = false;
    std::optional<Error> fatal;
    {
        const std::lock_guard lock(mutex_);
        arrived.swap(inbox_);
        cancelled.swap(cancelled_);
        cancel_all = stopping_;
        fatal = fatal_;
    }
    for (auto& request : arrived) waiting_.push_back(std::move(request));
    if (fatal) return fail_everything(*fatal);

    const auto is_cancelled = [&](const Request& request) {
        return cancel_all || std::ranges::find(cancelled, request.id) != cancelled.end();
    };
    if (!cancel_all && cancelled.empty()) return;
    for (Slot& slot : slots_) {
        if (slot.request && is_cancelled(*slot.request)) finish(slot, FinishReason::cancelled);
    }
    std::erase_if(waiting_, [&](const std::unique_ptr<Request>& request) {
        if (!is_cancelled(*request)) return false;
        finish_unstarted(*request, FinishReason::cancelled);
        return true;
    });
}

void Scheduler::build_batch() {
    batch_.clear();
    parts_.clear();
    stall_error_.reset();
    add_decodes();
    add_prefills();
}

void Scheduler::add_decodes() {
    for (Slot& slot : slots_) {
        if (!slot.request || !slot.is_generating) continue;
        Error error(ErrorKind::internal, "");
        if (!reserve(slot, slot.n_tokens(), error)) {
            if (error.kind() == ErrorKind::out_of_memory) {
                stall_error_ = std::move(error);
            } else {
                finish(slot, FinishReason::error, std::move(error));
            }
            continue;
        }
        batch_.push_back({slot.tokens.back(), slot.n_stored, slot.sequence, true});
        parts_.push_back({&slot, 1, true});
    }
}

void Scheduler::add_prefills() {
    const auto n_decode = static_cast<int32_t>(parts_.size());
    int32_t n_left = budget_.tokens(n_decode);
    const size_t n_others = parts_.size();
    for (Slot& slot : slots_) {
        if (slot.is_reading()) parts_.push_back({&slot, 0, false});
    }
    const auto readers = std::span(parts_).subspan(n_others);
    // Equal shares. The shortest comes first, so that what it does not need goes to the others; when not all can have a
    // token, those that waited longest come first.
    if (static_cast<size_t>(n_left) < readers.size()) {
        std::ranges::sort(readers, {}, [](const BatchPart& part) { return part.slot->last_fed; });
    } else {
        std::ranges::sort(readers, {}, [](const BatchPart& part) { return part.slot->n_pending(); });
    }
    auto n_readers = static_cast<int32_t>(readers.size());
    for (BatchPart& part : readers) {
        Slot& slot = *part.slot;
        const int32_t share = (n_left + n_readers - 1) / n_readers;
        --n_readers;
        const int32_t n = std::min(slot.n_pending(), share);
        if (n == 0) continue;
        part.n_tokens = n;
        part.has_logits = n == slot.n_pending() && slot.request->spec.max_tokens != 0;
        n_left -= n;
        slot.last_fed = ++clock_;
        for (int32_t i = 0; i < n; ++i) {
            const int32_t position = slot.n_stored + i;
            batch_.push_back({slot.tokens[static_cast<size_t>(position)], position, slot.sequence, false});
        }
        batch_.back().want_logits = part.has_logits;
    }
    std::erase_if(parts_, [](const BatchPart& part) { return part.n_tokens == 0; });
}

/// Called when nothing could be evaluated: if sequences wait for each other's memory, the youngest gives its own up.
/// False when there is nothing to do.
bool Scheduler::resolve_stall() {
    if (!stall_error_) return false;
    Slot* youngest = nullptr;
    for (Slot& slot : slots_) {
        if (slot.request && (youngest == nullptr || slot.admitted > youngest->admitted)) youngest = &slot;
    }
    if (youngest == nullptr) return false;
    if (n_active() == 1) {
        finish(*youngest, FinishReason::error, *stall_error_);
    } else {
        preempt(*youngest);
    }
    return true;
}

namespace {

/// What a runner's call gives, or the error that it throws.
template<class Value, class Call>
Result<Value> result_of(Call call) {
    try {
        return call();
    } catch (const Error& error) {
        return std::unexpected(error);
    } catch (const std::exception& exception) {
        return fail(ErrorKind::internal, exception.what());
    }
}

} // namespace

void Scheduler::evaluate_batch() {
    if (find_sampled_rows()) {
        if (const int32_t n_steps = choose_n_steps(); n_steps > 0) return generate_batch(n_steps);
    }
    const auto start = Clock::now();
    const auto logits = result_of<std::span<const float>>([&] { return runner_.evaluate(batch_); });
    if (!logits) return handle_failure(logits.error());
    count_step(1, milliseconds_since(start));
    accept_logits(*logits);
}

/// The rows of logits of the batch; false when there are none.
bool Scheduler::find_sampled_rows() {
    rows_.clear();
    for (const BatchPart& part : parts_) {
        if (!part.has_logits) continue;
        const Request& request = *part.slot->request;
        rows_.push_back({&request.sampler, part.slot->tokens, !request.spec.ignore_eos});
    }
    return !rows_.empty();
}

/// How many steps the device makes of the batch by itself, their places reserved; 0: it does not sample it.
int32_t Scheduler::choose_n_steps() {
    const auto most = result_of<int32_t>([&] { return runner_.max_steps(batch_, rows_); });
    if (!most) return 0; // evaluating meets the same error, and reports it
    int32_t n = *most;
    if (n <= 1) return n;
    if (options_.max_steps > 0) {
        n = std::min(n, options_.max_steps);
    } else if (decode_ms_ <= 0) {
        n = 1; // nothing is known of their time
    } else {
        n = std::clamp(static_cast<int32_t>(options_.target_submit_ms / decode_ms_), 1, n);
    }
    for (const BatchPart& part : parts_) {
        const Slot& slot = *part.slot;
        const Request& request = *slot.request;
        if (request.spec.max_tokens > 0) n = std::min(n, request.spec.max_tokens - request.result.completion_tokens);
        n = std::min(n, limits_.n_ctx - slot.n_tokens());
    }
    n = std::max(n, 1);
    for (const BatchPart& part : parts_) {
        // Nobody gives anything up for steps that can be made one by one.
        if (n > 1 && !runner_.reserve(part.slot->sequence, part.slot->n_tokens() + n - 1)) return 1;
    }
    return n;
}

/// A batch was evaluated, n_steps times over.
void Scheduler::count_step(int32_t n_steps, double ms) {
    int32_t n_decode = 0, n_prefill = 0;
    for (const BatchPart& part : parts_) (part.slot->is_generating ? n_decode : n_prefill) += part.n_tokens;
    for (const BatchPart& part : parts_) part.slot->n_stored += part.n_tokens;
    budget_.record(n_decode, n_prefill, ms / n_steps);
    if (n_prefill == 0) decode_ms_ = ms / n_steps;
    const std::lock_guard lock(mutex_);
    stats_.n_steps += static_cast<uint64_t>(n_steps);
    stats_.n_prompt_tokens += static_cast<uint64_t>(n_prefill);
    stats_.n_completion_tokens += static_cast<uint64_t>(n_decode);
    (n_prefill > 0 ? stats_.prompt_ms : stats_.completion_ms) += ms;
}

void Scheduler::generate_batch(int32_t n_steps) {
    const auto start = Clock::now();
    const auto generated = result_of<Generated>([&] { return runner_.generate(batch_, rows_, n_steps); });
    if (!generated) return handle_failure(generated.error());
    count_step(n_steps, milliseconds_since(start));
    for (const BatchPart& part : parts_) {
        if (part.slot->n_pending() == 0 && !part.has_logits)
            finish(*part.slot, FinishReason::length); // no answer wanted
    }
    accept_generated(*generated, static_cast<size_t>(n_steps));
}

void Scheduler::accept_generated(const Generated& generated, size_t n_steps) {
    const auto n_vocab = static_cast<size_t>(limits_.n_vocab);
    for (size_t step = 0; step < n_steps; ++step) {
        size_t row = 0;
        for (const BatchPart& part : parts_) {
            if (!part.has_logits) continue;
            const size_t r = row++;
            Slot& slot = *part.slot;
            if (!slot.request) continue; // ended in an earlier step
            Token token = generated.tokens[step * rows_.size() + r];
            if (token == kNotGenerated && step > 0) continue;
            if (token == kNotGenerated) {
                finish(slot, FinishReason::error,
                       Error(ErrorKind::internal, "The device did not run a step.",
                             "Try --backend-sampling off and report the device and its driver."));
                continue;
            }
            if (step > 0) {
                ++slot.n_stored; // the token of the step before
                const std::lock_guard lock(mutex_);
                ++stats_.n_completion_tokens;
            }
            Sampler& sampler = slot.request->sampler;
            if (token == kSampleOnHost) {
                token = sampler.sample(generated.logits.subspan(r * n_vocab, n_vocab), slot.tokens, scratch_);
            } else if (token >= 0) {
                sampler.add_drawn(1);
            }
            accept_sample(slot, token);
        }
    }
}

/// An evaluation failed. Nothing of it counts as stored, so what may go on evaluates the same tokens again.
void Scheduler::handle_failure(const Error& error) {
    if (error.kind() == ErrorKind::device_lost) return fail_everything(error);
    if (error.kind() != ErrorKind::out_of_memory) {
        for (const BatchPart& part : parts_) finish(*part.slot, FinishReason::error, error);
        return;
    }
    // Memory refuses one request: of those that read a prompt, else of all, the youngest.
    const auto rank = [](const BatchPart& part) { return std::pair(part.slot->is_reading(), part.slot->admitted); };
    finish(*std::ranges::max(parts_, {}, rank).slot, FinishReason::error, error);
}

void Scheduler::accept_logits(std::span<const float> logits) {
    const auto n_vocab = static_cast<size_t>(limits_.n_vocab);
    for (const BatchPart& part : parts_) {
        Slot& slot = *part.slot;
        if (!part.has_logits) {
            if (slot.n_pending() == 0) finish(slot, FinishReason::length); // no answer wanted
            continue;
        }
        VKINFER_ASSERT(logits.size() >= n_vocab);
        const auto row = logits.first(n_vocab);
        logits = logits.subspan(n_vocab);
        accept_sample(slot, slot.request->sampler.sample(row, slot.tokens, scratch_));
    }
}

void Scheduler::accept_sample(Slot& slot, Token token) {
    Request& request = *slot.request;
    slot.is_generating = true;
    if (!request.has_logits) {
        request.has_logits = true;
        request.first_logits = Clock::now();
    }
    if (token < 0) {
        finish(slot, FinishReason::error,
               Error(ErrorKind::internal, "The model gave no finite logit.",
                     "Try --coopmat off or --act f32 and report the device and the model."));
        return;
    }
    accept_token(slot, token);
}

void Scheduler::accept_token(Slot& slot, Token token) {
    Request& request = *slot.request;
    ++request.result.completion_tokens;
    request.event.tokens.push_back(token);
    slot.tokens.push_back(token);

    const bool is_end = !request.spec.ignore_eos && texts_.is_end_of_generation(token);
    const bool is_full =
        request.result.completion_tokens == request.spec.max_tokens || slot.n_tokens() >= limits_.n_ctx;
    text_.clear();
    if (!is_end) request.decoder->append(token, text_);
    if (is_end || is_full) request.decoder->finish(text_);
    request.event.reasoning += request.decoder->take_reasoning();
    if (request.stop.feed(text_, request.event.text)) {
        request.result.stopping_word = request.stop.matched();
        finish(slot, FinishReason::stop);
    } else if (is_end || is_full) {
        request.stop.flush(request.event.text);
        finish(slot, is_end ? FinishReason::stop : FinishReason::length);
    } else if (!request.event.text.empty() || !request.event.reasoning.empty()) {
        emit(request, {});
    }
}

void Scheduler::finish(Slot& slot, FinishReason reason, std::optional<Error> error) {
    std::unique_ptr<Request> request = std::move(slot.request);
    slot.is_generating = false;
    slot.last_used = ++clock_;
    // What was evaluated stays for the next request; places beyond it go back.
    slot.tokens.resize(static_cast<size_t>(slot.n_stored));
    const bool is_lost = error && error->kind() == ErrorKind::device_lost;
    if (!is_lost) runner_.truncate(slot.sequence, slot.n_stored);

    GenerationResult& result = request->result;
    if (request->has_logits) {
        result.prompt_ms = std::chrono::duration<double, std::milli>(request->first_logits - request->started).count();
        result.completion_ms = milliseconds_since(request->first_logits);
    } else {
        result.prompt_ms = milliseconds_since(request->started);
    }
    result.reason = reason;
    result.error = std::move(error);
    emit(*request, std::move(result));
    const std::lock_guard lock(mutex_);
    if (--n_unfinished_ == 0) idle_.notify_all();
}

/// The end of a request that waits for a slot.
void Scheduler::finish_unstarted(Request& request, FinishReason reason, std::optional<Error> error) {
    request.result.reason = reason;
    request.result.error = std::move(error);
    emit(request, std::move(request.result));
    const std::lock_guard lock(mutex_);
    --n_queued_;
    if (--n_unfinished_ == 0) idle_.notify_all();
}

void Scheduler::emit(Request& request, std::optional<GenerationResult> result) {
    request.event.result = std::move(result);
    try {
        request.on_event(request.id, std::exchange(request.event, {}));
    } catch (const std::exception& exception) {
        options_.log.error("request {}: the handler of its events threw: {}", request.id, exception.what());
        cancel(request.id);
    }
}

void Scheduler::fail_everything(const Error& error) {
    bool is_new = false;
    {
        const std::lock_guard lock(mutex_);
        is_new = !fatal_;
        fatal_ = error;
    }
    if (is_new) options_.log.error("{}", error.full_text());
    for (Slot& slot : slots_) {
        if (slot.request) finish(slot, FinishReason::error, error);
    }
    while (!waiting_.empty()) {
        const auto request = std::move(waiting_.front());
        waiting_.pop_front();
        finish_unstarted(*request, FinishReason::error, error);
    }
}

int32_t Scheduler::n_active() const {
    return static_cast<int32_t>(
        std::ranges::count_if(slots_, [](const Slot& slot) { return slot.request != nullptr; }));
}

bool Scheduler::has_work() const {
    return n_active() > 0 || !waiting_.empty();
}

} // namespace vkinfer::runtime
