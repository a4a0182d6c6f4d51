#include "runtime/scheduler.h"

#include "runtime/scheduler_rig.h"

#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::runtime;
using namespace vkinfer::runtime::test;

TEST_CASE("one request: text, tokens, counts and one last event") {
    Rig rig;
    const RequestId id = rig.submit(request("hello", 5));
    rig.finish_all();
    const auto answer = rig.collector[id];
    CHECK(answer.text == expected_answer("hello", 5));
    CHECK(answer.tokens == bytes(answer.text));
    CHECK(answer.n_results == 1);
    REQUIRE(answer.result);
    CHECK(answer.result->reason == FinishReason::length);
    CHECK(answer.result->prompt_tokens == 5);
    CHECK(answer.result->completion_tokens == 5);
    CHECK(answer.result->cached_tokens == 0);
    CHECK(rig.runner.steps.size() == 5);
    CHECK(rig.runner.steps[0].size() == 5); // the prompt in one step
    CHECK(rig.scheduler->stats().n_running == 0);
}

TEST_CASE("an end-of-generation token ends the answer without text") {
    Rig rig({}, {}, script("done"));
    const RequestId id = rig.submit(request("say>", -1));
    GenerationRequest endless = request("say>", 9);
    endless.ignore_eos = true;
    const RequestId other = rig.submit(endless);
    rig.finish_all();
    CHECK(rig.collector[id].text == "done");
    CHECK(rig.collector[id].result->reason == FinishReason::stop);
    CHECK(rig.collector[id].result->completion_tokens == 5);
    CHECK(rig.collector[other].result->reason == FinishReason::length);
    CHECK(rig.collector[other].result->completion_tokens == 9);
}

TEST_CASE("max_tokens 0 evaluates the prompt only") {
    Rig rig;
    const RequestId id = rig.submit(request("prompt", 0));
    rig.finish_all();
    CHECK(rig.collector[id].text.empty());
    CHECK(rig.collector[id].result->reason == FinishReason::length);
    CHECK(rig.collector[id].result->completion_tokens == 0);
    CHECK(rig.runner.stored(0) == bytes("prompt"));
    const RequestId again = rig.submit(request("prompt", 0)); // all of it is cached
    rig.finish_all();
    CHECK(rig.collector[again].result->cached_tokens == 6);
    CHECK(rig.runner.steps.size() == 1);
}

TEST_CASE("two clients stream at the same time") {
    Rig rig;
    const RequestId a = rig.submit(request("first", 6));
    const RequestId b = rig.submit(request("second", 6));
    rig.steps(1);
    CHECK(rig.collector[a].text.size() == 1);
    CHECK(rig.collector[b].text.size() == 1);
    for (int i = 2; i <= 6; ++i) {
        rig.steps(1);
        const auto& step = rig.runner.steps.back();
        REQUIRE(step.size() == 2); // one token of each, in one evaluation
        CHECK(step[0].sequence != step[1].sequence);
        CHECK(rig.collector[a].tokens.size() == static_cast<size_t>(i));
        CHECK(rig.collector[b].tokens.size() == static_cast<size_t>(i));
    }
    CHECK(rig.collector[a].text == expected_answer("first", 6));
    CHECK(rig.collector[b].text == expected_answer("second", 6));
}

TEST_CASE("a long prompt does not hold up a running stream") {
    Rig rig({.max_batch = 32}, {.prefill_chunk = 8});
    const RequestId a = rig.submit(request("short", 40));
    rig.steps(1);
    const std::string prompt = letters(100);
    const RequestId b = rig.submit(request(prompt, 4));
    for (int i = 0; i < 12; ++i) {
        const size_t before = rig.collector[a].tokens.size();
        rig.steps(1);
        CHECK(rig.collector[a].tokens.size() == before + 1);
        CHECK(rig.runner.steps.back().size() == 9); // its token and a chunk of the other's prompt
    }
    CHECK(rig.collector[b].tokens.empty());
    rig.finish_all();
    CHECK(rig.collector[a].text == expected_answer("short", 40));
    CHECK(rig.collector[b].text == expected_answer(prompt, 4));
}

TEST_CASE("without running streams a prompt takes whole batches") {
    Rig rig({.max_batch = 32});
    rig.submit(request(letters(70), 1));
    rig.finish_all();
    REQUIRE(rig.runner.steps.size() == 3);
    CHECK(rig.runner.steps[0].size() == 32);
    CHECK(rig.runner.steps[1].size() == 32);
    CHECK(rig.runner.steps[2].size() == 6);
}

TEST_CASE("prompts that are read at the same time share the batch") {
    Rig rig({.max_sequences = 3, .max_batch = 30});
    const RequestId a = rig.submit(request(letters(90, 'A'), 2));
    const RequestId b = rig.submit(request(letters(90, 'B'), 2));
    const RequestId c = rig.submit(request(letters(4, 'C'), 2));
    rig.steps(1);
    CHECK(count_of(rig.runner.steps[0], 0) == 13); // what the short prompt leaves of its third goes to the others
    CHECK(count_of(rig.runner.steps[0], 1) == 13);
    CHECK(count_of(rig.runner.steps[0], 2) == 4);
    CHECK(rig.collector[c].tokens.size() == 1);
    rig.finish_all();
    CHECK(rig.collector[a].text == expected_answer(letters(90, 'A'), 2));
    CHECK(rig.collector[b].text == expected_answer(letters(90, 'B'), 2));
    CHECK(rig.collector[c].text == expected_answer(letters(4, 'C'), 2));
}

TEST_CASE("more readers than the chunk allows take turns") {
    Rig rig({.n_ctx = 512, .max_sequences = 6, .max_batch = 32}, {.prefill_chunk = 2});
    rig.submit(request("stream", 400));
    rig.steps(1);
    std::vector<RequestId> readers;
    for (int i = 0; i < 5; ++i) readers.push_back(rig.submit(request(letters(40, static_cast<char>('A' + i)), 1)));
    rig.steps(50);
    for (int32_t sequence = 1; sequence < 6; ++sequence) {
        CHECK(rig.runner.stored(sequence).size() >= 19);
        CHECK(rig.runner.stored(sequence).size() <= 21);
    }
}

TEST_CASE("more requests than slots wait for their turn") {
    Rig rig({.max_sequences = 2});
    std::vector<RequestId> ids;
    for (int i = 0; i < 7; ++i) ids.push_back(rig.submit(request("request " + std::to_string(i), 3 + i)));
    CHECK(rig.scheduler->stats().n_waiting == 7);
    rig.steps(1);
    CHECK(rig.scheduler->stats().n_waiting == 5);
    CHECK(rig.scheduler->stats().n_running == 2);
    rig.finish_all();
    for (int i = 0; i < 7; ++i) {
        CHECK(rig.collector[ids[static_cast<size_t>(i)]].text ==
              expected_answer("request " + std::to_string(i), 3 + i));
    }
}

TEST_CASE("fewer rows of logits than sequences: as many run as have one") {
    Rig rig({.max_sequences = 4, .max_logits = 2});
    std::vector<RequestId> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(rig.submit(request(letters(5, static_cast<char>('A' + i)), 20)));
    rig.steps(5);
    CHECK(rig.scheduler->stats().n_running == 2);
    rig.finish_all();
    for (int i = 0; i < 4; ++i) {
        CHECK(rig.collector[ids[static_cast<size_t>(i)]].text ==
              expected_answer(letters(5, static_cast<char>('A' + i)), 20));
    }
}

TEST_CASE("stop strings end the answer across token borders, and held text never shows") {
    Rig rig({}, {}, script("one two ENDE three END four"));
    GenerationRequest r = request("say>", -1);
    r.stop = {"END f", "unused"};
    std::string streamed;
    rig.collector.on_event = [&](RequestId, const GenerationEvent& event) {
        streamed += event.text;
        CHECK_FALSE(streamed.ends_with("three E"));
    };
    const RequestId id = rig.submit(r);
    rig.finish_all();
    const auto answer = rig.collector[id];
    CHECK(answer.text == "one two ENDE three ");
    CHECK(answer.result->reason == FinishReason::stop);
    CHECK(answer.result->stopping_word == "END f");

    rig.collector.on_event = {};
    r.stop = {"four!"}; // begins to match and does not: the held text comes at the end
    const RequestId other = rig.submit(r);
    rig.finish_all();
    CHECK(rig.collector[other].text == "one two ENDE three END four");
    CHECK(rig.collector[other].result->stopping_word.empty());
}

TEST_CASE("events carry whole characters only") {
    const std::string answer_text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
    Rig rig({}, {}, script(answer_text));
    rig.collector.on_event = [&](RequestId, const GenerationEvent& event) {
        if (!event.text.empty()) CHECK((static_cast<uint8_t>(event.text[0]) & 0xC0) != 0x80);
    };
    const RequestId id = rig.submit(request("say>", -1));
    const RequestId cut = rig.submit(request("cut>", 8)); // ends within the last character but one
    rig.finish_all();
    CHECK(rig.collector[id].text == answer_text);
    CHECK(rig.collector[id].n_events == 6); // five characters and the end
    CHECK(rig.collector[cut].text == "a\xC3\xA9\xE2\x82\xAC\xEF\xBF\xBD");
    CHECK(rig.collector[cut].tokens.size() == 8);
}

TEST_CASE("the context limit ends an answer with length") {
    Rig rig({.n_ctx = 20});
    const RequestId id = rig.submit(request(letters(15), -1));
    rig.finish_all();
    CHECK(rig.collector[id].result->reason == FinishReason::length);
    CHECK(rig.collector[id].result->completion_tokens == 5);
    const RequestId last = rig.submit(request(letters(19), -1));
    rig.finish_all();
    CHECK(rig.collector[last].result->completion_tokens == 1);
    CHECK(rig.refusal(request(letters(20), -1)) == ErrorKind::context_overflow);
    CHECK(rig.refusal(request(letters(21), 0)) == ErrorKind::context_overflow);
}

TEST_CASE("requests that cannot be right are refused at once") {
    Rig rig;
    CHECK(rig.refusal(request("")) == ErrorKind::invalid_input);
    CHECK(rig.refusal(request("x", -5)) == ErrorKind::invalid_input);
    GenerationRequest r = request("x");
    r.prompt.push_back(257);
    CHECK(rig.refusal(r) == ErrorKind::invalid_input);
    r = request("x");
    r.sampling.top_p = 2;
    CHECK(rig.refusal(r) == ErrorKind::invalid_input);
    r = request("x");
    r.sampling.logit_bias = {{300, 1.0f}};
    CHECK(rig.refusal(r) == ErrorKind::invalid_input);
    CHECK_FALSE(rig.scheduler->step());
}

TEST_CASE("a full queue refuses") {
    Rig rig({.max_sequences = 1}, {.max_queue = 2});
    for (int i = 0; i < 3; ++i) rig.submit(request("x"));
    CHECK(rig.refusal(request("x")) == ErrorKind::unavailable);
    rig.finish_all();
    rig.submit(request("x"));
    rig.finish_all();
}

TEST_CASE("cancellation at every stage") {
    Rig rig({.max_sequences = 1, .max_batch = 8});
    const RequestId streaming = rig.submit(request("abc", 50));
    const RequestId waiting = rig.submit(request("waits", 5));
    const RequestId next = rig.submit(request(letters(30), 5));
    rig.steps(3);
    rig.scheduler->cancel(waiting);
    rig.scheduler->cancel(streaming);
    rig.scheduler->cancel(9999);
    rig.steps(2); // reads the beginning of the third prompt
    CHECK(rig.collector[waiting].result->reason == FinishReason::cancelled);
    CHECK(rig.collector[streaming].result->reason == FinishReason::cancelled);
    CHECK(rig.collector[streaming].result->completion_tokens == 3);
    CHECK_FALSE(rig.collector[next].result);
    rig.scheduler->cancel(next);
    rig.scheduler->cancel(next);
    rig.finish_all();
    CHECK(rig.collector[next].result->reason == FinishReason::cancelled);
    for (const RequestId id : {streaming, waiting, next}) CHECK(rig.collector[id].n_results == 1);
    const RequestId unseen = rig.submit(request("never runs"));
    rig.scheduler->cancel(unseen);
    const size_t n_steps = rig.runner.steps.size();
    rig.finish_all();
    CHECK(rig.collector[unseen].result->reason == FinishReason::cancelled);
    CHECK(rig.runner.steps.size() == n_steps);
}

TEST_CASE("a handler may cancel its own request") {
    Rig rig;
    rig.collector.on_event = [&](RequestId id, const GenerationEvent& event) {
        if (!event.result) rig.scheduler->cancel(id);
    };
    const RequestId id = rig.submit(request("x", 50));
    rig.finish_all();
    CHECK(rig.collector[id].result->reason == FinishReason::cancelled);
    CHECK(rig.collector[id].tokens.size() == 1);
}

TEST_CASE("a handler that throws ends its own request only") {
    Rig rig;
    int n_calls = 0;
    const auto bad = rig.scheduler->submit(request("bad", 20), [&](RequestId, const GenerationEvent&) {
        ++n_calls;
        throw std::runtime_error("handler");
    });
    const RequestId good = rig.submit(request("good", 20));
    rig.finish_all();
    CHECK(bad.has_value());
    CHECK(n_calls == 2); // its first token, and the last event
    CHECK(rig.collector[good].text == expected_answer("good", 20));
}

TEST_CASE("the next turn of a chat starts from the tokens of the last") {
    Rig rig({.max_sequences = 2});
    const RequestId first = rig.submit(request("system prompt; question one", 10));
    rig.finish_all();
    const std::string turn = "system prompt; question one" + rig.collector[first].text + "; question two";
    const RequestId second = rig.submit(request(turn, 10));
    rig.finish_all();
    CHECK(rig.collector[second].text == expected_answer(turn, 10));
    // All but the last token of the answer, which was never evaluated.
    CHECK(rig.collector[second].result->cached_tokens == 27 + 9);
    CHECK(rig.runner.steps[10].size() == turn.size() - 36);

    // An identical prompt still evaluates its last token.
    const RequestId third = rig.submit(request(turn, 10));
    rig.finish_all();
    CHECK(rig.collector[third].text == expected_answer(turn, 10));
    CHECK(rig.collector[third].result->cached_tokens == static_cast<int32_t>(turn.size()) - 1);
}

TEST_CASE("the slot with the longest common beginning is taken, else the least recently used") {
    Rig rig({.max_sequences = 3});
    const std::string a = letters(40, 'A'), b = letters(40, 'H'), c = letters(40, 'P');
    for (const std::string& prompt : {a, b, c}) {
        rig.submit(request(prompt, 2));
        rig.finish_all();
    }
    REQUIRE(rig.runner.stored(0).size() == 41);
    REQUIRE(rig.runner.stored(2).size() == 41);
    rig.submit(request(b + "more", 2));
    rig.finish_all();
    CHECK(rig.runner.stored(1).size() == 45);
    const RequestId fresh = rig.submit(request("something else", 2)); // a is the oldest
    rig.finish_all();
    CHECK(rig.runner.stored(0).size() == 15);
    CHECK(rig.collector[fresh].result->cached_tokens == 0);
    CHECK(rig.runner.stored(1).size() == 45);
    CHECK(rig.runner.stored(2).size() == 41);
}

TEST_CASE("a cancelled request leaves a usable beginning") {
    Rig rig({.max_sequences = 1, .max_batch = 8});
    const std::string prompt = letters(60);
    const RequestId id = rig.submit(request(prompt, 5));
    rig.steps(3);
    rig.scheduler->cancel(id);
    rig.finish_all();
    const RequestId again = rig.submit(request(prompt, 5));
    rig.finish_all();
    CHECK(rig.collector[again].result->cached_tokens == 24);
    CHECK(rig.collector[again].text == expected_answer(prompt, 5));
}

TEST_CASE("what idle slots keep is given up for running requests") {
    Rig rig({.max_sequences = 2, .n_pages = 6}); // 96 tokens
    rig.submit(request(letters(60, 'A'), 2));
    rig.finish_all();
    CHECK(rig.runner.pages_used() == 4);
    const RequestId id = rig.submit(request(letters(70, 'K'), 10));
    rig.finish_all();
    CHECK(rig.collector[id].text == expected_answer(letters(70, 'K'), 10));
    CHECK(rig.runner.stored(0).empty());
}

TEST_CASE("a request waits for memory that others will free") {
    Rig rig({.max_sequences = 2, .n_pages = 6});
    const RequestId a = rig.submit(request(letters(60, 'A'), 10));
    const RequestId b = rig.submit(request(letters(60, 'K'), 10));
    rig.steps(4);
    CHECK(rig.collector[a].tokens.size() > 0);
    CHECK(rig.collector[b].tokens.empty());
    CHECK(rig.scheduler->stats().n_waiting == 1);
    rig.finish_all();
    CHECK(rig.collector[a].text == expected_answer(letters(60, 'A'), 10));
    CHECK(rig.collector[b].text == expected_answer(letters(60, 'K'), 10));
}

TEST_CASE("a request that can never fit is refused with a hint") {
    Rig rig({.max_sequences = 2, .n_pages = 6});
    const RequestId id = rig.submit(request(letters(100), 4));
    const RequestId growing = rig.submit(request(letters(90), 100)); // fits and outgrows the pool
    rig.finish_all();
    CHECK(rig.collector[id].result->reason == FinishReason::error);
    CHECK(rig.collector[id].result->error->kind() == ErrorKind::out_of_memory);
    CHECK_FALSE(rig.collector[id].result->error->hint().empty());
    CHECK(rig.collector[growing].result->error->kind() == ErrorKind::out_of_memory);
    CHECK(rig.collector[growing].tokens.size() == 7); // 96 places hold 90 + 6, the seventh is still sampled
    CHECK(rig.scheduler->health().has_value());
    const RequestId after = rig.submit(request("fits", 4));
    rig.finish_all();
    CHECK(rig.collector[after].text == expected_answer("fits", 4));
}

TEST_CASE("sequences that outgrow the pool together all finish") {
    Rig rig({.n_ctx = 90, .max_sequences = 3, .n_pages = 7});
    std::vector<RequestId> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(rig.submit(request(letters(20, static_cast<char>('A' + i)), 60)));
    rig.finish_all();
    for (int i = 0; i < 3; ++i) {
        const auto answer = rig.collector[ids[static_cast<size_t>(i)]];
        CHECK(answer.text == expected_answer(letters(20, static_cast<char>('A' + i)), 60));
        CHECK(answer.result->reason == FinishReason::length);
        CHECK(answer.n_results == 1);
    }
    CHECK(rig.scheduler->stats().n_preemptions > 0);
}

TEST_CASE("memory that runs out in an evaluation refuses one request") {
    Rig rig;
    rig.runner.failures.emplace(3, Error(ErrorKind::out_of_memory, "no device memory"));
    const RequestId a = rig.submit(request("older", 10));
    rig.steps(1);
    const RequestId b = rig.submit(request("younger", 10));
    rig.finish_all();
    CHECK(rig.collector[a].text == expected_answer("older", 10));
    CHECK(rig.collector[b].result->reason == FinishReason::error);
    CHECK(rig.collector[b].result->error->kind() == ErrorKind::out_of_memory);
}

TEST_CASE("a bug in one evaluation ends the requests that were in it") {
    Rig rig({.max_sequences = 1});
    rig.runner.failures.emplace(2, Error(ErrorKind::internal, "wrong"));
    const RequestId a = rig.submit(request("in it", 10));
    const RequestId b = rig.submit(request("waiting", 10));
    rig.finish_all();
    CHECK(rig.collector[a].result->error->kind() == ErrorKind::internal);
    CHECK(rig.collector[b].text == expected_answer("waiting", 10));
}

TEST_CASE("a lost device ends everything with its error") {
    Rig rig({.max_sequences = 2});
    rig.runner.failures.emplace(3, Error(ErrorKind::device_lost, "the GPU is gone"));
    std::vector<RequestId> ids;
    for (int i = 0; i < 4; ++i) ids.push_back(rig.submit(request("request " + std::to_string(i), 10)));
    rig.finish_all();
    for (const RequestId id : ids) {
        const auto answer = rig.collector[id];
        CHECK(answer.n_results == 1);
        CHECK(answer.result->reason == FinishReason::error);
        CHECK(answer.result->error->kind() == ErrorKind::device_lost);
    }
    CHECK(rig.runner.steps.size() == 4);
    CHECK(rig.scheduler->health().error().kind() == ErrorKind::device_lost);
    CHECK(rig.refusal(request("later")) == ErrorKind::device_lost);
}

TEST_CASE("logits that are not numbers are an error and not a token") {
    Rig rig;
    rig.runner.all_nan = true;
    const RequestId id = rig.submit(request("x"));
    rig.finish_all();
    CHECK(rig.collector[id].result->error->kind() == ErrorKind::internal);
    CHECK(rig.collector[id].tokens.empty());
}

TEST_CASE("every failure at every step leaves one last event per request") {
    for (const ErrorKind kind : {ErrorKind::out_of_memory, ErrorKind::internal, ErrorKind::device_lost}) {
        for (size_t step = 0; step < 30; ++step) {
            Rig rig({.n_ctx = 90, .max_sequences = 2, .max_batch = 16, .n_pages = 7});
            rig.runner.failures.emplace(step, Error(kind, "ordered"));
            std::vector<RequestId> ids;
            for (int i = 0; i < 4; ++i) ids.push_back(rig.submit(request(letters(30, static_cast<char>('A' + i)), 12)));
            rig.finish_all();
            for (int i = 0; i < 4; ++i) {
                const auto answer = rig.collector[ids[static_cast<size_t>(i)]];
                CHECK(answer.n_results == 1);
                CHECK(expected_answer(letters(30, static_cast<char>('A' + i)), 12).starts_with(answer.text));
            }
        }
    }
}

TEST_CASE("stop ends all requests and refuses further ones, drain lets them finish") {
    Rig rig({.max_sequences = 1});
    const RequestId a = rig.submit(request("runs", 6));
    const RequestId b = rig.submit(request("waits", 6));
    rig.steps(2);
    rig.scheduler->drain();
    CHECK(rig.refusal(request("late")) == ErrorKind::unavailable);
    rig.steps(3);
    CHECK_FALSE(rig.collector[a].result);
    rig.finish_all();
    CHECK(rig.collector[a].result->reason == FinishReason::length);
    CHECK(rig.collector[b].result->reason == FinishReason::length);
    CHECK(rig.scheduler->wait_idle(std::chrono::milliseconds(0)));

    Rig other({.max_sequences = 1});
    const RequestId c = other.submit(request("runs", 6));
    const RequestId d = other.submit(request("waits", 6));
    other.steps(2);
    other.scheduler->stop();
    CHECK(other.refusal(request("late")) == ErrorKind::unavailable);
    other.finish_all();
    CHECK(other.collector[c].result->reason == FinishReason::cancelled);
    CHECK(other.collector[d].result->reason == FinishReason::cancelled);
}

TEST_CASE("destroying a scheduler that never ran still gives last events") {
    Rig rig;
    const RequestId id = rig.submit(request("x"));
    rig.scheduler.reset();
    CHECK(rig.collector[id].result->reason == FinishReason::cancelled);
}

TEST_CASE("PrefillBudget learns how many prompt tokens fit into a step") {
    PrefillBudget fixed(512, 64, 100);
    CHECK(fixed.tokens(0) == 512);
    CHECK(fixed.tokens(2) == 64);
    CHECK(fixed.tokens(500) == 12);
    PrefillBudget budget(512, 0, 100);
    CHECK(budget.tokens(1) == 128); // nothing is known yet
    budget.record(0, 512, 1024);    // 2 ms a token
    budget.record(1, 0, 20);
    CHECK(budget.tokens(0) == 512);
    CHECK(budget.tokens(1) == 32);                                    // (100 - 20) / 2 = 40, in steps of 16
    for (int i = 0; i < 30; ++i) budget.record(1, 32, 20 + 32 * 100); // slow: 100 ms a token
    CHECK(budget.tokens(1) == 16);
    for (int i = 0; i < 60; ++i) budget.record(1, 16, 20.001);
    CHECK(budget.tokens(1) == 511); // fast: what the batch holds
}
