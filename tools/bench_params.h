// What vkinfer-bench is asked to measure: value lists as llama-bench takes them, and the tests that follow from them.
#pragma once

#include "format/tensor_type.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace vkinfer::tools {

/// Lists of values; every combination is measured.
struct BenchParams {
    std::vector<std::string> models;
    std::vector<int32_t> n_prompt = {512};
    std::vector<int32_t> n_gen = {128};
    std::vector<std::pair<int32_t, int32_t>> n_pg; ///< prompt and generation in one test
    std::vector<int32_t> n_depth = {0};
    std::vector<int32_t> n_batch = {2048};
    std::vector<int32_t> n_ubatch = {512};
    std::vector<std::string> type_k = {"f16"};
    std::vector<std::string> type_v = {"f16"};
    std::vector<int32_t> n_threads;
    std::vector<int32_t> n_gpu_layers = {-1};
    std::vector<int32_t> flash_attn = {-1}; ///< -1 auto, 0 off, 1 on
    std::vector<std::string> load_mode = {"auto"};
    std::vector<std::string> devices = {"auto"};
    std::string coopmat = "auto";
    std::string act = "auto";
    int32_t sample_steps = 0; ///< generated tokens are chosen on the device, so many in a submission; 0: none is chosen
    int32_t repetitions = 5;
    bool has_warmup = true;
    bool shows_progress = false;

    BenchParams();
};

/// One line of the table.
struct BenchTest {
    std::string model;
    int32_t n_prompt = 0, n_gen = 0, n_depth = 0;
    int32_t n_batch = 0, n_ubatch = 0;
    std::string type_k, type_v;
    int32_t n_threads = 0, n_gpu_layers = 0, flash_attn = 0;
    std::string load_mode, device;

    int32_t n_ctx() const { return n_prompt + n_gen + n_depth; }
    /// Whether both can be measured on one loaded model.
    bool shares_runner_with(const BenchTest& other) const;
};

/// All combinations in the order of llama-bench.
std::vector<BenchTest> make_tests(const BenchParams& params);

/// "1,2,8-10,16-64*2,0-100+50" -> numbers. Throws Error that names `option`.
std::vector<int32_t> parse_int_list(const std::string& option, const std::string& text);
std::vector<std::string> parse_string_list(const std::string& text);
/// "512,128" -> a pair.
std::pair<int32_t, int32_t> parse_pair(const std::string& option, const std::string& text);
/// on, off, auto, 1, 0, -1
std::vector<int32_t> parse_flash_attn(const std::string& text);

} // namespace vkinfer::tools
