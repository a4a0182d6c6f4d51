// The whole engine on a device: file, tokenizer, template, scheduler and kernels together, on tiny random models whose
// answers mean nothing but must not depend on what else runs or what the cache still holds.
#include "runtime/engine.h"

#include "runtime/model_memory.h"
#include "runtime/tuner.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <doctest/doctest.h>
#include <future>
#include <new>

using namespace vkinfer;
using namespace vkinfer::runtime;

namespace {

thread_local uint64_t n_allocations = 0;

} // namespace

// Counted, so that a test can see that a token allocates nothing. The other forms come down to these.
[[gnu::noinline]] void* operator new(size_t size) {
    ++n_allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
    std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept {
    std::free(memory);
}

namespace {

struct Answer {
    std::string text;
    std::vector<Token> tokens;
    GenerationResult result;
};

std::future<Answer> ask(Generator& generator, std::string_view prompt, int32_t max_tokens,
                        const SamplingParams& sampling = {.temperature = 0}) {
    GenerationRequest request;
    request.prompt = generator.tokenize(prompt, true, true);
    request.sampling = sampling;
    request.max_tokens = max_tokens;
    request.ignore_eos = true;
    struct State {
        Answer answer;
        std::promise<Answer> done;
    };
    const auto state = std::make_shared<State>();
    const auto id = generator.submit(std::move(request), [state](RequestId, GenerationEvent event) {
        state->answer.text += event.text;
        state->answer.tokens.insert(state->answer.tokens.end(), event.tokens.begin(), event.tokens.end());
        if (!event.result) return;
        state->answer.result = *event.result;
        state->done.set_value(std::move(state->answer));
    });
    REQUIRE(id.has_value());
    return state->done.get_future();
}

std::unique_ptr<Engine> load(const std::filesystem::path& golden, const char* model, int32_t n_parallel) {
    EngineOptions options;
    options.model = golden / "models" / model / "model.gguf";
    options.n_parallel = n_parallel;
    options.n_ubatch = 32;
    options.act = "f32";
    return Engine::create(options);
}

} // namespace

TEST_CASE("an answer does not depend on what runs beside it or what the cache holds") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto engine = load(golden, "qwen3", 3);
    CHECK(engine->info().architecture == "qwen3");
    CHECK(engine->info().n_vocab == 512);
    const std::vector<std::string> prompts = {
        "the first prompt", "quite another and longer one, in more than one batch of tokens", "a third"};
    std::vector<Answer> alone;
    for (const std::string& prompt : prompts) {
        alone.push_back(ask(*engine, prompt, 24).get());
        CHECK(alone.back().tokens.size() == 24);
        CHECK(alone.back().result.reason == FinishReason::length);
    }
    std::vector<std::future<Answer>> together;
    for (const std::string& prompt : prompts) together.push_back(ask(*engine, prompt, 24));
    for (size_t i = 0; i < prompts.size(); ++i) {
        const Answer answer = together[i].get();
        CHECK(answer.tokens == alone[i].tokens);
        CHECK(answer.text == alone[i].text);
        CHECK(answer.result.cached_tokens > 0); // all of the prompt but its last token is still there
    }
    CHECK(engine->drain(std::chrono::seconds(30)));
}

TEST_CASE("the device chooses the tokens that the host chooses, several in one submission") {
    VKINFER_REQUIRE_GOLDEN(golden);
    std::vector<std::vector<Token>> answers[2];
    for (const bool on_device : {false, true}) {
        EngineOptions options;
        options.model = golden / "models" / "qwen3" / "model.gguf";
        options.n_parallel = 3;
        options.n_ubatch = 32;
        options.act = "f32";
        options.backend_sampling = on_device ? "on" : "off";
        options.scheduling.max_steps = 7;
        const auto engine = Engine::create(options);
        for (const bool together : {false, true}) {
            std::vector<std::future<Answer>> asked;
            for (int i = 0; i < 3; ++i) {
                SamplingParams sampling = engine->info().default_sampling;
                sampling.seed = 11 + static_cast<uint64_t>(i);
                if (i == 1) sampling = {.temperature = 1, .top_k = 0, .top_p = 0.9f, .min_p = 0, .seed = 3};
                if (i == 2) sampling.repeat_penalty = 1.2f;
                asked.push_back(ask(*engine, "once upon a time", 40, sampling));
                if (!together) asked.back().wait();
            }
            for (auto& answer : asked) answers[on_device].push_back(answer.get().tokens);
        }
    }
    CHECK(answers[0] == answers[1]);
    for (int i = 0; i < 3; ++i) {
        CHECK(answers[1][static_cast<size_t>(i)].size() == 40);
        CHECK(answers[1][static_cast<size_t>(i)] == answers[1][static_cast<size_t>(i) + 3]); // alone or together
    }
}

TEST_CASE("logits of a card come to the host when it asks for them") {
    VKINFER_REQUIRE_GOLDEN(golden);
    std::vector<float> logits[2];
    std::vector<Token> tokens[2];
    for (const bool is_card : {false, true}) {
        RunnerOptions options;
        options.model = golden / "models" / "qwen3" / "model.gguf";
        options.n_ctx = 64;
        options.max_sequences = 3;
        options.act = "f32";
        options.is_staged = is_card; // as on a card with memory of its own
        options.backend_sampling = "on";
        const auto runner = create_vulkan_runner(options);
        CHECK(runner->memory().list.card_logits.has_value() == is_card);
        std::vector<StepToken> step;
        for (int32_t s = 0; s < 3; ++s) {
            REQUIRE(runner->reserve(s, 8));
            step.push_back({5 + s, 0, s, true});
        }
        const auto keep = [&](std::span<const float> rows) {
            logits[is_card].insert(logits[is_card].end(), rows.begin(), rows.end());
        };
        const auto evaluated = runner->evaluate(step);
        REQUIRE(evaluated.has_value());
        keep(*evaluated);
        const Sampler wide({.temperature = 1, .top_k = 0, .top_p = 0.9f, .min_p = 0}, 1);
        const Sampler few({.temperature = 1, .top_k = 40}, 1);
        const std::vector<Token> history = {5};
        for (StepToken& token : step) token.position = 1;
        const std::vector<SampledRow> rows = {{&wide, history}, {&few, history}, {&wide, history}};
        const auto generated = runner->generate(step, rows, 2);
        REQUIRE(generated.has_value());
        tokens[is_card].assign(generated->tokens.begin(), generated->tokens.end());
    }
    CHECK(logits[0] == logits[1]);
    CHECK(logits[0].size() == 3 * 512);
    CHECK(tokens[0] == tokens[1]);
    CHECK(std::ranges::min(tokens[1]) >= 0);
}

TEST_CASE("a rendered conversation has the BOS that the model wants, once") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto engine = load(golden, "llama", 1);
    const auto rendered = engine->apply_template({.messages_json = R"([{"role":"user","content":"hi"}])"});
    REQUIRE(rendered.has_value());
    const std::vector<Token> tokens = engine->tokenize(*rendered, false, true);
    const std::vector<Token> bos = engine->tokenize("", true, true);
    REQUIRE(bos.size() == 1);
    CHECK(tokens.front() == bos.front());
    CHECK(std::ranges::count(tokens, bos.front()) == 1);
    const auto refused = engine->apply_template({.messages_json = "no JSON"});
    CHECK_FALSE(refused.has_value());
}

TEST_CASE("what cannot be loaded is an error that names it") {
    VKINFER_REQUIRE_GOLDEN(golden);
    EngineOptions options;
    options.model = golden / "models" / "llama" / "no-such-file.gguf";
    CHECK_THROWS_AS((void)Engine::create(options), Error);
    options.model = golden / "models" / "llama" / "model.gguf";
    options.type_k = "q9_9";
    CHECK_THROWS_AS((void)Engine::create(options), Error);
    options.type_k = "f16";
    options.chat_template = "{% if %}";
    CHECK_THROWS_AS((void)Engine::create(options), Error);
    options.chat_template.clear();
    options.device = "no such device";
    CHECK_THROWS_AS((void)Engine::create(options), Error);
}

TEST_CASE("tuned products compute the same, and every candidate does") {
    VKINFER_REQUIRE_GOLDEN(golden);
    for (const char* model : {"qwen3", "qwen3moe"}) {
        INFO(std::string(model));
        RunnerOptions options;
        options.model = golden / "models" / model / "model.gguf";
        options.n_ctx = 128;
        options.n_ubatch = 64;
        options.act = "f32";
        const auto runner = create_vulkan_runner(options);
        REQUIRE(runner->reserve(0, 64));
        std::vector<StepToken> prompt;
        for (int32_t i = 0; i < 40; ++i) prompt.push_back({(7 * i + 3) % 500, i, 0, i == 39});
        const auto logits = [&](std::span<const StepToken> tokens) {
            const auto result = runner->evaluate(tokens);
            REQUIRE(result.has_value());
            return std::vector<float>(result->begin(), result->end());
        };
        const StepToken next{11, 40, 0, true};
        const std::vector<float> read = logits(prompt), decoded = logits({&next, 1});
        uint32_t n_products = 0, n_wrong = 0;
        runner->tune([&](const TunedProduct& product) {
            ++n_products;
            n_wrong += product.n_wrong;
            CHECK(product.n_candidates > 1);
            CHECK(product.best_us <= product.default_us);
        });
        CHECK(n_products > 4);
        CHECK(n_wrong == 0);
        CHECK(runner->describe().contains("tuned for"));
        const auto check_close = [](const std::vector<float>& a, const std::vector<float>& b) {
            REQUIRE(a.size() == b.size());
            float worst = 0, largest = 0;
            for (size_t i = 0; i < a.size(); ++i) {
                worst = std::max(worst, std::abs(a[i] - b[i]));
                largest = std::max(largest, std::abs(a[i]));
            }
            CHECK(worst <= 1e-3f * largest); // sums in another order
        };
        check_close(logits(prompt), read);
        check_close(logits({&next, 1}), decoded);
    }
}

TEST_CASE("a decoded token allocates nothing, with and without a limit on submissions") {
    VKINFER_REQUIRE_GOLDEN(golden);
    if (std::getenv("VK_INSTANCE_LAYERS") != nullptr) return test::skip("Vulkan layers allocate, which counts here");
    const Sampler sampler({.repeat_penalty = 1.1f}, 1, {3, 4});
    for (const int32_t budget_ms : {0, 250}) {
        for (const int32_t n_sequences : {1, 3}) {
            INFO("budget ", budget_ms, " sequences ", n_sequences);
            RunnerOptions options;
            options.model = golden / "models" / "qwen3" / "model.gguf";
            options.n_ctx = 64;
            options.n_ubatch = 8;
            options.max_sequences = n_sequences;
            options.submit_budget_ms = budget_ms;
            options.backend_sampling = "on";
            const auto runner = create_vulkan_runner(options);
            for (int32_t s = 0; s < n_sequences; ++s) REQUIRE(runner->reserve(s, 64));
            const std::vector<Token> history = {1, 2, 3, 2};
            const std::vector<SampledRow> rows(static_cast<size_t>(n_sequences), {&sampler, history, true});
            std::vector<StepToken> step(static_cast<size_t>(n_sequences));
            for (int32_t position = 0; position < 40; ++position) {
                for (int32_t s = 0; s < n_sequences; ++s)
                    step[static_cast<size_t>(s)] = {position + s, position, s, true};
                const uint64_t before = n_allocations;
                const auto logits = runner->evaluate(step);
                const uint64_t n = n_allocations - before;
                REQUIRE(logits.has_value());
                if (position >= 10) CHECK(n == 0); // the first ones make the plan
            }
            for (int32_t position = 40; position < 56; position += 2) {
                for (int32_t s = 0; s < n_sequences; ++s) step[static_cast<size_t>(s)].position = position;
                const uint64_t before = n_allocations;
                const int32_t n_steps = runner->max_steps(step, rows);
                const auto generated = runner->generate(step, rows, 2);
                const uint64_t n = n_allocations - before;
                CHECK(n_steps > 2);
                REQUIRE(generated.has_value());
                if (position >= 48) CHECK(n == 0);
            }
        }
    }
}
