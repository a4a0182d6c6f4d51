#include "format/gguf_value.h"

#include "format/utf8.h"

#include <format>

namespace vkinfer::format {

const char* to_string(ValueType type) {
    switch (type) {
    case ValueType::u8:
        return "u8";
    case ValueType::i8:
        return "i8";
    case ValueType::u16:
        return "u16";
    case ValueType::i16:
        return "i16";
    case ValueType::u32:
        return "u32";
    case ValueType::i32:
        return "i32";
    case ValueType::f32:
        return "f32";
    case ValueType::boolean:
        return "bool";
    case ValueType::string:
        return "string";
    case ValueType::array:
        return "array";
    case ValueType::u64:
        return "u64";
    case ValueType::i64:
        return "i64";
    case ValueType::f64:
        return "f64";
    }
    return "unknown";
}

uint32_t value_bytes(ValueType type) {
    switch (type) {
    case ValueType::u8:
    case ValueType::i8:
    case ValueType::boolean:
        return 1;
    case ValueType::u16:
    case ValueType::i16:
        return 2;
    case ValueType::u32:
    case ValueType::i32:
    case ValueType::f32:
        return 4;
    case ValueType::u64:
    case ValueType::i64:
    case ValueType::f64:
        return 8;
    case ValueType::string:
    case ValueType::array:
        break;
    }
    return 0;
}

std::string GgufValue::type_name() const {
    return is_array_ ? std::format("array of {}", to_string(element_type_)) : to_string(element_type_);
}

std::string_view GgufValue::string_at(uint64_t i) const {
    size_t position = 0;
    for (;; --i) {
        uint64_t length;
        std::memcpy(&length, bytes_.data() + position, sizeof length);
        position += sizeof length;
        if (i == 0) return {reinterpret_cast<const char*>(bytes_.data()) + position, length};
        position += length;
    }
}

std::vector<std::string_view> GgufValue::strings() const {
    std::vector<std::string_view> result;
    if (!is_string()) return result;
    result.reserve(count_);
    size_t position = 0;
    for (uint64_t i = 0; i < count_; ++i) {
        uint64_t length;
        std::memcpy(&length, bytes_.data() + position, sizeof length);
        position += sizeof length;
        result.emplace_back(reinterpret_cast<const char*>(bytes_.data()) + position, length);
        position += length;
    }
    return result;
}

namespace {

std::string element_text(const GgufValue& value, uint64_t i, size_t max_characters) {
    switch (value.element_type()) {
    case ValueType::string:
        return '"' + escape(*value.element<std::string_view>(i), max_characters) + '"';
    case ValueType::boolean:
        return *value.element<bool>(i) ? "true" : "false";
    case ValueType::f32:
        return std::format("{}", *value.element<float>(i));
    case ValueType::f64:
        return std::format("{}", *value.element<double>(i));
    case ValueType::u64:
        return std::format("{}", *value.element<uint64_t>(i));
    default:
        return std::format("{}", *value.element<int64_t>(i));
    }
}

} // namespace

std::string GgufValue::to_text(size_t max_characters) const {
    if (!is_array_) return element_text(*this, 0, max_characters);
    constexpr uint64_t kShown = 6;
    std::string text = "[";
    for (uint64_t i = 0; i < count_ && i < kShown; ++i) {
        if (i > 0) text += ", ";
        text += element_text(*this, i, max_characters);
    }
    return text + (count_ > kShown ? std::format(", ... {} in all]", count_) : "]");
}

std::string escape(std::string_view text, size_t max_characters) {
    std::string result;
    size_t characters = 0;
    for (size_t i = 0; i < text.size(); ++characters) {
        if (characters == max_characters) return result + "...";
        const auto byte = static_cast<unsigned char>(text[i]);
        const size_t length = utf8_length_at(text, i);
        // U+0080 ... U+009F are control characters too, as some terminals see them.
        const bool control = byte < 0x20 || byte == 0x7f || (length == 2 && byte == 0xc2 && text[i + 1] < '\xa0');
        if (length > 0 && !control) {
            result += text.substr(i, length);
            i += length;
        } else {
            result += byte == '\n' ? std::string("\\n") : std::format("\\x{:02x}", byte);
            i += 1;
        }
    }
    return result;
}

} // namespace vkinfer::format
