// The engine over a toy model and a toy vocabulary, with real threads.
#include "runtime/engine.h"

#include "runtime/fake_engine.h"

#include <atomic>
#include <doctest/doctest.h>
#include <future>
#include <thread>

using namespace vkinfer;
using namespace vkinfer::runtime;
using namespace vkinfer::runtime::test;

namespace {

/// Runs a request to its end.
std::pair<std::string, GenerationResult> answer(Generator& generator, GenerationRequest request) {
    std::string text;
    std::promise<GenerationResult> done;
    const auto id = generator.submit(std::move(request), [&](RequestId, GenerationEvent event) {
        text += event.text;
        if (event.result) done.set_value(*event.result);
    });
    REQUIRE(id.has_value());
    GenerationResult result = done.get_future().get();
    return {text, result};
}

GenerationRequest request(std::string_view prompt, int32_t max_tokens) {
    GenerationRequest r;
    r.prompt = bytes(prompt);
    r.max_tokens = max_tokens;
    r.sampling.seed = 1;
    return r;
}

} // namespace

TEST_CASE("an engine answers from several threads at once") {
    const auto engine = fake_engine({.max_sequences = 3});
    CHECK(engine->describe() == "fake device");
    const std::string alone = answer(*engine, request("prompt", 50)).first;
    CHECK(alone.size() == 50);
    std::vector<std::thread> clients;
    std::atomic<int> n_right = 0;
    for (int client = 0; client < 6; ++client) {
        clients.emplace_back([&] {
            for (int i = 0; i < 20; ++i) n_right += answer(*engine, request("prompt", 50)).first == alone ? 1 : 0;
        });
    }
    for (std::thread& client : clients) client.join();
    CHECK(n_right == 120);
    CHECK(engine->drain(std::chrono::seconds(20))); // the counts follow the last event
    CHECK(engine->stats().n_running == 0);
    CHECK(engine->health().has_value());
}

TEST_CASE("an engine that is destroyed gives every request its last event") {
    std::atomic<int> n_last = 0, n_cancelled = 0;
    {
        const auto engine = fake_engine({.n_ctx = 1 << 20, .max_sequences = 2});
        for (int i = 0; i < 8; ++i) {
            const auto id = engine->submit(request("endless", -1), [&](RequestId, const GenerationEvent& event) {
                if (!event.result) return;
                ++n_last;
                n_cancelled += event.result->reason == FinishReason::cancelled ? 1 : 0;
            });
            REQUIRE(id.has_value());
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    CHECK(n_last == 8);
    CHECK(n_cancelled == 8);
}

TEST_CASE("drain lets requests finish and takes no more") {
    const auto engine = fake_engine({.max_sequences = 1});
    std::atomic<int> n_whole = 0;
    for (int i = 0; i < 4; ++i) {
        REQUIRE(engine->submit(request("x", 100), [&](RequestId, const GenerationEvent& event) {
            if (event.result && event.result->completion_tokens == 100) ++n_whole;
        }));
    }
    CHECK(engine->drain(std::chrono::seconds(20)));
    CHECK(n_whole == 4);
    const auto refused = engine->submit(request("x", 1), [](RequestId, const GenerationEvent&) {});
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().kind() == ErrorKind::unavailable);
}

TEST_CASE("requests that are cancelled from other threads end once") {
    const auto engine = fake_engine({.n_ctx = 1 << 16, .max_sequences = 2});
    std::atomic<int> n_last = 0;
    std::vector<std::thread> clients;
    for (int client = 0; client < 4; ++client) {
        clients.emplace_back([&, client] {
            for (int i = 0; i < 25; ++i) {
                const auto id = engine->submit(request("x", 200), [&](RequestId, const GenerationEvent& event) {
                    n_last += event.result ? 1 : 0;
                });
                if ((client + i) % 3 == 0) std::this_thread::yield();
                engine->cancel(*id);
            }
        });
    }
    for (std::thread& client : clients) client.join();
    CHECK(engine->drain(std::chrono::seconds(20)));
    CHECK(n_last == 100);
}
