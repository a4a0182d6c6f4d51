// A scripted model behind runtime::Generator: no GPU, no file, and answers that tests can predict. A token is one byte
// of the prompt. What it does is told by the end of the prompt's text, see Script in fake_generator.cpp:
//   "echo TEXT"  answers TEXT          "count N"   answers "1 2 3 ... N ", one number per token
//   "sleep MS"   says nothing for MS   "slow N"    counts with 20 ms between the numbers
//   "fail"       fails in the middle   "fail now"  fails before the first token
#pragma once

#include "runtime/types.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

namespace vkinfer::server {

struct FakeConfig {
    int32_t n_ctx = 1024;
    size_t max_queued = 64; ///< requests at the same time; more are refused as unavailable
};

/// Runs all requests on one thread of its own in turn, a token each, as the engine does.
class FakeGenerator : public runtime::Generator {
public:
    explicit FakeGenerator(FakeConfig config = {});
    ~FakeGenerator() override;

    const runtime::ModelInfo& info() const override { return info_; }
    std::vector<runtime::Token> tokenize(std::string_view text, bool add_special, bool parse_special) const override;
    std::string detokenize(const std::vector<runtime::Token>& tokens, bool special) const override;
    /// "<role>content\n" of each message, then the tools' text if there are any; refuses the role "alien".
    Result<std::string> apply_template(const runtime::ChatRequest& chat) const override;
    Result<runtime::RequestId> submit(runtime::GenerationRequest request, runtime::EventHandler on_event) override;
    void cancel(runtime::RequestId id) override;

    int n_cancelled() const { return n_cancelled_; }
    int n_finished() const { return n_finished_; }
    size_t n_running() const;
    runtime::GenerationRequest last_request() const;
    runtime::ChatRequest last_chat() const;

private:
    struct Sequence;

    void run();
    void step(runtime::RequestId id, Sequence& sequence);
    void finish(runtime::RequestId id, Sequence& sequence, runtime::FinishReason reason);

    FakeConfig config_;
    runtime::ModelInfo info_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::map<runtime::RequestId, std::shared_ptr<Sequence>> sequences_;
    runtime::RequestId next_id_ = 1;
    runtime::GenerationRequest last_request_;
    mutable runtime::ChatRequest last_chat_;
    bool ending_ = false;
    std::atomic<int> n_cancelled_ = 0;
    std::atomic<int> n_finished_ = 0;
    std::thread thread_;
};

} // namespace vkinfer::server
