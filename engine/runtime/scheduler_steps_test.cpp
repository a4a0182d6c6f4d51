// Several steps of a batch in one submission, where the device chooses the tokens.
#include "runtime/scheduler_rig.h"

#include <algorithm>
#include <chrono>
#include <doctest/doctest.h>
#include <thread>

using namespace vkinfer;
using namespace vkinfer::runtime;
using namespace vkinfer::runtime::test;

TEST_CASE("tokens that the device samples by itself make the same answers") {
    for (const bool sampled : {false, true}) {
        SchedulerOptions options{.prefill_chunk = 8, .max_steps = 5};
        Rig rig({}, options, sampled ? FakeRunner::Next() : script("a longer answer"));
        rig.runner.device_steps = 16;
        rig.runner.left_to_host = {4, 9};
        GenerationRequest first = request("hello>", 23), second = request("other>", 40);
        if (sampled) first.sampling = {.temperature = 1, .top_k = 0, .top_p = 1, .min_p = 0, .seed = 5};
        const RequestId a = rig.submit(first), b = rig.submit(second);
        rig.finish_all();
        Rig plain({}, options, sampled ? FakeRunner::Next() : script("a longer answer"));
        const RequestId c = plain.submit(first), d = plain.submit(second);
        plain.finish_all();
        CHECK(plain.runner.generated.empty());
        CHECK(rig.collector[a].tokens == plain.collector[c].tokens);
        CHECK(rig.collector[b].tokens == plain.collector[d].tokens);
        CHECK(rig.collector[a].text == plain.collector[c].text);
        CHECK(rig.collector[a].result->reason == plain.collector[c].result->reason);
        CHECK(rig.scheduler->stats().n_completion_tokens == plain.scheduler->stats().n_completion_tokens);
        CHECK(std::ranges::max(rig.runner.generated) == 5);
        CHECK(rig.runner.generated.size() < (sampled ? 25u : 12u));
        if (!sampled) CHECK(rig.collector[a].result->reason == FinishReason::stop);
    }
}

TEST_CASE("a burst of steps ends at stop strings, max_tokens, the context and where memory ends") {
    SchedulerOptions options{.prefill_chunk = 8, .max_steps = 16};
    Rig rig({.n_ctx = 40, .max_sequences = 2, .n_pages = 4, .page_tokens = 16}, options,
            script("one two three four five six"));
    rig.runner.device_steps = 16;
    GenerationRequest stopping = request("x>", 30);
    stopping.stop = {"two"};
    const RequestId a = rig.submit(stopping);
    rig.finish_all();
    CHECK(rig.collector[a].text == "one ");
    CHECK(rig.collector[a].result->reason == FinishReason::stop);
    CHECK(rig.runner.stored(0).size() == 2 + 6); // what came after the stop string is forgotten
    const RequestId b = rig.submit(request("y>", 3));
    rig.finish_all();
    CHECK(rig.collector[b].text == "one");
    CHECK(rig.runner.generated.back() == 2); // the first came with the prompt
    // Two sequences of three pages each cannot have them at once in a pool of four: one gives way, none is lost.
    const RequestId c = rig.submit(request("a>", 26)), d = rig.submit(request("b>", 26));
    rig.finish_all();
    CHECK(rig.collector[c].text == "one two three four five si");
    CHECK(rig.collector[d].text == "one two three four five si");
    const RequestId e = rig.submit(request("1234567890123456789012345678>", -1));
    rig.finish_all();
    CHECK(rig.collector[e].result->reason == FinishReason::length); // 40 tokens of context
    CHECK(rig.collector[e].result->completion_tokens == 11);
}

TEST_CASE("steps in one submission follow their time") {
    Rig rig({}, {.prefill_chunk = 8, .target_submit_ms = 20});
    rig.runner.device_steps = 16;
    rig.runner.before_evaluate = [](size_t) { std::this_thread::sleep_for(std::chrono::milliseconds(11)); };
    const RequestId id = rig.submit(request("slow", 12));
    rig.finish_all();
    CHECK(rig.collector[id].text == expected_answer("slow", 12));
    CHECK(std::ranges::max(rig.runner.generated) == 1); // two would take longer than asked for
}
