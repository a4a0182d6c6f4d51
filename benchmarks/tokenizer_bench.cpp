// Speed of the tokenizer on one core: English-like text, code, and the inputs that make tokenizers quadratic.
//   tokenizer_bench [--mib N] [--source FOLDER] VOCABULARY.gguf[.gz]...
// Text is made up from a fixed seed: English-like text draws words of a Zipf distribution, code is the source tree
// given, repeated with numbered names so that it does not repeat itself. Each input is encoded several times.
#include "base/error.h"
#include "format/gguf_file.h"
#include "runtime/vocabulary_from_gguf.h"
#include "text/tokenizer.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <format>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <time.h>
#include <vector>
#include <zlib.h>

namespace {

using namespace vkinfer;

std::vector<std::byte> read_maybe_gzip(const std::string& path) {
    gzFile file = gzopen(path.c_str(), "rb"); // passes plain files through
    if (file == nullptr) throw Error(ErrorKind::not_found, path + ": cannot be opened");
    std::vector<std::byte> bytes;
    std::vector<std::byte> buffer(size_t{1} << 20);
    for (int n = 0; (n = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
        bytes.insert(bytes.end(), buffer.begin(), buffer.begin() + n);
    }
    gzclose(file);
    return bytes;
}

/// Words of one to four syllables; the common ones are short, as in any language.
std::string english_like(size_t n_bytes) {
    std::mt19937_64 random(1);
    const std::vector<std::string> syllables = {"the", "in",   "er",  "an",  "re",   "on",   "at", "en",  "or",  "ti",
                                                "es",  "al",   "to",  "is",  "ed",   "co",   "de", "ra",  "ing", "st",
                                                "ar",  "nd",   "pro", "com", "ment", "tion", "ly", "per", "ver", "ter",
                                                "men", "ness", "ble", "fo",  "wa",   "ha",   "mo", "su"};
    std::vector<std::string> words = {"the",  "of",  "and", "to",  "a",  "in",  "is",
                                      "that", "for", "it",  "was", "on", "with"};
    while (words.size() < 30000) {
        std::string word;
        const size_t n = 1 + std::min<size_t>(3, words.size() / 300 + random() % 3);
        for (size_t i = 0; i < n; ++i) word += syllables[random() % syllables.size()];
        words.push_back(word);
    }
    std::string text;
    bool begins = true;
    while (text.size() < n_bytes) {
        // Inverse of the distribution function of 1/rank.
        const double u = std::uniform_real_distribution<>(0, 1)(random);
        std::string word = words[static_cast<size_t>(std::pow(static_cast<double>(words.size()), u)) - 1];
        if (begins) word[0] = static_cast<char>(std::toupper(word[0]));
        begins = false;
        text += word;
        const auto roll = random() % 100;
        if (roll < 6) {
            text += roll < 1 ? ".\n\n" : ". ";
            begins = true;
        } else if (roll < 12) {
            text += ", ";
        } else if (roll < 13) {
            text += std::format(" {} ", random() % 10000);
        } else {
            text += ' ';
        }
    }
    text.resize(n_bytes);
    return text;
}

std::string code_like(size_t n_bytes, const std::filesystem::path& source) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(source)) {
        const auto extension = entry.path().extension();
        if (extension == ".cpp" || extension == ".h" || extension == ".py" || extension == ".comp")
            files.push_back(entry.path());
    }
    std::ranges::sort(files);
    std::string all;
    for (const auto& path : files) {
        std::ostringstream content;
        content << std::ifstream(path).rdbuf();
        all += content.str();
    }
    if (all.empty()) throw Error(ErrorKind::not_found, source.string() + ": no source files");
    std::string text;
    for (size_t round = 0; text.size() < n_bytes; ++round) {
        text += all;
        // Later copies get other names, or every word would come from the cache.
        for (const std::string_view name : {"size", "text", "name", "value", "count"}) {
            const std::string other = std::format("{}_{}", name, round);
            std::string renamed;
            renamed.reserve(all.size());
            size_t at = 0;
            for (size_t found; (found = all.find(name, at)) != std::string::npos; at = found + name.size()) {
                renamed.append(all, at, found - at).append(other);
            }
            all = renamed.append(all, at);
        }
    }
    text.resize(n_bytes);
    return text;
}

std::string random_letters(size_t n_bytes) {
    std::mt19937_64 random(2);
    std::string text(n_bytes, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 26);
    return text;
}

void run(const std::string& path, const std::vector<std::pair<std::string, std::string>>& inputs) {
    // Processor time of this thread: the rate of one core, whatever else runs on the machine.
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
    };
    const auto seconds_since = [&](double start) { return now() - start; };
    const auto bytes = read_maybe_gzip(path);
    const format::GgufFile file(bytes, path);
    const auto start = now();
    const text::Tokenizer tokenizer(runtime::vocabulary_from_gguf(file));
    std::printf("\n%s: %zu tokens, loaded in %.0f ms\n", path.c_str(), tokenizer.n_tokens(),
                seconds_since(start) * 1e3);
    std::printf("| %-16s | %8s | %10s | %8s | %8s |\n", "input", "MiB", "tokens", "CPU s", "MB/s");
    std::printf("|------------------|----------|------------|----------|----------|\n");
    for (const auto& [name, text] : inputs) {
        std::vector<double> times;
        size_t n_tokens = 0;
        for (int i = 0; i < 3; ++i) {
            const auto begin = now();
            n_tokens = tokenizer.encode(text, false, true).size();
            times.push_back(seconds_since(begin));
        }
        std::ranges::sort(times);
        std::printf("| %-16s | %8.1f | %10zu | %8.3f | %8.1f |\n", name.c_str(),
                    static_cast<double>(text.size()) / (1 << 20), n_tokens, times[1],
                    static_cast<double>(text.size()) / 1e6 / times[1]);
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) {
    try {
        size_t mib = 10;
        std::filesystem::path source = VKINFER_SOURCE_DIR;
        std::vector<std::string> vocabularies;
        for (int i = 1; i < argc; ++i) {
            const std::string_view argument = argv[i];
            if (argument == "--mib" && i + 1 < argc) {
                mib = std::stoul(argv[++i]);
            } else if (argument == "--source" && i + 1 < argc) {
                source = argv[++i];
            } else {
                vocabularies.emplace_back(argument);
            }
        }
        if (vocabularies.empty()) {
            std::fprintf(stderr, "usage: tokenizer_bench [--mib N] [--source FOLDER] VOCABULARY.gguf[.gz]...\n");
            return 2;
        }
        const size_t n = mib << 20;
        std::string mixed;
        while (mixed.size() < n) mixed += "नमस्ते दुनिया, 你好世界。Привет мир! こんにちは 안녕하세요 🌍 สวัสดี\n";
        mixed.resize(n);
        const std::vector<std::pair<std::string, std::string>> inputs = {
            {"English-like", english_like(n)},
            {"code", code_like(n, source)},
            {"many scripts", mixed},
            {"letters a", std::string(n, 'a')},
            {"random letters", random_letters(n)},
            {"spaces", std::string(n, ' ')},
            {"newlines", std::string(n, '\n')},
            {"digits", std::string(n, '7')},
            {"punctuation", std::string(n, '!')},
            {"bytes 0xff", std::string(n, '\xff')},
        };
        std::printf("one thread, median of 3 runs in processor time, encode() with special tokens parsed\n");
        for (const std::string& path : vocabularies) run(path, inputs);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "error: %s\n", error.what());
        return 1;
    }
}
