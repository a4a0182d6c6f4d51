// `vkinfer quantize SOURCE TARGET TYPE`: a float model -> a quantised one, with progress on a terminal.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace CLI {
class App;
}

namespace vkinfer::tools {

struct QuantizeArguments {
    std::filesystem::path source;
    std::filesystem::path target;
    std::string recipe;               ///< Q4_K_M, Q8_0, ...
    std::string output_type;          ///< empty: as the recipe says
    std::string token_embedding_type; ///< empty: as the recipe says
    bool pure = false;
    bool measure = false;   ///< print the error of each tensor
    uint32_t n_threads = 0; ///< 0: all cores
};

/// Declares the arguments of the subcommand on `command`; they are filled when it is parsed.
void add_quantize_arguments(CLI::App& command, QuantizeArguments& arguments);

/// Does it; progress goes to `progress` (standard error, or null for none), the summary to `out`. Throws Error.
void run_quantize(const QuantizeArguments& arguments, std::FILE* out, std::FILE* progress);

} // namespace vkinfer::tools
