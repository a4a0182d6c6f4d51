// vkinfer-bench: lists, order of tests, measuring, and the formats that scripts read.
#include "tools/bench_output.h"
#include "tools/bench_params.h"
#include "tools/bench_run.h"

#include "base/error.h"
#include "runtime/fake_runner.h"

#include <algorithm>
#include <boost/json.hpp>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::tools;

namespace {

BenchResult sample_result() {
    BenchResult result;
    result.test = {.model = "dir/a \"b\".gguf",
                   .n_prompt = 16,
                   .n_gen = 0,
                   .n_depth = 0,
                   .n_batch = 2048,
                   .n_ubatch = 512,
                   .type_k = "f16",
                   .type_v = "f16",
                   .n_threads = 1,
                   .n_gpu_layers = -1,
                   .flash_attn = -1,
                   .load_mode = "auto",
                   .device = "auto"};
    result.model_type = "llama 0.5M F16";
    result.model_size = 1051136;
    result.model_n_params = 524928;
    result.cpu_info = "a CPU";
    result.gpu_info = "a GPU";
    result.paths = "a GPU (driver), coopmat off";
    result.test_time = "2026-11-21T03:00:26Z";
    result.samples_ns = {400000, 200000};
    return result;
}

std::vector<std::string> split(const std::string& text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == separator) {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

// As llama-bench of llama.cpp 0.7.0 prints them.
constexpr const char* kFieldNames =
    "build_commit,build_number,cpu_info,gpu_info,backends,model_filename,model_type,model_size,model_n_params,n_batch,"
    "n_ubatch,n_threads,cpu_mask,cpu_strict,poll,type_k,type_v,n_gpu_layers,n_cpu_moe,split_mode,main_gpu,no_kv_"
    "offload,"
    "flash_attn,devices,tensor_split,tensor_buft_overrides,load_mode,lazy_mode,embeddings,no_op_offload,no_host,repack,"
    "fit_target,fit_min_ctx,n_prompt,n_gen,n_depth,test_time,avg_ns,stddev_ns,avg_ts,stddev_ts";

std::string printed(const std::string& format, const BenchParams& params, int n_results) {
    const auto printer = make_printer(format, params);
    std::string text = printer->begin();
    for (int i = 0; i < n_results; ++i) text += printer->result(sample_result());
    return text + printer->end();
}

} // namespace

TEST_CASE("bench: lists and ranges") {
    using V = std::vector<int32_t>;
    CHECK(parse_int_list("-p", "512") == V{512});
    CHECK(parse_int_list("-p", "1,2,8") == V{1, 2, 8});
    CHECK(parse_int_list("-p", "1-4") == V{1, 2, 3, 4});
    CHECK(parse_int_list("-p", "0-100+50,7") == V{0, 50, 100, 7});
    CHECK(parse_int_list("-p", "16-100*2") == V{16, 32, 64});
    CHECK(parse_int_list("-ngl", "-1") == V{-1});
    for (const char* wrong :
         {"", "x", "1,", "1-", "4-1", "1-8+0", "1-8*1", "0-8*2", "1-2000000000", "99999999999", "5 "}) {
        CAPTURE(wrong);
        CHECK_THROWS_AS(parse_int_list("-p", wrong), Error);
    }
    CHECK(parse_pair("-pg", "512,128") == std::pair(512, 128));
    CHECK_THROWS_AS(parse_pair("-pg", "512"), Error);
    CHECK(parse_flash_attn("on,off,auto,1,0") == V{1, 0, -1, 1, 0});
    CHECK_THROWS_AS(parse_flash_attn("maybe"), Error);
}

TEST_CASE("bench: tests come in llama-bench's order") {
    BenchParams params;
    params.models = {"m"};
    params.n_prompt = {16, 8};
    params.n_gen = {4, 0};
    params.n_pg = {{2, 3}};
    params.n_depth = {0, 32};
    params.type_k = {"f16", "q8_0"};
    const auto tests = make_tests(params);
    REQUIRE(tests.size() == 16);
    const auto shape = [&](size_t i) {
        return std::array<int32_t, 3>{tests[i].n_prompt, tests[i].n_gen, tests[i].n_depth};
    };
    CHECK(shape(0) == std::array<int32_t, 3>{16, 0, 0});
    CHECK(shape(1) == std::array<int32_t, 3>{8, 0, 0});
    CHECK(shape(2) == std::array<int32_t, 3>{0, 4, 0});
    CHECK(shape(3) == std::array<int32_t, 3>{2, 3, 0});
    CHECK(shape(4) == std::array<int32_t, 3>{16, 0, 32});
    CHECK(tests[7].type_k == "f16");
    CHECK(tests[8].type_k == "q8_0");
    CHECK(tests[0].shares_runner_with(tests[7]));
    CHECK_FALSE(tests[0].shares_runner_with(tests[8]));
}

TEST_CASE("bench: CSV has the fields of llama-bench, every value quoted") {
    const auto lines = split(printed("csv", {}, 2), '\n');
    REQUIRE(lines.size() == 4);
    CHECK(lines[0] == kFieldNames);
    CHECK(lines[1].starts_with("\""));
    CHECK(lines[1].contains(
        ",\"a CPU\",\"a GPU\",\"Vulkan\",\"dir/a \"\"b\"\".gguf\",\"llama 0.5M F16\",\"1051136\","
        "\"524928\",\"2048\",\"512\",\"1\",\"0x0\",\"0\",\"50\",\"f16\",\"f16\",\"-1\",\"0\",\"layer\",\"0\","
        "\"0\",\"-1\",\"auto\",\"0.00\",\"none\",\"auto\",\"auto\",\"0\",\"0\",\"0\",\"1\",\"0\",\"0\",\"16\","
        "\"0\",\"0\",\"2026-11-21T03:00:26Z\",\"300000\",\"141421\",\"60000.000000\",\"28284.271247\""));
}

TEST_CASE("bench: JSON has the same fields in order, then samples and ours") {
    for (const char* format : {"json", "jsonl"}) {
        CAPTURE(format);
        std::string text = printed(format, {}, 1);
        if (std::string_view(format) == "jsonl") CHECK(std::ranges::count(text, '\n') == 1);
        const boost::json::value parsed = boost::json::parse(text);
        const boost::json::object& object = parsed.is_array() ? parsed.at(0).as_object() : parsed.as_object();
        auto names = split(kFieldNames, ',');
        for (const char* name : {"samples_ns", "samples_ts", "median_ts", "paths"}) names.push_back(name);
        std::vector<std::string> found;
        for (const auto& member : object) found.push_back(std::string(member.key()));
        CHECK(found == names);
        for (const auto& member : object) {
            const std::string name(member.key());
            CAPTURE(name);
            if (name == "cpu_strict" || name == "no_kv_offload" || name == "embeddings" || name == "no_host" ||
                name == "repack") {
                CHECK(member.value().is_bool());
            } else if (name == "avg_ts" || name == "stddev_ts" || name == "median_ts") {
                CHECK(member.value().is_double());
            }
        }
        CHECK(object.at("avg_ts").as_double() == doctest::Approx(60000));
        CHECK(object.at("median_ts").as_double() == doctest::Approx(60000));
        CHECK(object.at("samples_ns").as_array().size() == 2);
        CHECK(object.at("flash_attn").as_int64() == -1);
        CHECK(object.at("model_filename").as_string() == "dir/a \"b\".gguf");
    }
    CHECK(boost::json::parse(printed("json", {}, 3)).as_array().size() == 3);
    CHECK(boost::json::parse(printed("json", {}, 0)).as_array().empty());
    CHECK(printed("json", {}, 1).starts_with("[\n  {\n    \"build_commit\": "));
    CHECK(printed("json", {}, 1)
              .contains("    \"samples_ns\": [ 400000, 200000 ],\n    \"samples_ts\": [ 40000, 80000 ],\n"));
}

TEST_CASE("bench: the table has llama-bench's widths, and columns only where values differ from the defaults") {
    BenchParams params;
    auto lines = split(printed("md", params, 1), '\n');
    CHECK(lines[0] ==
          "| model                          |       size |     params | backend    | ngl |            test |"
          "                  t/s |");
    CHECK(lines[1] ==
          "| ------------------------------ | ---------: | ---------: | ---------- | --: | --------------: |"
          " -------------------: |");
    CHECK(lines[2] ==
          "| llama 0.5M F16                 |   1.00 MiB |     0.52 M | Vulkan     |  -1 |            pp16 |"
          "  60000.00 ± 28284.27 |");
    CHECK(lines[3].empty());
    CHECK(lines[4].starts_with("build: "));
    params.n_threads = {1, 2};
    params.n_batch = {64, 32};
    params.n_ubatch = {16};
    params.type_k = {"f16", "q8_0"};
    params.flash_attn = {1};
    params.devices = {"0"};
    params.load_mode = {"none"};
    lines = split(printed("md", params, 1), '\n');
    CHECK(
        lines[0] ==
        "| model                          |       size |     params | backend    | ngl | threads | n_batch | n_ubatch |"
        " type_k |  fa | dev          |         lm |            test |                  t/s |");
    CHECK(lines[1].contains("| ------: | ------: | -------: | -----: | --: | ------------ | ---------: |"));
}

TEST_CASE("bench: names of tests") {
    const auto name = [](int32_t n_prompt, int32_t n_gen, int32_t n_depth) {
        BenchResult result = sample_result();
        result.test.n_prompt = n_prompt;
        result.test.n_gen = n_gen;
        result.test.n_depth = n_depth;
        const auto cells = split(make_printer("md", {})->result(result), '|');
        const std::string& cell = cells.at(6);
        return cell.substr(cell.find_first_not_of(' '), cell.find_last_not_of(' ') - cell.find_first_not_of(' ') + 1);
    };
    CHECK(name(512, 0, 0) == "pp512");
    CHECK(name(0, 128, 0) == "tg128");
    CHECK(name(512, 128, 0) == "pp512+tg128");
    CHECK(name(0, 128, 4096) == "tg128 @ d4096");
}

TEST_CASE("bench: SQL creates the table llama_bench") {
    const std::string text = printed("sql", {}, 1);
    CHECK(
        text.starts_with("CREATE TABLE IF NOT EXISTS llama_bench (\n  build_commit TEXT,\n  build_number INTEGER,\n"));
    CHECK(text.contains("INSERT INTO llama_bench (build_commit, build_number, "));
    CHECK(make_printer("xml", {}) == nullptr);
}

TEST_CASE("bench: mean, deviation and median") {
    CHECK(mean({}) == 0);
    CHECK(standard_deviation({5}) == 0);
    CHECK(standard_deviation({1, 3}) == doctest::Approx(1.41421356));
    CHECK(median({9, 1, 5}) == 5);
    CHECK(median({9, 1, 5, 7}) == 6);
}

TEST_CASE("bench: what a test evaluates") {
    runtime::test::FakeRunner runner({.n_ctx = 256, .max_sequences = 1, .max_batch = 16, .max_logits = 1});
    BenchSession session(runner);
    std::vector<std::string> said;
    const BenchTest test{.n_prompt = 40, .n_gen = 3, .n_depth = 20, .n_batch = 2048, .n_ubatch = 16};
    const auto samples = session.measure(test, 2, true, [&](const std::string& line) { said.push_back(line); });
    CHECK(samples.size() == 2);
    CHECK(said == std::vector<std::string>{"warmup prompt run", "warmup generation run", "depth run 1/2",
                                           "prompt run 1/2", "generation run 1/2", "depth run 2/2 (cached)",
                                           "prompt run 2/2", "generation run 2/2"});
    // Warm-up 3 + 1; depth 2; then twice 3 batches of the prompt and 3 tokens.
    REQUIRE(runner.steps.size() == 4 + 2 + 2 * 6);
    CHECK(runner.steps[6].front().position == 20);
    CHECK(runner.steps[6].size() == 16);
    CHECK(runner.steps[8].size() == 8);
    CHECK(runner.steps[8].back().want_logits);
    CHECK_FALSE(runner.steps[7].back().want_logits);
    CHECK(runner.steps[9].size() == 1);
    CHECK(runner.steps.back().back().position == 62);
    CHECK(runner.violations.empty());

    runner.device_steps = 16;
    BenchSession sampling(runner, nullptr, 4);
    sampling.measure({.n_prompt = 0, .n_gen = 10, .n_batch = 16, .n_ubatch = 16}, 1, false, [](const std::string&) {});
    CHECK(runner.generated == std::vector<int32_t>{4, 4, 2});
    CHECK(runner.violations.empty());

    runner.failures.emplace(runner.steps.size(), Error(ErrorKind::device_lost, "gone"));
    CHECK_THROWS_AS(session.measure(test, 1, false, [](const std::string&) {}), Error);
}
