// The results of vkinfer-bench in the formats of llama-bench: fields, order, types and widths are a contract with
// users' scripts (read off llama.cpp 0.7.0, build 11669, by running it). Ours come last: median_ts and paths, in JSON
// only.
#pragma once

#include "tools/bench_params.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace vkinfer::tools {

struct BenchResult {
    BenchTest test;
    std::string model_type;
    uint64_t model_size = 0, model_n_params = 0;
    uint64_t active_params = 0, active_bytes = 0; ///< of the model, for one token
    std::string cpu_info, gpu_info;
    std::string paths;     ///< device, driver and kernel paths
    std::string test_time; ///< RFC 3339, UTC
    std::vector<uint64_t> samples_ns;
    std::vector<std::pair<std::string, double>> more_numbers; ///< further fields, in JSON only

    std::vector<double> samples_ts() const;
};

double mean(const std::vector<double>& values);
/// Of a sample (n - 1); 0 for less than two values.
double standard_deviation(const std::vector<double>& values);
double median(std::vector<double> values);

class BenchPrinter {
public:
    virtual ~BenchPrinter() = default;
    /// Text before the first result, for each result, and after the last.
    virtual std::string begin() = 0;
    virtual std::string result(const BenchResult& result) = 0;
    virtual std::string end() = 0;
};

/// `format`: md, csv, json, jsonl or sql; null for anything else. The table shows the columns in which `params` differs
/// from the defaults.
std::unique_ptr<BenchPrinter> make_printer(const std::string& format, const BenchParams& params);

} // namespace vkinfer::tools
