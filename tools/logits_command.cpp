#include "tools/logits_command.h"

#include "base/file.h"
#include "memory/expert_stats.h"
#include "tools/engine_flags.h"
#include "tools/profile_report.h"
#include "tools/program.h"

#include <algorithm>
#include <bit>
#include <boost/json.hpp>
#include <cstdio>
#include <format>
#include <fstream>
#include <memory>
#include <numeric>

namespace vkinfer::tools {

using namespace runtime;

namespace {

/// Tokens waiting to be evaluated together.
class Batch {
public:
    Batch(ModelRunner& runner, const std::function<void(size_t, std::span<const float>)>& on_row)
        : runner_(runner), on_row_(on_row),
          capacity_(static_cast<size_t>(std::min(runner.limits().max_batch, runner.limits().max_logits))) {}

    size_t n_free() const { return capacity_ - tokens_.size(); }

    void add(const StepToken& token) {
        if (n_free() == 0) evaluate();
        tokens_.push_back(token);
    }

    void evaluate() {
        if (tokens_.empty()) return;
        const auto logits = runner_.evaluate(tokens_);
        if (!logits) throw logits.error();
        const auto n_vocab = static_cast<size_t>(runner_.limits().n_vocab);
        for (size_t i = 0; i < tokens_.size(); ++i) {
            on_row_(static_cast<size_t>(tokens_[i].sequence), logits->subspan(i * n_vocab, n_vocab));
        }
        tokens_.clear();
    }

private:
    ModelRunner& runner_;
    const std::function<void(size_t, std::span<const float>)>& on_row_;
    size_t capacity_;
    std::vector<StepToken> tokens_;
};

/// The spread of choices over experts, per layer: a token's choices are even when each expert has 1 / n_experts of
/// them.
void print_expert_load(const ExpertLoad& load) {
    if (load.n_experts == 0) {
        std::fprintf(stderr, "--stats: no routed experts in this model\n");
        return;
    }
    std::fprintf(stderr, "experts: %u of %u per token and layer; share of the choices in %%, even would be %.1f\n",
                 load.n_used, load.n_experts, 100.0 / load.n_experts);
    std::fprintf(stderr, "layer   least  median    most  unused  chosen most\n");
    for (size_t layer = 0; layer < load.counts.size() / load.n_experts; ++layer) {
        const auto counts = std::span(load.counts).subspan(layer * load.n_experts, load.n_experts);
        const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
        if (total == 0) continue; // a dense layer
        std::vector<uint32_t> sorted(counts.begin(), counts.end());
        std::ranges::sort(sorted);
        const auto share = [&](uint32_t n) { return 100.0 * n / total; };
        std::fprintf(stderr, "%5zu  %6.2f  %6.2f  %6.2f  %6td  %td\n", layer, share(sorted.front()),
                     share(sorted[sorted.size() / 2]), share(sorted.back()), std::ranges::count(counts, 0u),
                     std::ranges::max_element(counts) - counts.begin());
    }
}

void write_expert_load(const ExpertLoad& load, const std::string& path) {
    std::ofstream file(path, std::ios::trunc);
    file << memory::ExpertStats{load.n_experts, load.n_used, load.counts}.json();
    file.close();
    if (!file) throw Error(ErrorKind::io, std::format("{}: cannot be written.", path));
}

} // namespace

void evaluate_lists(ModelRunner& runner, std::span<const std::vector<Token>> lists, int32_t chunk,
                    const std::function<void(size_t, std::span<const float>)>& on_row) {
    for (size_t i = 0; i < lists.size(); ++i) {
        const auto reserved = runner.reserve(static_cast<int32_t>(i), static_cast<int32_t>(lists[i].size()));
        if (!reserved) throw reserved.error();
    }
    Batch batch(runner, on_row);
    std::vector<size_t> n_done(lists.size(), 0);
    bool has_more = true;
    while (has_more) {
        has_more = false;
        for (size_t i = 0; i < lists.size(); ++i) {
            size_t n = std::min(chunk > 0 ? static_cast<size_t>(chunk) : SIZE_MAX, lists[i].size() - n_done[i]);
            for (; n > 0; --n) {
                const size_t position = n_done[i]++;
                batch.add({lists[i][position], static_cast<int32_t>(position), static_cast<int32_t>(i), true});
            }
            has_more = has_more || n_done[i] < lists[i].size();
        }
        batch.evaluate(); // a round is a batch, so that --batch sets how positions are split
    }
}

std::vector<Token> parse_tokens(const std::string& json, const std::string& source) {
    const auto refuse = [&](const std::string& what) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: {}; a JSON array of token ids is needed.", source, what));
    };
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(json, error);
    if (error) refuse(error.message());
    if (!value.is_array()) refuse("no array");
    std::vector<Token> tokens;
    for (const boost::json::value& element : value.get_array()) {
        boost::system::error_code range;
        const auto token = element.to_number<int32_t>(range);
        if (range) refuse(std::format("element {} is no token id", tokens.size()));
        tokens.push_back(token);
    }
    if (tokens.empty()) refuse("no elements");
    return tokens;
}

CommandBody add_logits_command(CLI::App& app) {
    struct Flags {
        EngineOptions engine;
        ProfileFlags profile;
        std::vector<std::string> tokens, outputs;
        std::string stats_out;
        int32_t chunk = 0;
    };
    const auto flags = std::make_shared<Flags>();
    add_model_flags(app, flags->engine);
    add_profile_flags(app, flags->profile);
    app.add_option("--tokens", flags->tokens, "JSON file with a list of token ids; several run interleaved")
        ->expected(1)
        ->take_all()
        ->required();
    app.add_option("--out", flags->outputs,
                   "file for the logits (float32, little-endian, one row per position) of each list")
        ->expected(1)
        ->take_all()
        ->required();
    app.add_flag("--stats", flags->engine.count_experts, "print how the choices spread over experts, per layer");
    app.add_option("--stats-out", flags->stats_out, "file for how often each expert was chosen, for --expert-stats");
    app.add_option("--batch", flags->chunk, "tokens of each list that are evaluated at once; 0: as many as possible")
        ->check(CLI::NonNegativeNumber);
    return [flags] {
        static_assert(std::endian::native == std::endian::little, "rows are written as they are in memory");
        if (flags->tokens.size() != flags->outputs.size()) {
            throw Error(ErrorKind::invalid_input,
                        std::format("There are {} --tokens and {} --out; each list needs a file.", flags->tokens.size(),
                                    flags->outputs.size()));
        }
        std::vector<std::vector<Token>> lists;
        size_t longest = 0, n_total = 0;
        for (const std::string& path : flags->tokens) {
            lists.push_back(parse_tokens(read_text_file(path), path));
            longest = std::max(longest, lists.back().size());
            n_total += lists.back().size();
        }
        constexpr size_t kLargestBatch = 512;
        EngineOptions options = flags->engine;
        options.n_ctx = static_cast<int32_t>(longest);
        options.n_parallel = static_cast<int32_t>(lists.size());
        const size_t round = flags->chunk > 0 ? static_cast<size_t>(flags->chunk) * lists.size() : n_total;
        options.n_ubatch = static_cast<int32_t>(std::min({round, n_total, kLargestBatch}));
        options.profile = flags->profile.make();
        options.count_experts = options.count_experts || !flags->stats_out.empty();
        const auto runner = create_runner(options, options.n_ubatch);
        for (size_t i = 0; i < lists.size(); ++i) {
            for (const Token token : lists[i]) {
                if (token < 0 || token >= runner->limits().n_vocab) {
                    throw Error(ErrorKind::invalid_input,
                                std::format("{}: token id {}; the vocabulary has {} tokens.", flags->tokens[i], token,
                                            runner->limits().n_vocab));
                }
            }
        }
        std::fprintf(stderr, "%s\n", runner->describe().c_str());

        std::vector<std::ofstream> files;
        for (const std::string& path : flags->outputs) {
            files.emplace_back(path, std::ios::binary | std::ios::trunc);
            if (!files.back()) throw Error(ErrorKind::io, std::format("{}: cannot be written.", path));
        }
        evaluate_lists(*runner, lists, flags->chunk, [&](size_t list, std::span<const float> logits) {
            files[list].write(reinterpret_cast<const char*>(logits.data()),
                              static_cast<std::streamsize>(logits.size_bytes()));
        });
        for (size_t i = 0; i < files.size(); ++i) {
            files[i].close();
            if (!files[i])
                throw Error(ErrorKind::io, std::format("{}: writing failed; is the disk full?", flags->outputs[i]));
        }
        flags->profile.report(options.profile.get());
        const ExpertLoad load = options.count_experts ? runner->expert_load() : ExpertLoad{};
        if (flags->engine.count_experts) print_expert_load(load);
        if (!flags->stats_out.empty()) write_expert_load(load, flags->stats_out);
        return kExitOk;
    };
}

} // namespace vkinfer::tools
