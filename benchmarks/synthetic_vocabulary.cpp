#include "benchmarks/synthetic_vocabulary.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::benchmarks {

namespace {

constexpr std::string_view kControls[] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
constexpr std::string_view kTemplate =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

std::string to_utf8(uint32_t code) {
    if (code < 0x80) return {static_cast<char>(code)};
    return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

/// The alphabet of byte-level BPE: printable bytes are themselves, the others take the characters from U+0100 in order.
std::array<std::string, 256> byte_alphabet() {
    std::array<std::string, 256> alphabet;
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
        const bool is_printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
        alphabet[byte] = to_utf8(is_printable ? byte : next++);
    }
    return alphabet;
}

/// Bytes in an order in which pairs of early ones are frequent in text: then small vocabularies shorten it too.
std::vector<uint8_t> bytes_by_frequency() {
    std::vector<uint8_t> order;
    for (const char c : std::string_view(" etaoinshrdlcumwfgypbvkxjqz")) order.push_back(static_cast<uint8_t>(c));
    for (int byte = 0; byte < 256; ++byte) {
        if (std::ranges::find(order, byte) == order.end()) order.push_back(static_cast<uint8_t>(byte));
    }
    return order;
}

} // namespace

void write_synthetic_vocabulary(format::GgufWriter& writer, uint32_t n_vocab) {
    const auto alphabet = byte_alphabet();
    const auto order = bytes_by_frequency();
    std::vector<std::string> tokens(alphabet.begin(), alphabet.end());
    std::vector<std::string> merges;
    const size_t n_plain = n_vocab - std::size(kControls);
    tokens.reserve(n_vocab);

    // All pairs of bytes, diagonal by diagonal, so that pairs of two frequent bytes come first. Texts of two characters
    // in a fixed-length code are unique, and so are those of three: tokens never repeat.
    for (size_t diagonal = 0; diagonal < 511 && tokens.size() < n_plain; ++diagonal) {
        for (size_t first = diagonal < 256 ? 0 : diagonal - 255; first <= std::min<size_t>(diagonal, 255); ++first) {
            if (tokens.size() == n_plain) break;
            const std::string& left = alphabet[order[first]];
            const std::string& right = alphabet[order[diagonal - first]];
            tokens.push_back(left + right);
            merges.push_back(left + " " + right);
        }
    }
    // Then pairs with a third byte.
    for (size_t pair = 256; tokens.size() < n_plain; ++pair) {
        for (size_t third = 0; third < 256 && tokens.size() < n_plain; ++third) {
            const std::string left = tokens[pair];
            const std::string& right = alphabet[order[third]];
            tokens.push_back(left + right);
            merges.push_back(left + " " + right);
        }
    }
    for (const std::string_view control : kControls) tokens.emplace_back(control);

    constexpr int32_t kNormal = 1, kControl = 3;
    std::vector<int32_t> types(n_plain, kNormal);
    types.resize(tokens.size(), kControl);
    const auto end_of_text = static_cast<uint32_t>(n_plain);
    const auto end_of_turn = static_cast<uint32_t>(n_plain + 2);

    writer.set("tokenizer.ggml.model", "gpt2");
    writer.set("tokenizer.ggml.pre", "gpt-2");
    writer.set_strings("tokenizer.ggml.tokens", tokens);
    writer.set_array<int32_t>("tokenizer.ggml.token_type", types);
    writer.set_strings("tokenizer.ggml.merges", merges);
    writer.set("tokenizer.ggml.bos_token_id", end_of_text);
    writer.set("tokenizer.ggml.eos_token_id", end_of_turn);
    writer.set("tokenizer.ggml.eot_token_id", end_of_turn);
    writer.set("tokenizer.ggml.padding_token_id", end_of_text);
    writer.set("tokenizer.ggml.add_bos_token", false);
    writer.set("tokenizer.chat_template", kTemplate);
}

} // namespace vkinfer::benchmarks
