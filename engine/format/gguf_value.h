// One metadata value of a GGUF file, as a checked view of its bytes: nothing is copied until somebody asks, so that a
// vocabulary of 200 000 strings costs nothing to open. The bytes belong to the GgufFile (or the buffer) it came from.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace vkinfer::format {

/// Value types; the numbers are those of the file format.
enum class ValueType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
inline constexpr uint32_t kValueTypes = 13;

/// Name for messages: "u32", "string".
const char* to_string(ValueType type);
/// Bytes of a number or bool; 0 for strings and arrays.
uint32_t value_bytes(ValueType type);

class GgufValue {
public:
    GgufValue() = default;
    /// `bytes` starts at the first element and must hold `count` of them (strings: length and text, each checked
    /// before).
    GgufValue(ValueType element_type, bool is_array, uint64_t count, std::span<const std::byte> bytes)
        : element_type_(element_type), is_array_(is_array), count_(count), bytes_(bytes) {}

    bool is_array() const { return is_array_; }
    /// Type of the value, or of the elements of an array.
    ValueType element_type() const { return element_type_; }
    bool is_string() const { return element_type_ == ValueType::string; }
    /// Number of elements; 1 for anything but an array.
    uint64_t count() const { return count_; }
    /// As stored: one number, a string with its length, or the elements one after the other.
    std::span<const std::byte> bytes() const { return bytes_; }
    /// "u32", "array of string": for messages.
    std::string type_name() const;

    /// The value as T when it is a single one and T can hold it: integers and bools convert to each other if in range,
    /// numbers convert to float and double, strings only to std::string_view.
    template<class T>
    std::optional<T> as() const {
        if (is_array_) return std::nullopt;
        return element<T>(0);
    }

    /// Element i < count() with the conversions of as(). Strings are found by walking: use strings() for all of them.
    template<class T>
    std::optional<T> element(uint64_t i) const {
        if (i >= count_) return std::nullopt;
        if constexpr (std::is_same_v<T, std::string_view>) {
            return is_string() ? std::optional<std::string_view>(string_at(i)) : std::nullopt;
        } else {
            return number_at<T>(i);
        }
    }

    /// All elements of a string array as views; empty when it is something else.
    std::vector<std::string_view> strings() const;

    /// Text for `info`: strings escaped and cut after `max_characters`, arrays with their first elements and their
    /// count.
    std::string to_text(size_t max_characters = 80) const;

private:
    std::string_view string_at(uint64_t i) const;

    template<class Stored>
    Stored load(uint64_t i) const {
        Stored value;
        std::memcpy(&value, bytes_.data() + i * sizeof(Stored), sizeof value);
        return value;
    }

    template<class T, class Stored>
    static std::optional<T> convert(Stored value) {
        if constexpr (std::is_same_v<T, bool>) {
            if constexpr (std::is_integral_v<Stored>) return value != 0;
            return std::nullopt;
        } else if constexpr (std::is_floating_point_v<T>) {
            return static_cast<T>(value);
        } else if constexpr (std::is_integral_v<Stored>) {
            if (!std::in_range<T>(value)) return std::nullopt;
            return static_cast<T>(value);
        } else {
            return std::nullopt; // a fraction is never taken for a count
        }
    }

    template<class T>
    std::optional<T> number_at(uint64_t i) const {
        switch (element_type_) {
        case ValueType::u8:
            return convert<T>(load<uint8_t>(i));
        case ValueType::boolean: // any byte but 0 is true, as in the reference reader
            return convert<T>(static_cast<uint8_t>(load<uint8_t>(i) != 0));
        case ValueType::i8:
            return convert<T>(load<int8_t>(i));
        case ValueType::u16:
            return convert<T>(load<uint16_t>(i));
        case ValueType::i16:
            return convert<T>(load<int16_t>(i));
        case ValueType::u32:
            return convert<T>(load<uint32_t>(i));
        case ValueType::i32:
            return convert<T>(load<int32_t>(i));
        case ValueType::u64:
            return convert<T>(load<uint64_t>(i));
        case ValueType::i64:
            return convert<T>(load<int64_t>(i));
        case ValueType::f32:
            return convert<T>(load<float>(i));
        case ValueType::f64:
            return convert<T>(load<double>(i));
        case ValueType::string:
        case ValueType::array:
            break;
        }
        return std::nullopt;
    }

    ValueType element_type_ = ValueType::u8;
    bool is_array_ = false;
    uint64_t count_ = 0;
    std::span<const std::byte> bytes_;
};

/// Text from a file made safe for a terminal or a log: printable ASCII and valid UTF-8 stay, everything else becomes
/// \xHH (line ends \n), and after `max_characters` it ends in "...".
std::string escape(std::string_view text, size_t max_characters = 80);

} // namespace vkinfer::format
