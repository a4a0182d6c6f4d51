// The bundled demo model answers through the engine: the questions of tools/demo/heldout.json, none of which it was
// trained on in these words, rendered by its own template and decoded greedily, several at a time.
#include "base/file.h"
#include "runtime/engine.h"
#include "support/support.h"

#include <algorithm>
#include <boost/json.hpp>
#include <condition_variable>
#include <cstdio>
#include <deque>
#include <doctest/doctest.h>
#include <map>
#include <mutex>

using namespace vkinfer;
using namespace vkinfer::runtime;
namespace json = boost::json;

namespace {

constexpr int kAtOnce = 8;

struct Case {
    std::vector<Token> prompt;
    std::vector<std::string> accept;
    std::string question;
    std::string answer;
};

std::unique_ptr<Engine> load() {
    EngineOptions options;
    options.model = test::source_dir() / "tools" / "demo" / "vkinfer-demo.gguf";
    options.n_parallel = kAtOnce;
    options.n_ctx = 512;
    return Engine::create(options);
}

Case make_case(const Engine& engine, const json::object& from) {
    Case made;
    ChatRequest chat{.messages_json = json::serialize(from.at("messages"))};
    if (const json::value* tools = from.if_contains("tools")) chat.tools_json = json::serialize(*tools);
    const auto text = engine.apply_template(chat);
    REQUIRE(text.has_value());
    made.prompt = engine.tokenize(*text, true, true);
    for (const auto& accepted : from.at("accept").as_array()) made.accept.emplace_back(accepted.as_string());
    made.question = std::string(from.at("messages").as_array().back().at("content").as_string());
    return made;
}

/// Answers all cases, at most kAtOnce at the same time.
void answer(Engine& engine, std::vector<Case>& cases) {
    std::mutex mutex;
    std::condition_variable changed;
    int running = 0;
    for (Case& one : cases) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return running < kAtOnce; });
        ++running;
        lock.unlock();
        GenerationRequest request{.prompt = one.prompt, .sampling = engine.info().default_sampling, .max_tokens = 96};
        const auto id = engine.submit(std::move(request), [&](RequestId, GenerationEvent event) {
            const std::lock_guard guard(mutex);
            one.answer += event.text;
            if (!event.result) return;
            --running;
            changed.notify_all();
        });
        REQUIRE(id.has_value());
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return running == 0; });
}

} // namespace

TEST_CASE("the demo model answers held-out questions") {
    const auto engine = load();
    CHECK(engine->info().default_sampling.temperature == 0.0f); // general.sampling.temp of the file
    const json::value heldout = json::parse(read_text_file(test::source_dir() / "tools" / "demo" / "heldout.json"));
    std::map<std::string, double> minimum;
    for (const auto& group : heldout.at("groups").as_array()) {
        const std::string name(group.at("name").as_string());
        minimum[name] = group.at("minimum").to_number<double>();
        std::vector<Case> cases;
        for (const auto& one : group.at("cases").as_array()) cases.push_back(make_case(*engine, one.as_object()));
        answer(*engine, cases);
        int right = 0;
        for (const Case& one : cases) {
            const bool is_right = std::ranges::any_of(
                one.accept, [&](const std::string& text) { return one.answer.find(text) != std::string::npos; });
            right += is_right;
            if (!is_right)
                std::printf("  %s: \"%s\" -> \"%s\"\n", name.c_str(), one.question.c_str(), one.answer.c_str());
        }
        const double share = static_cast<double>(right) / static_cast<double>(cases.size());
        std::printf("%s: %d of %zu\n", name.c_str(), right, cases.size());
        INFO(name, ": ", right, " of ", cases.size());
        CHECK(share >= minimum[name]);
    }
    // What the model is there for, whatever else the file asks.
    CHECK(minimum["two_digit_additions"] >= 0.95);
    CHECK(minimum["fact_wordings"] >= 0.90);
}
