#include "runtime/vocabulary_from_gguf.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <format>
#include <string>
#include <string_view>

namespace vkinfer::runtime {

namespace {

using format::GgufFile;
using text::Token;
using text::TokenType;
using text::Vocabulary;
using text::VocabularyKind;

/// Names of pre-tokenizers whose vocabulary is of UTF-8 characters although the model says "gpt2".
constexpr std::array<std::string_view, 4> kRawRules = {"gemma4", "granite-embed-multi-311m", "sarvam-moe", "mmbert"};

VocabularyKind kind_of(const GgufFile& file, std::string_view pre) {
    const auto model = file.get_or<std::string_view>("tokenizer.ggml.model", "");
    if (model == "llama") return VocabularyKind::spm;
    if (model == "gpt2") return std::ranges::contains(kRawRules, pre) ? VocabularyKind::bpe_raw : VocabularyKind::bpe;
    if (model == "gemma4") return VocabularyKind::bpe_raw;
    if (model == "bert") return VocabularyKind::wordpiece;
    if (model == "t5") return VocabularyKind::unigram;
    if (model.empty() || model == "none" || model == "no_vocab") {
        throw Error(ErrorKind::unsupported, std::format("{}: the file has no tokenizer", file.name()),
                    "Use a model file that was converted with its tokenizer.");
    }
    throw Error(ErrorKind::unsupported,
                std::format("{}: tokenizers of the kind '{}' are not supported", file.name(), model.substr(0, 64)),
                "Use a model whose tokenizer.ggml.model is llama, gpt2, gemma4 or bert.");
}

std::string to_lower_ascii(std::string_view text) {
    std::string lower(text);
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
    }
    return lower;
}

/// Reads a special id; the older of two keys is used when the newer is missing.
class IdReader {
public:
    IdReader(const GgufFile& file, size_t n_tokens, Log log) : file_(file), n_tokens_(n_tokens), log_(std::move(log)) {}

    std::optional<Token> operator()(const char* key, const char* older_key = nullptr) const {
        const std::string name = std::format("tokenizer.ggml.{}_token_id", key);
        const format::GgufValue* value = file_.find(name);
        if (value == nullptr) return older_key == nullptr ? std::nullopt : (*this)(older_key);
        const std::optional<int64_t> id = value->as<int64_t>();
        if (id && *id >= 0 && static_cast<uint64_t>(*id) < n_tokens_) return static_cast<Token>(*id);
        // All ones is how files say "none".
        if (id && (*id == -1 || *id == UINT32_MAX)) return text::kNoToken;
        log_.warning("{}: {} = {} is no token of the vocabulary ({} tokens) and is ignored", file_.name(), name,
                     value->to_text(), n_tokens_);
        return std::nullopt;
    }

private:
    const GgufFile& file_;
    size_t n_tokens_;
    Log log_;
};

/// Which special tokens swallow white space is in no key; the reference implementation goes by the model's name.
void set_strip_flags(const GgufFile& file, Vocabulary& v) {
    const auto id_of = [&](std::string_view text) {
        const auto found = std::ranges::find(v.tokens, text);
        return found == v.tokens.end() ? text::kNoToken : static_cast<Token>(found - v.tokens.begin());
    };
    const std::string architecture(file.get_or<std::string_view>("general.architecture", ""));
    if (v.pre == "jina-v2-de" || v.pre == "jina-v2-es" || v.pre == "jina-v2-code" || architecture == "nomic-bert-moe" ||
        architecture == "jina-bert-v3") {
        if (const Token mask = id_of("<mask>"); mask != text::kNoToken) v.lstrip.push_back(mask);
    }
    const std::string name = to_lower_ascii(file.get_or<std::string_view>("general.name", ""));
    if (name.contains("phi-3") || name.contains("phi3")) {
        for (size_t id = 0; id < v.types.size(); ++id) {
            const TokenType type = v.types[id];
            if (type != TokenType::control && type != TokenType::user_defined && type != TokenType::unknown) continue;
            const std::string_view token = v.tokens[id];
            if (token != "<unk>" && token != "<s>" && token != "<|endoftext|>")
                v.rstrip.push_back(static_cast<Token>(id));
        }
    }
}

} // namespace

Vocabulary vocabulary_from_gguf(const GgufFile& file, Log log) {
    Vocabulary v;
    v.pre = file.get_or<std::string_view>("tokenizer.ggml.pre", "");
    v.kind = kind_of(file, v.pre);
    for (const std::string_view token : file.get_strings("tokenizer.ggml.tokens")) v.tokens.emplace_back(token);
    if (file.has("tokenizer.ggml.token_type")) {
        for (const int32_t type : file.get_array<int32_t>("tokenizer.ggml.token_type")) {
            const bool known = type >= 0 && type <= static_cast<int32_t>(TokenType::byte);
            v.types.push_back(known ? static_cast<TokenType>(type) : TokenType::undefined);
        }
    }
    if (file.has("tokenizer.ggml.scores")) v.scores = file.get_array<float>("tokenizer.ggml.scores");
    if (file.has("tokenizer.ggml.merges")) {
        for (const std::string_view merge : file.get_strings("tokenizer.ggml.merges")) v.merges.emplace_back(merge);
    }

    const IdReader id(file, v.tokens.size(), log);
    v.bos = id("bos");
    v.eos = id("eos");
    v.eot = id("eot");
    v.eom = id("eom");
    v.unk = id("unknown");
    v.sep = id("seperator"); // spelt like this in the format
    v.pad = id("padding");
    v.mask = id("mask");
    v.cls = id("cls");
    v.fim_pre = id("fim_pre", "prefix");
    v.fim_suf = id("fim_suf", "suffix");
    v.fim_mid = id("fim_mid", "middle");
    v.fim_pad = id("fim_pad");
    v.fim_rep = id("fim_rep");
    v.fim_sep = id("fim_sep");

    v.add_bos = file.get_optional<bool>("tokenizer.ggml.add_bos_token");
    v.add_eos = file.get_optional<bool>("tokenizer.ggml.add_eos_token");
    v.add_sep = file.get_optional<bool>("tokenizer.ggml.add_sep_token");
    v.add_space_prefix = file.get_optional<bool>("tokenizer.ggml.add_space_prefix");
    v.normalize_nfc = file.get_or<bool>("tokenizer.ggml.normalizer.nfc", false);
    v.lowercase = file.get_or<bool>("tokenizer.ggml.normalizer.lowercase", true);
    v.strip_accents = file.get_optional<bool>("tokenizer.ggml.normalizer.strip_accents");
    v.remove_extra_whitespaces = file.get_or<bool>("tokenizer.ggml.remove_extra_whitespaces", false);
    if (const format::GgufValue* map = file.find("tokenizer.ggml.precompiled_charsmap"); map != nullptr) {
        const auto bytes = map->bytes();
        const auto type = map->element_type();
        if (map->is_array() && (type == format::ValueType::u8 || type == format::ValueType::i8)) {
            v.precompiled_charsmap.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        }
    }
    if (file.has("tokenizer.ggml.suppress_tokens")) {
        for (const int64_t token : file.get_array<int64_t>("tokenizer.ggml.suppress_tokens")) {
            if (token >= 0 && static_cast<uint64_t>(token) < v.tokens.size())
                v.suppress.push_back(static_cast<Token>(token));
        }
    }
    set_strip_flags(file, v);
    return v;
}

} // namespace vkinfer::runtime
