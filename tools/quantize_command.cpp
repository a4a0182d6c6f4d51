#include "tools/quantize_command.h"

#include "base/error.h"
#include "format/quantise_model.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <format>
#include <map>
#include <optional>
#include <unistd.h>

namespace vkinfer::tools {

namespace {

std::optional<format::TensorType> type_of(const std::string& name) {
    if (name.empty()) return std::nullopt;
    const format::TypeTraits* found = format::find_traits(name);
    if (found == nullptr || found->quantise == nullptr || found->kind == format::TypeKind::activation) {
        throw Error(ErrorKind::invalid_input, std::format("tensor type \"{}\" cannot be written.", name),
                    "Use F32, F16, BF16, Q8_0, Q6_K, Q5_K, Q4_K, Q5_0, Q5_1, Q4_0, Q4_1 or MXFP4.");
    }
    return found->type;
}

/// Overwrites one line, at most ten times a second.
class ProgressLine {
public:
    explicit ProgressLine(std::FILE* stream)
        : stream_(stream != nullptr && ::isatty(::fileno(stream)) ? stream : nullptr) {}
    ~ProgressLine() {
        if (is_shown_) std::fputs("\r\x1b[K", stream_);
    }
    void show(uint64_t done, uint64_t all, const std::string& tensor) {
        const auto now = std::chrono::steady_clock::now();
        if (stream_ == nullptr || now - last_ < std::chrono::milliseconds(100)) return;
        last_ = now;
        is_shown_ = true;
        const double share = 100.0 * static_cast<double>(done) / static_cast<double>(all);
        std::fputs(std::format("\r{:5.1f} %  {}\x1b[K", share, format::escape(tensor)).c_str(), stream_);
        std::fflush(stream_);
    }

private:
    std::FILE* stream_;
    bool is_shown_ = false;
    std::chrono::steady_clock::time_point last_;
};

} // namespace

void add_quantize_arguments(CLI::App& command, QuantizeArguments& arguments) {
    std::string help = "what to make of it:";
    for (const format::QuantiseRecipe& recipe : format::quantise_recipes()) {
        help += std::format("\n  {}: {}", recipe.name, recipe.help);
    }
    command.add_option("source", arguments.source, "GGUF model in F32, F16 or BF16 (first part of a split one)")
        ->required();
    command.add_option("target", arguments.target, "file to write")->required();
    command.add_option("type", arguments.recipe, help)->required();
    command.add_option("--output-type", arguments.output_type, "tensor type of the output matrix");
    command.add_option("--token-embedding-type", arguments.token_embedding_type, "tensor type of the token embedding");
    command.add_flag("--pure", arguments.pure, "the same type for every matrix");
    command.add_flag("--rmse", arguments.measure, "print type and error of each tensor");
    command.add_option("--threads,-t", arguments.n_threads, "threads; 0 for all cores")->capture_default_str();
}

void run_quantize(const QuantizeArguments& arguments, std::FILE* out, std::FILE* progress) {
    const format::QuantiseRecipe& recipe = format::find_recipe(arguments.recipe);
    format::QuantiseOptions options;
    options.pure = arguments.pure;
    options.measure = arguments.measure;
    options.n_threads = arguments.n_threads;
    options.output_type = type_of(arguments.output_type);
    options.token_embedding_type = type_of(arguments.token_embedding_type);
    const format::GgufFile source(arguments.source);

    const auto start = std::chrono::steady_clock::now();
    std::vector<format::QuantisedTensor> results;
    {
        ProgressLine line(progress);
        options.progress = [&](uint64_t done, uint64_t all, const std::string& tensor) {
            line.show(done, all, tensor);
        };
        results = format::quantise_model(source, arguments.target, recipe, options);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    const auto print = [out](const std::string& text) { std::fputs(text.c_str(), out); };
    uint64_t n_elements = 0;
    size_t n_fallbacks = 0;
    std::map<std::string, uint64_t> elements_of_type;
    for (const format::QuantisedTensor& tensor : results) {
        n_elements += tensor.n_elements;
        n_fallbacks += tensor.fell_back ? 1 : 0;
        elements_of_type[to_string(tensor.to)] += tensor.n_elements;
        if (!arguments.measure) continue;
        print(std::format("{:<40} {:>5} -> {:<5} relative RMSE {:.6f}\n", format::escape(tensor.name),
                          to_string(tensor.from), to_string(tensor.to), tensor.relative_rmse));
    }
    const uint64_t size = std::filesystem::file_size(arguments.target);
    print(std::format("{}: {:.1f} MB -> {}: {:.1f} MB, {:.2f} bits per weight, {:.1f} s\n", arguments.source.string(),
                      static_cast<double>(source.size_bytes()) / 1e6, arguments.target.string(),
                      static_cast<double>(size) / 1e6,
                      8.0 * static_cast<double>(size) / static_cast<double>(n_elements), seconds));
    for (const auto& [type, n] : elements_of_type) {
        print(std::format("  {:<5} {:5.1f} % of the weights\n", type,
                          100.0 * static_cast<double>(n) / static_cast<double>(n_elements)));
    }
    if (n_fallbacks > 0) {
        print(
            std::format("  {} tensors have rows that the wished type cannot divide and got a type of smaller blocks\n",
                        n_fallbacks));
    }
}

} // namespace vkinfer::tools
