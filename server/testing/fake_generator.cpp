#include "server/testing/fake_generator.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <format>

namespace vkinfer::server {

using runtime::FinishReason;
using runtime::GenerationEvent;
using runtime::RequestId;
using runtime::Token;
using Clock = std::chrono::steady_clock;

namespace {

/// What a prompt asks for.
struct Script {
    std::vector<std::string> pieces;    ///< one per token
    std::chrono::milliseconds delay{0}; ///< before each piece
    bool fails = false;                 ///< after the pieces
};

int number_after(std::string_view text, std::string_view word) {
    int number = 0;
    text.remove_prefix(word.size());
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

Script script_of(std::string_view prompt) {
    Script script;
    // The last line that is not empty is the command.
    while (prompt.ends_with('\n')) prompt.remove_suffix(1);
    const size_t line = prompt.rfind('\n');
    if (line != std::string_view::npos) prompt.remove_prefix(line + 1);
    if (const size_t role = prompt.find('>'); prompt.starts_with('<') && role != std::string_view::npos) {
        prompt.remove_prefix(role + 1);
    }
    if (prompt.starts_with("count ") || prompt.starts_with("slow ")) {
        const bool slow = prompt.starts_with("slow ");
        const int n = number_after(prompt, slow ? "slow " : "count ");
        for (int i = 1; i <= n; ++i) script.pieces.push_back(std::format("{} ", i));
        if (slow) script.delay = std::chrono::milliseconds(20);
    } else if (prompt.starts_with("sleep ")) {
        script.delay = std::chrono::milliseconds(number_after(prompt, "sleep "));
        script.pieces.push_back("awake");
    } else if (prompt.starts_with("fail")) {
        if (prompt != "fail now") {
            script.pieces = {"one ", "two "};
            script.delay = std::chrono::milliseconds(20);
        }
        script.fails = true;
    } else {
        if (prompt.starts_with("echo ")) prompt.remove_prefix(5);
        constexpr size_t kPiece = 3; // so that words, tags and stop texts are split over tokens
        for (size_t at = 0; at < prompt.size(); at += kPiece) script.pieces.emplace_back(prompt.substr(at, kPiece));
    }
    return script;
}

} // namespace

struct FakeGenerator::Sequence {
    runtime::GenerationRequest request;
    runtime::EventHandler on_event;
    Script script;
    size_t next_piece = 0;
    std::string text;   ///< generated so far
    size_t emitted = 0; ///< bytes of text that were sent
    Clock::time_point due;
    std::atomic<bool> cancelled = false;
    runtime::GenerationResult result;
};

FakeGenerator::FakeGenerator(FakeConfig config) : config_(config) {
    info_.name = "fake";
    info_.path = "fake.gguf";
    info_.architecture = "fake";
    info_.type = "fake F32";
    info_.n_params = 1000;
    info_.size_bytes = 4000;
    info_.n_vocab = 256;
    info_.n_embd = 8;
    info_.n_ctx_train = config.n_ctx;
    info_.n_ctx = config.n_ctx;
    info_.n_parallel = 4;
    info_.created_unix = 1'700'000'000;
    thread_ = std::thread([this] { run(); });
}

FakeGenerator::~FakeGenerator() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::vector<Token> FakeGenerator::tokenize(std::string_view text, bool, bool) const {
    std::vector<Token> tokens;
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
}

std::string FakeGenerator::detokenize(const std::vector<Token>& tokens, bool) const {
    std::string text;
    for (const Token token : tokens) text += static_cast<char>(token);
    return text;
}

Result<std::string> FakeGenerator::apply_template(const runtime::ChatRequest& chat) const {
    {
        const std::lock_guard lock(mutex_);
        last_chat_ = chat;
    }
    std::string prompt;
    const auto messages = boost::json::parse(chat.messages_json);
    for (const boost::json::value& message : messages.as_array()) {
        const auto role = message.at("role").as_string();
        if (role == "alien") return fail(ErrorKind::invalid_input, "chat template: unknown role alien");
        const boost::json::value* content = message.as_object().if_contains("content");
        const std::string text = content && content->is_string() ? std::string(content->as_string()) : std::string();
        prompt += std::format("<{}>{}\n", std::string(role), text);
    }
    return prompt;
}

Result<RequestId> FakeGenerator::submit(runtime::GenerationRequest request, runtime::EventHandler on_event) {
    auto sequence = std::make_shared<Sequence>();
    sequence->script = script_of(detokenize(request.prompt, false));
    sequence->due = Clock::now() + sequence->script.delay;
    sequence->on_event = std::move(on_event);
    sequence->result.prompt_tokens = static_cast<int32_t>(request.prompt.size());
    sequence->result.cached_tokens = 1;
    sequence->result.prompt_ms = 10;
    sequence->request = std::move(request);
    const std::lock_guard lock(mutex_);
    last_request_ = sequence->request;
    if (sequences_.size() >= config_.max_queued) return fail(ErrorKind::unavailable, "the queue is full");
    sequences_.emplace(next_id_, std::move(sequence));
    changed_.notify_all();
    return next_id_++;
}

void FakeGenerator::cancel(RequestId id) {
    const std::lock_guard lock(mutex_);
    const auto found = sequences_.find(id);
    if (found != sequences_.end()) found->second->cancelled = true;
    changed_.notify_all();
}

size_t FakeGenerator::n_running() const {
    const std::lock_guard lock(mutex_);
    return sequences_.size();
}

runtime::GenerationRequest FakeGenerator::last_request() const {
    const std::lock_guard lock(mutex_);
    return last_request_;
}

runtime::ChatRequest FakeGenerator::last_chat() const {
    const std::lock_guard lock(mutex_);
    return last_chat_;
}

void FakeGenerator::run() {
    std::unique_lock lock(mutex_);
    while (!ending_ || !sequences_.empty()) {
        auto due = Clock::time_point::max();
        std::vector<std::pair<RequestId, std::shared_ptr<Sequence>>> ready;
        for (const auto& [id, sequence] : sequences_) {
            if (ending_) sequence->cancelled = true;
            if (sequence->cancelled || sequence->due <= Clock::now()) ready.emplace_back(id, sequence);
            due = std::min(due, sequence->due);
        }
        if (ready.empty()) {
            if (due == Clock::time_point::max()) {
                changed_.wait(lock);
            } else {
                changed_.wait_until(lock, due);
            }
            continue;
        }
        lock.unlock();
        for (const auto& [id, sequence] : ready) step(id, *sequence);
        lock.lock();
    }
}

/// One token of one sequence.
void FakeGenerator::step(RequestId id, Sequence& s) {
    if (s.cancelled) return finish(id, s, FinishReason::cancelled);
    if (s.request.max_tokens == 0) return finish(id, s, FinishReason::length);
    if (s.next_piece == s.script.pieces.size())
        return finish(id, s, s.script.fails ? FinishReason::error : FinishReason::stop);
    const std::string& piece = s.script.pieces[s.next_piece++];
    s.text += piece;
    ++s.result.completion_tokens;
    s.result.completion_ms += 5;
    s.due = Clock::now() + s.script.delay;

    size_t longest_stop = 0;
    for (const std::string& stop : s.request.stop) {
        longest_stop = std::max(longest_stop, stop.size());
        const size_t at = s.text.find(stop);
        if (at == std::string::npos) continue;
        s.text.resize(at);
        s.result.stopping_word = stop;
        return finish(id, s, FinishReason::stop);
    }
    const int32_t n_total = s.result.prompt_tokens + s.result.completion_tokens;
    const bool at_limit = s.result.completion_tokens == s.request.max_tokens || n_total >= info_.n_ctx;
    if (at_limit) return finish(id, s, FinishReason::length);

    // What may be the beginning of a stop text is held back.
    const size_t safe = longest_stop == 0 ? s.text.size() : s.text.size() - std::min(s.text.size(), longest_stop - 1);
    GenerationEvent event;
    event.tokens = {static_cast<unsigned char>(piece[0])};
    if (safe > s.emitted) {
        event.text = s.text.substr(s.emitted, safe - s.emitted);
        s.emitted = safe;
    }
    s.on_event(id, std::move(event));
}

void FakeGenerator::finish(RequestId id, Sequence& s, FinishReason reason) {
    GenerationEvent event;
    if (s.text.size() > s.emitted) event.text = s.text.substr(s.emitted);
    s.result.reason = reason;
    if (reason == FinishReason::error) s.result.error = Error(ErrorKind::device_lost, "the fake GPU stopped answering");
    if (reason == FinishReason::cancelled) ++n_cancelled_;
    event.result = s.result;
    ++n_finished_;
    {
        // Before the event: who has seen the end may count on the place being free.
        const std::lock_guard lock(mutex_);
        sequences_.erase(id);
    }
    s.on_event(id, std::move(event));
}

} // namespace vkinfer::server
