#include "tools/bench_params.h"

#include "base/error.h"

#include <charconv>
#include <format>
#include <string_view>
#include <thread>

namespace vkinfer::tools {

namespace {

constexpr size_t kMostValues = 10000; // of one list: "1-2000000000" is a slip

[[noreturn]] void refuse(const std::string& option, std::string_view text) {
    throw Error(ErrorKind::invalid_input,
                std::format("{} {}: not a number, a list, or a range such as 1-8, 0-100+50, 16-64*2.", option, text));
}

int32_t parse_int(const std::string& option, std::string_view text) {
    int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) refuse(option, text);
    return value;
}

void append_range(const std::string& option, std::string_view text, std::vector<int32_t>& values) {
    const size_t dash = text.find('-', 1); // a dash in front is a sign
    if (dash == std::string_view::npos) {
        values.push_back(parse_int(option, text));
        return;
    }
    const size_t op = text.find_first_of("+*", dash);
    const int64_t first = parse_int(option, text.substr(0, dash));
    const int64_t last = parse_int(option, text.substr(dash + 1, op == std::string_view::npos ? op : op - dash - 1));
    const int64_t step = op == std::string_view::npos ? 1 : parse_int(option, text.substr(op + 1));
    const bool multiplies = op != std::string_view::npos && text[op] == '*';
    if (first > last || step < 1 || (multiplies && (step < 2 || first < 1))) refuse(option, text);
    for (int64_t value = first; value <= last; value = multiplies ? value * step : value + step) {
        if (values.size() >= kMostValues) refuse(option, text);
        values.push_back(static_cast<int32_t>(value));
    }
}

} // namespace

BenchParams::BenchParams() : n_threads{static_cast<int32_t>(std::max(1u, std::thread::hardware_concurrency()))} {}

bool BenchTest::shares_runner_with(const BenchTest& other) const {
    return model == other.model && n_ubatch == other.n_ubatch && type_k == other.type_k && type_v == other.type_v &&
           device == other.device;
}

std::vector<std::string> parse_string_list(const std::string& text) {
    std::vector<std::string> values;
    size_t start = 0;
    for (;;) {
        const size_t comma = text.find(',', start);
        values.push_back(text.substr(start, comma == std::string::npos ? comma : comma - start));
        if (comma == std::string::npos) return values;
        start = comma + 1;
    }
}

std::vector<int32_t> parse_int_list(const std::string& option, const std::string& text) {
    std::vector<int32_t> values;
    for (const std::string& part : parse_string_list(text)) append_range(option, part, values);
    return values;
}

std::pair<int32_t, int32_t> parse_pair(const std::string& option, const std::string& text) {
    const auto parts = parse_string_list(text);
    if (parts.size() != 2) {
        throw Error(ErrorKind::invalid_input, std::format("{} {}: two numbers with a comma are needed.", option, text));
    }
    return {parse_int(option, parts[0]), parse_int(option, parts[1])};
}

std::vector<int32_t> parse_flash_attn(const std::string& text) {
    std::vector<int32_t> values;
    for (const std::string& part : parse_string_list(text)) {
        if (part == "auto" || part == "-1") {
            values.push_back(-1);
        } else if (part == "on" || part == "1") {
            values.push_back(1);
        } else if (part == "off" || part == "0") {
            values.push_back(0);
        } else {
            throw Error(ErrorKind::invalid_input, std::format("-fa {}: it must be on, off or auto.", part));
        }
    }
    return values;
}

std::vector<BenchTest> make_tests(const BenchParams& params) {
    std::vector<BenchTest> tests;
    BenchTest test;
    // The innermost step: one test per prompt length, per generation length, per pair.
    const auto add_lengths = [&] {
        const auto add = [&](int32_t n_prompt, int32_t n_gen) {
            if (n_prompt <= 0 && n_gen <= 0) return;
            test.n_prompt = n_prompt;
            test.n_gen = n_gen;
            tests.push_back(test);
        };
        for (const int32_t n : params.n_prompt) add(n, 0);
        for (const int32_t n : params.n_gen) add(0, n);
        for (const auto& [n_prompt, n_gen] : params.n_pg) add(n_prompt, n_gen);
    };
    for (const auto& model : params.models)
        for (const int32_t n_gpu_layers : params.n_gpu_layers)
            for (const auto& device : params.devices)
                for (const auto& load_mode : params.load_mode)
                    for (const int32_t n_batch : params.n_batch)
                        for (const int32_t n_ubatch : params.n_ubatch)
                            for (const auto& type_k : params.type_k)
                                for (const auto& type_v : params.type_v)
                                    for (const int32_t flash_attn : params.flash_attn)
                                        for (const int32_t n_threads : params.n_threads)
                                            for (const int32_t n_depth : params.n_depth) {
                                                test = {.model = model,
                                                        .n_depth = n_depth,
                                                        .n_batch = n_batch,
                                                        .n_ubatch = n_ubatch,
                                                        .type_k = type_k,
                                                        .type_v = type_v,
                                                        .n_threads = n_threads,
                                                        .n_gpu_layers = n_gpu_layers,
                                                        .flash_attn = flash_attn,
                                                        .load_mode = load_mode,
                                                        .device = device};
                                                add_lengths();
                                            }
    return tests;
}

} // namespace vkinfer::tools
