#include "text/tokenizer.h"

#include "base/error.h"
#include "text/encoder.h"
#include "text/pretokenizer.h"
#include "text/special_splitter.h"

#include <algorithm>
#include <format>
#include <initializer_list>
#include <mutex>
#include <unordered_map>

namespace vkinfer::text {

namespace {

/// Working memory beyond this is given back after a call: one huge text must not be paid for ever.
constexpr size_t kKeptScratchBytes = size_t{8} << 20;

std::unique_ptr<Encoder> make_encoder(const Vocabulary& vocabulary) {
    switch (vocabulary.kind) {
    case VocabularyKind::bpe:
        return make_byte_bpe(vocabulary);
    case VocabularyKind::spm:
    case VocabularyKind::bpe_raw:
        return make_char_bpe(vocabulary);
    case VocabularyKind::wordpiece:
        return make_wordpiece(vocabulary);
    case VocabularyKind::unigram:
        break;
    }
    throw Error(ErrorKind::unsupported, "unigram tokenizers (tokenizer.ggml.model = t5) are not supported",
                "Use a model with a BPE, SentencePiece BPE or WordPiece vocabulary.");
}

} // namespace

struct Tokenizer::Parts {
    explicit Parts(const Vocabulary& vocabulary) : splitter(vocabulary), encoder(make_encoder(vocabulary)) {}

    std::unique_ptr<EncodeScratch> take_scratch() {
        const std::lock_guard lock(mutex);
        if (idle.empty()) return std::make_unique<EncodeScratch>();
        auto scratch = std::move(idle.back());
        idle.pop_back();
        return scratch;
    }
    void give_back(std::unique_ptr<EncodeScratch> scratch) {
        const size_t bytes = scratch->merge.size_bytes() + scratch->text.capacity() + scratch->normalized.capacity() +
                             4 * (scratch->chars.capacity() + scratch->lengths.capacity() +
                                  scratch->more_lengths.capacity() + scratch->symbols.capacity());
        if (bytes > kKeptScratchBytes) return;
        const std::lock_guard lock(mutex);
        idle.push_back(std::move(scratch));
    }

    SpecialSplitter splitter;
    std::unique_ptr<Encoder> encoder;
    std::mutex mutex;
    std::vector<std::unique_ptr<EncodeScratch>> idle;
};

Tokenizer::Tokenizer(Vocabulary vocabulary) {
    validate(vocabulary);
    resolve_special(vocabulary);
    vocabulary.unk = special_.unk;
    types_ = vocabulary.types;
    types_.resize(vocabulary.tokens.size(), TokenType::normal);
    vocabulary.types = types_;
    suppressed_ = vocabulary.suppress;
    find_eog(vocabulary);
    render_pieces(vocabulary);
    parts_ = std::make_unique<Parts>(vocabulary);
    texts_ = std::move(vocabulary.tokens);
}

Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

void Tokenizer::resolve_special(const Vocabulary& v) {
    struct Defaults {
        Token bos = kNoToken, eos = kNoToken, unk = kNoToken, sep = kNoToken, pad = kNoToken, mask = kNoToken;
        bool add_bos = false, add_eos = false, add_sep = false;
    } d;
    switch (v.kind) {
    case VocabularyKind::spm:
        d = {.bos = 1, .eos = 2, .unk = 0, .add_bos = true};
        break;
    case VocabularyKind::bpe: {
        const PretokenizerRule* rule = find_pretokenizer(v.pre.empty() ? "default" : v.pre);
        if (rule != nullptr) {
            if (rule->default_bos_id) d.bos = 11;
            d.eos = 11;
            d.add_bos = rule->add_bos;
            d.add_sep = rule->add_sep;
        }
        break;
    }
    case VocabularyKind::bpe_raw: {
        const PretokenizerRule* rule = find_pretokenizer(v.pre.empty() ? "gemma4" : v.pre);
        d.add_bos = rule != nullptr && rule->add_bos;
        break;
    }
    case VocabularyKind::wordpiece:
        d = {.bos = 101, .unk = 100, .sep = 102, .pad = 0, .mask = 103, .add_bos = true, .add_sep = true};
        break;
    case VocabularyKind::unigram:
        d = {.eos = 1, .unk = 2, .pad = 0, .add_eos = true};
        break;
    }
    // A default is a guess, so one beyond the vocabulary only means that there is no such token.
    const auto resolve = [&](std::optional<Token> id, Token fallback) {
        if (id) return *id;
        return fallback >= 0 && static_cast<size_t>(fallback) < v.tokens.size() ? fallback : kNoToken;
    };
    special_.bos = resolve(v.bos, v.cls.value_or(kNoToken) != kNoToken ? *v.cls : d.bos);
    special_.eos = resolve(v.eos, d.eos);
    special_.eot = resolve(v.eot, kNoToken);
    special_.eom = resolve(v.eom, kNoToken);
    special_.unk = resolve(v.unk, d.unk);
    special_.sep = resolve(v.sep, d.sep);
    special_.pad = resolve(v.pad, d.pad);
    special_.mask = resolve(v.mask, d.mask);
    special_.cls = resolve(v.cls, v.kind == VocabularyKind::wordpiece ? special_.bos : kNoToken);
    special_.fim_pre = resolve(v.fim_pre, kNoToken);
    special_.fim_suf = resolve(v.fim_suf, kNoToken);
    special_.fim_mid = resolve(v.fim_mid, kNoToken);
    special_.fim_pad = resolve(v.fim_pad, kNoToken);
    special_.fim_rep = resolve(v.fim_rep, kNoToken);
    special_.fim_sep = resolve(v.fim_sep, kNoToken);
    // Gemma 4 answers badly without BOS, whatever its files say.
    const bool is_gemma4 = v.kind == VocabularyKind::bpe_raw && (v.pre.empty() || v.pre == "gemma4");
    add_bos_ = is_gemma4 || v.add_bos.value_or(d.add_bos);
    add_eos_ = v.add_eos.value_or(d.add_eos);
    add_sep_ = v.add_sep.value_or(d.add_sep);
    drops_leading_space_ = v.kind == VocabularyKind::spm && v.add_space_prefix.value_or(true);
}

// Files often do not name their end-of-turn and infill tokens, so they are known by text, as in the reference
// implementation, llama.cpp.
void Tokenizer::find_eog(const Vocabulary& v) {
    std::unordered_map<std::string_view, Token> ids;
    for (size_t id = 0; id < v.tokens.size(); ++id) ids[v.tokens[id]] = static_cast<Token>(id);
    const auto id_of = [&](std::string_view text) {
        const auto found = ids.find(text);
        return found == ids.end() ? kNoToken : found->second;
    };
    const auto has = [&](std::string_view text) { return ids.contains(text); };
    // "<|end|>" ends a message but not the turn where these exist (gpt-oss and its kin); likewise "</s>" in Gemma 4.
    const bool end_is_no_end = (has("<|return|>") && has("<|call|>")) || (has("<|calls|>") && has("<|flush|>"));
    const bool slash_s_is_no_end = has("<|tool_response>");
    const auto find_first = [&](Token& token, std::initializer_list<std::string_view> texts) {
        for (const std::string_view text : texts) {
            if (token != kNoToken) return;
            if (text == "<|end|>" && end_is_no_end) continue;
            token = id_of(text);
        }
    };
    find_first(special_.eot,
               {"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>",
                "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>"});
    find_first(special_.eom, {"<|eom_id|>"});
    find_first(special_.fim_pre, {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>",
                                  "▁<PRE>", "<|code_prefix|>"});
    find_first(special_.fim_suf, {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
                                  "<|code_suffix|>"});
    find_first(special_.fim_mid, {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
                                  "<|code_middle|>"});
    find_first(special_.fim_pad, {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"});
    find_first(special_.fim_rep, {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"});
    find_first(special_.fim_sep, {"<|file_sep|>"});

    eog_ = {special_.eos, special_.eot, special_.eom, special_.fim_pad, special_.fim_rep, special_.fim_sep};
    for (const std::string_view text : {"<|eot_id|>",
                                        "<|im_end|>",
                                        "<|end|>",
                                        "<|return|>",
                                        "<|call|>",
                                        "<|calls|>",
                                        "<|flush|>",
                                        "<end_of_turn>",
                                        "<|endoftext|>",
                                        "</s>",
                                        "<|eom_id|>",
                                        "<EOT>",
                                        "_<EOT>",
                                        "[EOT]",
                                        "[EOS]",
                                        "<|end_of_text|>",
                                        "<end_of_utterance>",
                                        "<eos>",
                                        "<turn|>",
                                        "<|tool_response>",
                                        "<｜end▁of▁sentence｜>",
                                        "[e~[",
                                        "<|ifm|im_end|>"}) {
        if ((text == "<|end|>" && end_is_no_end) || (text == "</s>" && slash_s_is_no_end)) continue;
        eog_.push_back(id_of(text));
    }
    std::ranges::sort(eog_);
    const auto repeated = std::ranges::unique(eog_);
    eog_.erase(repeated.begin(), repeated.end());
    std::erase(eog_, kNoToken);
}

void Tokenizer::render_pieces(const Vocabulary& v) {
    constexpr std::string_view mark = "\u2581";
    const bool byte_level = v.kind == VocabularyKind::bpe;
    std::string bytes;
    for (size_t id = 0; id < v.tokens.size(); ++id) {
        const std::string_view text = v.tokens[id];
        switch (types_[id]) {
        case TokenType::control:
        case TokenType::unknown:
        case TokenType::user_defined:
            piece_bytes_ += text;
            break;
        case TokenType::byte:
            if (const int byte = byte_of_token(text); byte >= 0) {
                piece_bytes_.push_back(static_cast<char>(byte));
            } else {
                piece_bytes_ += text;
            }
            break;
        case TokenType::unused:
            break;
        case TokenType::undefined:
        case TokenType::normal:
            if (byte_level) {
                piece_bytes_ += bytes_from_alphabet(text, bytes) ? std::string_view(bytes) : text;
                break;
            }
            for (size_t at = 0; at < text.size();) {
                const size_t found = std::min(text.find(mark, at), text.size());
                piece_bytes_ += text.substr(at, found - at);
                if (found < text.size()) piece_bytes_.push_back(' ');
                at = found + mark.size();
            }
        }
        if (piece_bytes_.size() > UINT32_MAX) {
            throw Error(ErrorKind::invalid_input, "tokenizer: the texts of all tokens together exceed 4 GiB");
        }
        piece_ends_.push_back(static_cast<uint32_t>(piece_bytes_.size()));
    }
    piece_bytes_.shrink_to_fit();
}

std::vector<Token> Tokenizer::encode(std::string_view text, bool add_special, bool parse_special) const {
    // Positions inside are 32-bit, and spaces may grow to three bytes.
    constexpr size_t limit = size_t{1} << 31;
    if (text.size() >= limit) {
        throw Error(ErrorKind::invalid_input,
                    std::format("a text of {} bytes is too long for the tokenizer", text.size()),
                    "Split it into parts below 2 GiB.");
    }
    std::vector<Token> ids;
    ids.reserve(text.size() / 4 + 4);
    if (add_special && add_bos_ && special_.bos != kNoToken) ids.push_back(special_.bos);
    auto scratch = parts_->take_scratch();
    bool begins = true;
    for (const SpecialSplitter::Fragment& fragment : parts_->splitter.split(text, parse_special)) {
        if (fragment.token != kNoToken) {
            ids.push_back(fragment.token);
            begins = true;
        } else {
            parts_->encoder->encode(text.substr(fragment.begin, fragment.end - fragment.begin), begins, ids, *scratch);
            begins = false;
        }
    }
    parts_->give_back(std::move(scratch));
    if (add_special && add_sep_ && special_.sep != kNoToken) {
        ids.push_back(special_.sep);
    } else if (add_special && add_eos_ && special_.eos != kNoToken) {
        ids.push_back(special_.eos);
    }
    return ids;
}

std::string_view Tokenizer::piece(Token id, bool special) const {
    if (id < 0 || static_cast<size_t>(id) >= types_.size()) return {};
    const auto i = static_cast<size_t>(id);
    if (!special && (types_[i] == TokenType::control || types_[i] == TokenType::unknown)) return {};
    const uint32_t begin = i == 0 ? 0 : piece_ends_[i - 1];
    return std::string_view(piece_bytes_).substr(begin, piece_ends_[i] - begin);
}

std::string Tokenizer::decode(std::span<const Token> ids, bool special) const {
    std::string text;
    for (const Token id : ids) text += piece(id, special);
    if (drops_leading_space_ && !ids.empty() && piece(ids.front(), special).starts_with(' ')) text.erase(0, 1);
    return text;
}

TokenType Tokenizer::type(Token id) const {
    if (id < 0 || static_cast<size_t>(id) >= types_.size()) return TokenType::undefined;
    return types_[static_cast<size_t>(id)];
}

Token Tokenizer::find(std::string_view text) const {
    const auto found = std::ranges::find(texts_, text);
    return found == texts_.end() ? kNoToken : static_cast<Token>(found - texts_.begin());
}

bool Tokenizer::is_eog(Token id) const {
    return std::ranges::binary_search(eog_, id);
}

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool special, bool at_start)
    : tokenizer_(&tokenizer), special_(special), drop_space_(at_start && tokenizer.drops_leading_space()) {}

std::string Detokenizer::add(Token id) {
    std::string_view piece = tokenizer_->piece(id, special_);
    if (drop_space_ && piece.starts_with(' ')) piece.remove_prefix(1);
    drop_space_ = false;
    pending_ += piece;
    const size_t complete = complete_utf8_prefix(pending_);
    std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
    pending_.erase(0, complete);
    return text;
}

std::string Detokenizer::finish() {
    // What is left is the beginning of one character, so it becomes one replacement and not one for each byte.
    if (pending_.empty()) return {};
    pending_.clear();
    return "\uFFFD";
}

} // namespace vkinfer::text
