// Numbers: int64 while results fit, Boost.Multiprecision beyond; floats by the shortest round trip of std::to_chars.
#include "text/jinja/number.h"

#include "text/jinja/unicode.h"

#include <boost/multiprecision/cpp_int.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace vkinfer::text::jinja {

namespace {

using Big = boost::multiprecision::cpp_int;

constexpr size_t kMaxDigits = 4300; // Python's own limit for the text of an integer
constexpr size_t kMaxBits = 14'000; // about as many

Big big_of(const Value& value) {
    if (const auto small = value.as_int()) return Big(*small);
    return Big(value.as_big().digits);
}

Value from_big(const Big& number) {
    if (number != 0 && boost::multiprecision::msb(boost::multiprecision::abs(number)) > kMaxBits) {
        throw Failure("an integer has more than " + std::to_string(kMaxDigits) + " digits", FailureKind::limit);
    }
    return Value::big(number.str());
}

Big floor_divide(const Big& a, const Big& b) {
    Big quotient = a / b;
    if (a % b != 0 && (a < 0) != (b < 0)) quotient -= 1;
    return quotient;
}

Value integer_arithmetic(std::string_view operation, const Value& a, const Value& b) {
    const auto x = a.as_int();
    const auto y = b.as_int();
    if (x && y) { // the common case, without big numbers
        int64_t result = 0;
        if (operation == "+" && !__builtin_add_overflow(*x, *y, &result)) return result;
        if (operation == "-" && !__builtin_sub_overflow(*x, *y, &result)) return result;
        if (operation == "*" && !__builtin_mul_overflow(*x, *y, &result)) return result;
    }
    charge_steps(50);
    const Big p = big_of(a);
    const Big q = big_of(b);
    if (operation == "+") return from_big(p + q);
    if (operation == "-") return from_big(p - q);
    if (operation == "*") return from_big(p * q);
    if (operation == "//" || operation == "%") {
        if (q == 0) throw Failure("integer division or modulo by zero");
        const Big quotient = floor_divide(p, q);
        return operation == "//" ? from_big(quotient) : from_big(p - quotient * q);
    }
    // Powers with an exponent below zero are floats and do not come here.
    if (p == 0 || p == 1 || q == 0) return q == 0 ? Value(1) : a;
    if (p == -1) return q % 2 == 0 ? 1 : -1;
    const size_t bits = boost::multiprecision::msb(boost::multiprecision::abs(p)) + 1;
    if (q > kMaxBits || (bits - 1) * static_cast<size_t>(q) > kMaxBits) {
        throw Failure("an integer has more than " + std::to_string(kMaxDigits) + " digits", FailureKind::limit);
    }
    return from_big(boost::multiprecision::pow(p, static_cast<unsigned>(q)));
}

Value float_arithmetic(std::string_view operation, double a, double b) {
    if (operation == "+") return a + b;
    if (operation == "-") return a - b;
    if (operation == "*") return a * b;
    if (operation == "**") {
        if (a == 0 && b < 0) throw Failure("zero to a negative power");
        const double result = std::pow(a, b);
        if (std::isinf(result) && !std::isinf(a) && !std::isinf(b)) throw Failure("Result too large");
        return result;
    }
    if (b == 0) throw Failure("division by zero");
    if (operation == "/") return a / b;
    double rest = std::fmod(a, b);
    if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
    if (operation == "%") return rest == 0 ? std::copysign(0.0, b) : rest;
    const double quotient = std::floor((a - rest) / b + 0.5); // a whole number up to rounding
    return quotient == 0 ? std::copysign(0.0, a / b) : quotient;
}

} // namespace

Value arithmetic(std::string_view operation, const Value& a, const Value& b) {
    if (a.is_integer() && b.is_integer()) {
        if (operation == "/") {
            if (!b.truthy()) throw Failure("division by zero");
            return to_double(a) / to_double(b);
        }
        const bool negative_exponent = operation == "**" && compare_numbers(b, Value(0)) < 0;
        if (!negative_exponent) return integer_arithmetic(operation, a, b);
    }
    return float_arithmetic(operation, to_double(a), to_double(b));
}

Value negate(const Value& number) {
    if (number.type() == Type::floating) return -number.as_double();
    return integer_arithmetic("-", Value(0), number);
}

std::partial_ordering compare_numbers(const Value& a, const Value& b) {
    const auto x = a.as_int();
    const auto y = b.as_int();
    if (x && y) return *x <=> *y;
    if (a.is_integer() && b.is_integer()) {
        const Big p = big_of(a);
        const Big q = big_of(b);
        return p < q   ? std::partial_ordering::less
               : p > q ? std::partial_ordering::greater
                       : std::partial_ordering::equivalent;
    }
    const auto as_float = [](const Value& value) {
        if (value.type() == Type::floating) return value.as_double();
        return std::strtod(integer_text(value).c_str(), nullptr); // beyond the range: infinity
    };
    return as_float(a) <=> as_float(b);
}

std::optional<int64_t> parse_int64(std::string_view digits) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
    return number;
}

std::optional<Value> parse_integer(std::string_view text, int base) {
    std::string_view rest = strip(text);
    bool negative = false;
    if (!rest.empty() && (rest[0] == '-' || rest[0] == '+')) {
        negative = rest[0] == '-';
        rest.remove_prefix(1);
    }
    if (rest.size() > 2 && rest[0] == '0') {
        const char letter = static_cast<char>(rest[1] | 0x20);
        const int prefix = letter == 'x' ? 16 : letter == 'o' ? 8 : letter == 'b' ? 2 : 0;
        if (prefix != 0 && (base == prefix || base == 0)) {
            base = prefix;
            rest.remove_prefix(2);
            if (rest[0] == '_') rest.remove_prefix(1);
        }
    }
    if (base == 0) base = 10;
    if (base < 2 || base > 36 || rest.empty() || rest.front() == '_' || rest.back() == '_') return std::nullopt;
    if (rest.size() > kMaxDigits) return std::nullopt;
    Big number = 0;
    bool underscore = false;
    for (const char c : rest) {
        if (c == '_') {
            if (underscore) return std::nullopt;
            underscore = true;
            continue;
        }
        underscore = false;
        const char lower = static_cast<char>(c | 0x20);
        int digit = 99;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if (lower >= 'a' && lower <= 'z')
            digit = lower - 'a' + 10;
        if (digit >= base) return std::nullopt;
        number = number * base + digit;
    }
    charge_steps(rest.size() * rest.size() / 64);
    return from_big(negative ? Big(-number) : number);
}

std::optional<double> parse_float(std::string_view text) {
    const std::string_view rest = strip(text);
    std::string plain;
    for (size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '_') {
            const bool between = i > 0 && i + 1 < rest.size() &&
                                 std::isdigit(static_cast<unsigned char>(rest[i - 1])) &&
                                 std::isdigit(static_cast<unsigned char>(rest[i + 1]));
            if (!between) return std::nullopt;
            continue;
        }
        plain += static_cast<char>(rest[i] >= 'A' && rest[i] <= 'Z' ? rest[i] | 0x20 : rest[i]);
    }
    std::string_view body = plain;
    if (!body.empty() && (body[0] == '-' || body[0] == '+')) body.remove_prefix(1);
    if (body.empty()) return std::nullopt;
    const double sign = plain[0] == '-' ? -1.0 : 1.0;
    if (body == "inf" || body == "infinity") return sign * std::numeric_limits<double>::infinity();
    if (body == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (body.find_first_not_of("0123456789.e+-") != std::string_view::npos) return std::nullopt;
    double number = 0;
    const auto [end, error] = std::from_chars(body.data(), body.data() + body.size(), number);
    if (end != body.data() + body.size() || error == std::errc::invalid_argument) return std::nullopt;
    if (error == std::errc::result_out_of_range) number = std::strtod(std::string(body).c_str(), nullptr);
    return sign * number;
}

double to_double(const Value& number) {
    if (number.type() == Type::floating) return number.as_double();
    if (const auto small = number.as_int()) return static_cast<double>(*small);
    if (!number.is_number()) {
        if (number.is_undefined()) throw Failure(number.as_undefined().message);
        throw Failure("a number is expected, not " + std::string(number.type_name()));
    }
    const double value = std::strtod(number.as_big().digits.c_str(), nullptr);
    if (std::isinf(value)) throw Failure("int too large to convert to float");
    return value;
}

Value truncate(double number) {
    if (std::isnan(number)) throw Failure("cannot convert float NaN to integer");
    if (std::isinf(number)) throw Failure("cannot convert float infinity to integer");
    const double whole = std::trunc(number);
    if (std::abs(whole) < 9.2e18) return static_cast<int64_t>(whole);
    return from_big(Big(whole));
}

double round_half_even(double number, int64_t digits) {
    if (!std::isfinite(number) || digits > 300) return number;
    if (digits < -308) return std::copysign(0.0, number);
    if (digits < 0) {
        const double scale = std::pow(10.0, static_cast<double>(-digits));
        return std::nearbyint(number / scale) * scale;
    }
    char text[700]; // printf rounds the exact binary value, as Python does
    std::snprintf(text, sizeof(text), "%.*f", static_cast<int>(digits), number);
    return std::strtod(text, nullptr);
}

std::string float_repr(double number) {
    if (std::isnan(number)) return "nan";
    if (std::isinf(number)) return number < 0 ? "-inf" : "inf";
    char buffer[64];
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific).ptr;
    const std::string text(buffer, end);
    const size_t e = text.find('e');
    const int exponent = std::atoi(text.c_str() + e + 1);
    const bool negative = text[0] == '-';
    std::string digits;
    for (const char c : text.substr(0, e)) {
        if (c >= '0' && c <= '9') digits += c;
    }
    const int n_digits = static_cast<int>(digits.size());
    std::string out;
    if (exponent < -4 || exponent >= 16) {
        out = digits.substr(0, 1);
        if (n_digits > 1) out += "." + digits.substr(1);
        const int size = std::abs(exponent);
        out += std::string("e") + (exponent < 0 ? "-" : "+") + (size < 10 ? "0" : "") + std::to_string(size);
    } else if (exponent < 0) {
        out = "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
    } else if (n_digits <= exponent + 1) {
        out = digits + std::string(static_cast<size_t>(exponent + 1 - n_digits), '0') + ".0";
    } else {
        out = digits.substr(0, static_cast<size_t>(exponent) + 1) + "." +
              digits.substr(static_cast<size_t>(exponent) + 1);
    }
    return negative ? "-" + out : out;
}

std::string integer_text(const Value& integer) {
    if (const auto small = integer.as_int()) return std::to_string(*small);
    return integer.as_big().digits;
}

std::string integer_text(const Value& integer, int base) {
    if (base == 10) return integer_text(integer);
    Big number = big_of(integer);
    const bool negative = number < 0;
    if (negative) number = -number;
    std::string digits;
    do {
        digits += "0123456789abcdef"[static_cast<int>(number % base)];
        number /= base;
    } while (number != 0);
    if (negative) digits += '-';
    std::reverse(digits.begin(), digits.end());
    return digits;
}

} // namespace vkinfer::text::jinja
