#include "text/vocabulary.h"

#include "base/error.h"

#include <cmath>
#include <format>

namespace vkinfer::text {

namespace {

[[noreturn]] void refuse(std::string message) {
    throw Error(ErrorKind::invalid_input, std::move(message),
                "The file's tokenizer data is damaged; convert or download it again.");
}

void check_length(const char* name, size_t length, size_t n_tokens) {
    if (length != 0 && length != n_tokens) {
        refuse(std::format("tokenizer: {} {} for {} tokens", length, name, n_tokens));
    }
}

void check_id(const char* name, Token id, size_t n_tokens) {
    if (id < kNoToken || (id >= 0 && static_cast<size_t>(id) >= n_tokens)) {
        refuse(std::format("tokenizer: {} token {} is outside of the {} tokens", name, id, n_tokens));
    }
}

} // namespace

void validate(const Vocabulary& v) {
    const size_t n = v.tokens.size();
    if (n == 0) refuse("tokenizer: there are no tokens");
    if (n > kMaxTokens) refuse(std::format("tokenizer: {} tokens, at most {} are supported", n, kMaxTokens));
    if (v.merges.size() > 4 * kMaxTokens) {
        refuse(std::format("tokenizer: {} merges, at most {} are supported", v.merges.size(), 4 * kMaxTokens));
    }
    check_length("token types", v.types.size(), n);
    check_length("scores", v.scores.size(), n);
    for (size_t id = 0; id < n; ++id) {
        if (v.tokens[id].size() > kMaxTokenBytes) {
            refuse(std::format("tokenizer: token {} is {} bytes long, at most {} are supported", id,
                               v.tokens[id].size(), kMaxTokenBytes));
        }
    }
    for (size_t id = 0; id < v.types.size(); ++id) {
        if (v.types[id] > TokenType::byte) {
            refuse(std::format("tokenizer: token {} has the unknown type {}", id, static_cast<int>(v.types[id])));
        }
    }
    for (size_t id = 0; id < v.scores.size(); ++id) {
        if (std::isnan(v.scores[id])) refuse(std::format("tokenizer: the score of token {} is not a number", id));
    }
    const std::pair<const char*, std::optional<Token>> ids[] = {
        {"bos", v.bos},         {"eos", v.eos},         {"eot", v.eot},         {"eom", v.eom},
        {"unknown", v.unk},     {"separator", v.sep},   {"padding", v.pad},     {"mask", v.mask},
        {"cls", v.cls},         {"fim_pre", v.fim_pre}, {"fim_suf", v.fim_suf}, {"fim_mid", v.fim_mid},
        {"fim_pad", v.fim_pad}, {"fim_rep", v.fim_rep}, {"fim_sep", v.fim_sep},
    };
    for (const auto& [name, id] : ids) check_id(name, id.value_or(kNoToken), n);
    for (const Token id : v.rstrip) check_id("rstrip", id, n);
    for (const Token id : v.lstrip) check_id("lstrip", id, n);
    for (const Token id : v.suppress) check_id("suppressed", id, n);
}

} // namespace vkinfer::text
