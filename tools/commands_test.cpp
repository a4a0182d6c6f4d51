// Options of the programs, and the commands that need no GPU.
#include "base/error.h"
#include "runtime/fake_runner.h"
#include "support/support.h"
#include "tools/engine_flags.h"
#include "tools/info_command.h"
#include "tools/json_text.h"
#include "tools/logits_command.h"
#include "tools/program.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <initializer_list>

using namespace vkinfer;
using namespace vkinfer::tools;

namespace {

runtime::EngineOptions parsed;
SamplingFlags parsed_sampling;

CommandBody add_probe(CLI::App& app) {
    parsed = {};
    parsed_sampling = {};
    add_model_flags(app, parsed);
    add_engine_flags(app, parsed);
    add_sampling_flags(app, parsed_sampling);
    return [] { return 0; };
}

CommandBody add_failing(CLI::App&) {
    return []() -> int { throw Error(ErrorKind::not_found, "nothing here", "look elsewhere"); };
}

int run(std::initializer_list<const char*> arguments, CommandSetup setup = add_probe) {
    std::vector<const char*> argv = {"program"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_program("a test", "program", setup, static_cast<int>(argv.size()), argv.data());
}

} // namespace

TEST_CASE("programs: llama.cpp's spellings of options") {
    CHECK(run({"-m", "x.gguf", "-ctk", "q8_0",  "-ctv=q4_0", "-ub",    "64",  "-c",      "4096", "-ngl", "99", "-fa",
               "on", "-dev",   "1",    "--act", "f16",       "--temp", "0.5", "--top-k", "7",    "-s",   "3"}) == 0);
    CHECK(parsed.model == "x.gguf");
    CHECK(parsed.type_k == "q8_0");
    CHECK(parsed.type_v == "q4_0");
    CHECK(parsed.n_ubatch == 64);
    CHECK(parsed.n_ctx == 4096);
    CHECK(parsed.device == "1");
    CHECK(parsed.act == "f16");
    const runtime::SamplingParams sampling = parsed_sampling.over({});
    CHECK(sampling.temperature == 0.5f);
    CHECK(sampling.top_k == 7);
    CHECK(sampling.min_p == 0.05f);
    CHECK(sampling.seed == 3);
}

TEST_CASE("programs: exit status of help, wrong options and errors") {
    CHECK(run({"--help"}) == kExitOk);
    CHECK(run({"--version"}) == kExitOk);
    CHECK(run({"--no-such-option"}) == kExitUsage);
    CHECK(run({"--coopmat", "maybe"}) == kExitUsage);
    CHECK(run({"-c", "-5"}) == kExitUsage);
    CHECK(run({"-ub", "x"}) == kExitUsage);
    CHECK(run({}, add_failing) == kExitFailed);
    CHECK(run({"--temp", "-1"}) == kExitOk); // refused when it is used
    CHECK_THROWS_AS((void)parsed_sampling.over({}), Error);
}

TEST_CASE("programs: subcommands") {
    constexpr auto kCommands =
        std::to_array<Command>({{"probe", "works", add_probe}, {"fail", "does not", add_failing}});
    const auto run_command = [&](std::vector<const char*> argv) {
        argv.insert(argv.begin(), "program");
        return run_program("a test", "program", kCommands, static_cast<int>(argv.size()), argv.data());
    };
    CHECK(run_command({"probe", "-ctk", "q8_0"}) == kExitOk);
    CHECK(parsed.type_k == "q8_0");
    CHECK(run_command({"fail"}) == kExitFailed);
    CHECK(run_command({"probe", "--help"}) == kExitOk);
    CHECK(run_command({"fail", "--version"}) == kExitOk);
    CHECK(run_command({}) == kExitUsage);
    CHECK(run_command({"neither"}) == kExitUsage);
}

TEST_CASE("logits: lists share batches, every position comes in order") {
    runtime::test::FakeRunner runner({.n_ctx = 64, .max_sequences = 3, .max_batch = 16, .max_logits = 16});
    const std::vector<std::vector<runtime::Token>> lists = {
        std::vector<runtime::Token>(20, 1), std::vector<runtime::Token>(9, 2), std::vector<runtime::Token>(3, 3)};
    for (const int32_t chunk : {0, 1, 4, 7}) {
        CAPTURE(chunk);
        for (int32_t i = 0; i < 3; ++i) runner.truncate(i, 0);
        runner.steps.clear();
        std::vector<size_t> n_rows(3);
        std::vector<float> last;
        evaluate_lists(runner, lists, chunk, [&](size_t list, std::span<const float> logits) {
            CHECK(logits.size() == 257);
            ++n_rows[list];
            if (list == 0) last.assign(logits.begin(), logits.end());
        });
        CHECK(n_rows == std::vector<size_t>{20, 9, 3});
        CHECK(last[static_cast<size_t>(runtime::test::FakeRunner::hash_next(lists[0]))] == 20.0f);
        CHECK(runner.violations.empty());
        if (chunk == 4) {
            REQUIRE(runner.steps.size() == 5);
            CHECK(runner.steps[0].size() == 11); // 4 + 4 + 3
            CHECK(runner.steps[1].size() == 8);
            CHECK(runner.steps[4].size() == 4);
        }
        if (chunk == 0) CHECK(runner.steps.size() == 2);
    }
    runner.failures.emplace(0, Error(ErrorKind::device_lost, "gone"));
    runner.steps.clear();
    for (int32_t i = 0; i < 3; ++i) runner.truncate(i, 0);
    CHECK_THROWS_AS(evaluate_lists(runner, lists, 0, [](size_t, std::span<const float>) {}), Error);
}

TEST_CASE("logits: token lists are checked") {
    CHECK(parse_tokens("[1, 2, 3]", "file") == std::vector<runtime::Token>{1, 2, 3});
    for (const char* wrong : {"", "{}", "[]", "[1", "[\"a\"]", "[1.5]", "[99999999999]"}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(parse_tokens(wrong, "file"), Error);
    }
}

TEST_CASE("info: text and JSON of a model file") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const auto summary = runtime::summarise(format::GgufFile(golden / "models" / "qwen3" / "model.gguf"));
    const runtime::MemoryCase memory{.n_ctx = 1000};
    const std::string text = info_text(summary, memory);
    for (const char* part : {"qwen3", "F16", "%", "1000 tokens"}) CHECK(text.contains(part));
    const boost::json::value json = boost::json::parse(info_json(summary, memory));
    CHECK(json.at("architecture").as_string() == "qwen3");
    CHECK(json.at("n_vocab").as_int64() == 512);
    CHECK(json.at("memory").at("kv_bytes").to_number<uint64_t>() ==
          summary.kv_bytes(1000, format::TensorType::f16, format::TensorType::f16));
    CHECK(json.at("memory").at("total_bytes").to_number<uint64_t>() ==
          runtime::memory_need(summary, memory).total_bytes());
    double share = 0;
    for (const auto& type : json.at("tensor_types").as_array()) share += type.at("share").to_number<double>();
    CHECK(share == doctest::Approx(1));
    CHECK(parse_tensor_type("-ctk", "q8_0") == format::TensorType::q8_0);
    CHECK_THROWS_AS(parse_tensor_type("-ctk", "q9"), Error);
}

TEST_CASE("JSON literals") {
    CHECK(json_string("a\"\\\n\x1f\xC3\xA9\xFF") == "\"a\\\"\\\\\\n\\u001f\xC3\xA9\xEF\xBF\xBD\"");
    CHECK(json_number(0.5) == "0.5");
    CHECK(json_number(1.0 / 0.0) == "0");
}
