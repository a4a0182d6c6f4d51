#include "tools/perplexity_command.h"

#include "base/file.h"
#include "format/gguf_file.h"
#include "runtime/engine.h"
#include "runtime/logit_stats.h"
#include "runtime/vocabulary_from_gguf.h"
#include "text/tokenizer.h"
#include "tools/engine_flags.h"
#include "tools/logits_command.h"
#include "tools/program.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <format>
#include <fstream>
#include <memory>
#include <optional>

namespace vkinfer::tools {

using namespace runtime;

namespace {

constexpr std::array<char, 8> kMagic{'v', 'k', 'i', 'n', 'f', 'K', 'L', '1'};

/// The file of --kl-divergence-base: a header that tells text and shape apart, then one distribution per position.
struct BaseHeader {
    std::array<char, 8> magic = kMagic;
    uint32_t n_vocab = 0;
    uint32_t n_ctx = 0;
    uint64_t n_chunks = 0;
    uint64_t text_hash = 0;
};

/// FNV-1a over the token ids: another text or tokenizer is refused.
uint64_t hash_of(const std::vector<Token>& tokens) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (const Token token : tokens) {
        for (int shift = 0; shift < 32; shift += 8) {
            hash = (hash ^ (static_cast<uint32_t>(token) >> shift & 0xff)) * 0x100000001b3u;
        }
    }
    return hash;
}

class BaseWriter {
public:
    BaseWriter(const std::string& path, const BaseHeader& header) : path_(path), out_(path, std::ios::binary) {
        out_.write(reinterpret_cast<const char*>(&header), sizeof header);
        check();
    }
    void add(std::span<const float> log_probabilities) {
        const auto stored = StoredDistribution::from(log_probabilities);
        out_.write(reinterpret_cast<const char*>(&stored.largest), sizeof stored.largest);
        out_.write(reinterpret_cast<const char*>(stored.steps.data()),
                   static_cast<std::streamsize>(stored.steps.size() * sizeof stored.steps[0]));
        check();
    }
    void finish() {
        out_.close();
        check();
    }

private:
    void check() {
        if (!out_) throw Error(ErrorKind::io, std::format("{}: cannot be written.", path_), "Is the disk full?");
    }
    std::string path_;
    std::ofstream out_;
};

class BaseReader {
public:
    BaseReader(const std::string& path, const BaseHeader& expected) : path_(path), in_(path, std::ios::binary) {
        BaseHeader header;
        in_.read(reinterpret_cast<char*>(&header), sizeof header);
        if (!in_ || header.magic != kMagic) {
            throw Error(ErrorKind::invalid_input, std::format("{}: is no base of vkinfer perplexity.", path),
                        "Write one with --save-base.");
        }
        if (std::memcmp(&header, &expected, sizeof header) != 0) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: was written for another text, tokenizer, context or number of chunks.", path),
                        "Use the same -f, -c and --chunks as with --save-base.");
        }
        stored_.steps.resize(header.n_vocab);
    }
    const StoredDistribution& next() {
        in_.read(reinterpret_cast<char*>(&stored_.largest), sizeof stored_.largest);
        in_.read(reinterpret_cast<char*>(stored_.steps.data()),
                 static_cast<std::streamsize>(stored_.steps.size() * sizeof stored_.steps[0]));
        if (!in_) throw Error(ErrorKind::invalid_input, std::format("{}: ends early.", path_), "Write it again.");
        return stored_;
    }

private:
    std::string path_;
    std::ifstream in_;
    StoredDistribution stored_;
};

/// The token that the tokenizer puts before every text, if there is one.
std::optional<Token> first_special(const text::Tokenizer& tokenizer) {
    const auto with = tokenizer.encode("a", true, false), without = tokenizer.encode("a", false, false);
    if (with.empty() || without.empty() || with[0] == without[0]) return std::nullopt;
    return with[0];
}

void print_result(const LogitStats& stats, bool has_base) {
    std::printf("perplexity %.4f +/- %.4f (%llu positions)\n", stats.perplexity(),
                stats.perplexity() * stats.nll.standard_error(), static_cast<unsigned long long>(stats.nll.n()));
    if (!has_base) return;
    std::printf("KL divergence from the base: mean %.6f +/- %.6f, largest %.6f\n", stats.divergence.mean(),
                stats.divergence.standard_error(), stats.largest_divergence);
    std::printf("same most probable token: %.3f %% +/- %.3f %%\n", 100 * stats.same_top.mean(),
                100 * stats.same_top.standard_error());
}

} // namespace

CommandBody add_perplexity_command(CLI::App& app) {
    struct Flags {
        EngineOptions engine;
        std::string text, save, base;
        int32_t n_ctx = 512, n_chunks = -1;
    };
    const auto flags = std::make_shared<Flags>();
    add_model_flags(app, flags->engine);
    app.add_option("-f,--file", flags->text, "the text")->required();
    app.add_option("-c,--ctx-size", flags->n_ctx, "tokens of a chunk; the second half of each is counted")
        ->check(CLI::Range(8, 1 << 20))
        ->capture_default_str();
    app.add_option("--chunks", flags->n_chunks, "chunks to take; -1: all")->capture_default_str();
    auto* save =
        app.add_option("--save-base", flags->save, "write the distributions, 2 bytes a token of the vocabulary");
    app.add_option("--kl-divergence-base", flags->base, "compare with the distributions of such a file")
        ->excludes(save);
    return [flags] {
        const format::GgufFile file(flags->engine.model.empty() ? default_model_path() : flags->engine.model);
        const text::Tokenizer tokenizer(vocabulary_from_gguf(file));
        const std::vector<Token> tokens = tokenizer.encode(read_text_file(flags->text), false, false);
        const std::optional<Token> bos = first_special(tokenizer);
        const auto n_ctx = static_cast<size_t>(flags->n_ctx);
        size_t n_chunks = tokens.size() / n_ctx;
        if (flags->n_chunks >= 0) n_chunks = std::min(n_chunks, static_cast<size_t>(flags->n_chunks));
        if (n_chunks == 0) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: {} tokens do not fill a chunk of {}.", flags->text, tokens.size(), n_ctx),
                        "Take a longer text, or a smaller -c.");
        }
        EngineOptions options = flags->engine;
        options.n_ctx = flags->n_ctx;
        options.n_parallel = 1;
        options.n_ubatch = std::min(options.n_ubatch, flags->n_ctx);
        const auto runner = create_runner(options, options.n_ubatch);
        std::fprintf(stderr, "%s\n%zu chunks of %zu tokens\n", runner->describe().c_str(), n_chunks, n_ctx);

        const BaseHeader header{.n_vocab = static_cast<uint32_t>(runner->limits().n_vocab),
                                .n_ctx = static_cast<uint32_t>(n_ctx),
                                .n_chunks = n_chunks,
                                .text_hash = hash_of(tokens)};
        std::optional<BaseWriter> writer;
        std::optional<BaseReader> reader;
        if (!flags->save.empty()) writer.emplace(flags->save, header);
        if (!flags->base.empty()) reader.emplace(flags->base, header);

        LogitStats stats;
        for (size_t chunk = 0; chunk < n_chunks; ++chunk) {
            std::vector<Token> list(tokens.begin() + static_cast<std::ptrdiff_t>(chunk * n_ctx),
                                    tokens.begin() + static_cast<std::ptrdiff_t>((chunk + 1) * n_ctx));
            if (bos) list[0] = *bos; // as other engines do: the chunk begins like a text
            size_t position = 0;
            evaluate_lists(*runner, {&list, 1}, 0, [&](size_t, std::span<const float> logits) {
                const size_t at = position++;
                if (at < n_ctx / 2 || at + 1 == n_ctx) return;
                const auto p = log_probabilities(logits);
                stats.add(p, list[at + 1]);
                if (writer) writer->add(p);
                if (reader) stats.compare(p, reader->next());
            });
            runner->truncate(0, 0);
            std::fprintf(stderr, "[%zu] %.4f\n", chunk + 1, stats.perplexity());
        }
        if (writer) writer->finish();
        print_result(stats, reader.has_value());
        return kExitOk;
    };
}

} // namespace vkinfer::tools
