// The lexer: one pass over the text between tags, one over the inside of each tag.
#include "text/jinja/lexer.h"

#include "text/jinja/errors.h"
#include "text/jinja/unicode.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace vkinfer::text::jinja {

namespace {

constexpr std::string_view kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                           "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
bool is_name_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool is_name_char(char c) {
    return is_name_start(c) || is_digit(c);
}

/// \r\n and \r become \n; one newline at the very end is dropped.
std::string normalise(std::string_view source) {
    std::string out;
    out.reserve(source.size());
    for (size_t i = 0; i < source.size(); ++i) {
        if (source[i] != '\r') {
            out += source[i];
            continue;
        }
        out += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
    if (out.ends_with('\n')) out.pop_back();
    return out;
}

std::string unescape(std::string_view body, int line) {
    std::string out;
    char32_t high = 0; // first half of a surrogate pair written as two escapes
    for (size_t i = 0; i < body.size(); ++i) {
        if (body[i] != '\\') {
            out += body[i];
            high = 0;
            continue;
        }
        const char c = body[++i]; // the lexer saw to it that something follows
        const auto hex = [&](size_t n_digits) {
            char32_t value = 0;
            if (i + n_digits >= body.size()) throw Failure("truncated escape in a string", FailureKind::syntax, line);
            for (size_t k = 1; k <= n_digits; ++k) {
                const unsigned char digit = static_cast<unsigned char>(body[i + k]);
                if (!std::isxdigit(digit)) throw Failure("truncated escape in a string", FailureKind::syntax, line);
                value =
                    value * 16 + static_cast<char32_t>(is_digit(body[i + k]) ? digit - '0' : (digit | 0x20) - 'a' + 10);
            }
            i += n_digits;
            return value;
        };
        char32_t value = 0;
        switch (c) {
        case 'n':
            value = '\n';
            break;
        case 't':
            value = '\t';
            break;
        case 'r':
            value = '\r';
            break;
        case 'a':
            value = 7;
            break;
        case 'b':
            value = 8;
            break;
        case 'f':
            value = 12;
            break;
        case 'v':
            value = 11;
            break;
        case '\\':
        case '\'':
        case '"':
            value = static_cast<char32_t>(c);
            break;
        case '\n':
            continue;
        case 'x':
            value = hex(2);
            break;
        case 'u':
            value = hex(4);
            break;
        case 'U':
            value = hex(8);
            break;
        case 'N':
            throw Failure("unknown Unicode character name in a string", FailureKind::syntax, line);
        default:
            if (c >= '0' && c <= '7') {
                value = static_cast<char32_t>(c - '0');
                for (int k = 0; k < 2 && i + 1 < body.size() && body[i + 1] >= '0' && body[i + 1] <= '7'; ++k) {
                    value = value * 8 + static_cast<char32_t>(body[++i] - '0');
                }
                break;
            }
            out += '\\';
            out += c;
            high = 0;
            continue;
        }
        if (value > 0x10FFFF) throw Failure("illegal Unicode character in a string", FailureKind::syntax, line);
        if (high != 0 && value >= 0xDC00 && value < 0xE000) {
            out.resize(out.size() - 3); // the replacement character of the lone half
            value = 0x10000 + ((high - 0xD800) << 10) + (value - 0xDC00);
        }
        high = value >= 0xD800 && value < 0xDC00 ? value : 0;
        append_char(out, value);
    }
    return out;
}

class Lexer {
public:
    explicit Lexer(std::string_view source) : text_(normalise(source)) {}

    std::vector<Token> run() {
        while (at_ < text_.size()) lex_root();
        tokens_.push_back({TokenKind::end, "", line_});
        return std::move(tokens_);
    }

private:
    [[noreturn]] void fail(const std::string& message) const { throw Failure(message, FailureKind::syntax, line_); }

    std::string_view rest() const { return std::string_view(text_).substr(at_); }

    void advance(size_t n) {
        line_ += static_cast<int>(std::count(text_.begin() + static_cast<ptrdiff_t>(at_),
                                             text_.begin() + static_cast<ptrdiff_t>(at_ + n), '\n'));
        at_ += n;
    }

    void push(TokenKind kind, std::string text = {}) { tokens_.push_back({kind, std::move(text), line_}); }

    void skip_space() {
        const std::string_view stripped = strip(rest(), true, false);
        advance(rest().size() - stripped.size());
    }

    /// After a closing delimiter with its sign: what follows it in the text goes with it.
    void finish_tag(bool minus, bool plus, bool trims) {
        line_starting_ = false;
        const size_t before = at_;
        if (minus) {
            skip_space();
        } else if (!plus && trims && at_ < text_.size() && text_[at_] == '\n') {
            advance(1);
        }
        line_starting_ = at_ > before && text_[at_ - 1] == '\n';
    }

    /// Pushes the text up to `end`, cut as the tag that begins there wants it.
    void push_data(size_t end, char sign, bool strips_line) {
        std::string_view data = std::string_view(text_).substr(at_, end - at_);
        const size_t length = data.size();
        if (sign == '-') {
            data = strip(data, false, true);
        } else if (sign != '+' && strips_line) {
            const size_t newline = data.rfind('\n');
            const size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
            if ((line_start > 0 || line_starting_) && strip(data.substr(line_start)).empty()) {
                data = data.substr(0, line_start);
            }
        }
        if (!data.empty()) push(TokenKind::data, std::string(data));
        advance(length);
    }

    /// Position behind `{% raw %}` (with signs) if one starts at `open`; `sign` is that of its end.
    size_t match_keyword_tag(size_t open, std::string_view keyword, char& sign) const {
        size_t i = open + 2;
        if (i < text_.size() && (text_[i] == '-' || text_[i] == '+')) ++i;
        const auto skip = [&] {
            const std::string_view from = std::string_view(text_).substr(i);
            i += from.size() - strip(from, true, false).size();
        };
        skip();
        if (text_.compare(i, keyword.size(), keyword) != 0) return std::string::npos;
        i += keyword.size();
        skip();
        sign = 0;
        if (i < text_.size() && (text_[i] == '-' || text_[i] == '+')) sign = text_[i++];
        if (text_.compare(i, 2, "%}") != 0) return std::string::npos;
        return i + 2;
    }

    char sign_at(size_t i) const { return i < text_.size() && (text_[i] == '-' || text_[i] == '+') ? text_[i] : '\0'; }

    void lex_root() {
        size_t open = at_;
        for (;; ++open) {
            open = text_.find('{', open);
            if (open == std::string::npos) {
                push(TokenKind::data, text_.substr(at_));
                advance(text_.size() - at_);
                return;
            }
            const char kind = open + 1 < text_.size() ? text_[open + 1] : '\0';
            if (kind == '{' || kind == '%' || kind == '#') break;
        }
        const char kind = text_[open + 1];
        const char sign = sign_at(open + 2);
        push_data(open, sign, kind != '{');
        if (kind == '#') {
            lex_comment(sign);
            return;
        }
        char end_sign = 0;
        if (kind == '%') {
            const size_t behind = match_keyword_tag(at_, "raw", end_sign);
            if (behind != std::string::npos && end_sign != '+') {
                lex_raw(behind, end_sign);
                return;
            }
        }
        push(kind == '{' ? TokenKind::variable_begin : TokenKind::block_begin);
        advance(sign == 0 ? 2 : 3);
        lex_tag(kind == '{');
    }

    void lex_comment(char sign) {
        const size_t close = text_.find("#}", at_ + (sign == 0 ? 2 : 3));
        if (close == std::string::npos) fail("Missing end of comment tag");
        const char end_sign = close > at_ + 2 ? text_[close - 1] : '\0';
        advance(close + 2 - at_);
        finish_tag(end_sign == '-', end_sign == '+', true);
    }

    void lex_raw(size_t behind, char begin_sign) {
        advance(behind - at_);
        finish_tag(begin_sign == '-', false, false);
        for (size_t open = at_;; ++open) {
            open = text_.find("{%", open);
            if (open == std::string::npos) fail("Missing end of raw directive");
            char end_sign = 0;
            const size_t close = match_keyword_tag(open, "endraw", end_sign);
            if (close == std::string::npos) continue;
            push_data(open, sign_at(open + 2), true);
            advance(close - at_);
            finish_tag(end_sign == '-', end_sign == '+', true);
            return;
        }
    }

    /// Whether the tag ends here; consumes its end.
    bool match_end(bool is_variable) {
        const std::string_view close = is_variable ? "}}" : "%}";
        const std::string_view text = rest();
        const bool minus = text.starts_with('-') && text.substr(1).starts_with(close);
        const bool plus = !is_variable && text.starts_with('+') && text.substr(1).starts_with(close);
        if (!minus && !plus && !text.starts_with(close)) return false;
        push(is_variable ? TokenKind::variable_end : TokenKind::block_end);
        advance(minus || plus ? 3 : 2);
        finish_tag(minus, plus, !is_variable);
        return true;
    }

    void lex_tag(bool is_variable) {
        std::string brackets; // closing brackets that are due; a tag does not end inside brackets
        while (true) {
            if (brackets.empty() && match_end(is_variable)) return;
            if (at_ >= text_.size()) return; // the parser says what is missing
            skip_space();
            if (at_ >= text_.size()) return;
            if (brackets.empty() && match_end(is_variable)) return;
            lex_token(brackets);
        }
    }

    void lex_token(std::string& brackets) {
        const char c = text_[at_];
        if (is_digit(c)) {
            lex_number();
        } else if (is_name_start(c)) {
            size_t end = at_;
            while (end < text_.size() && is_name_char(text_[end])) ++end;
            push(TokenKind::name, text_.substr(at_, end - at_));
            advance(end - at_);
        } else if (c == '"' || c == '\'') {
            lex_string(c);
        } else {
            lex_operator(brackets);
        }
    }

    void lex_string(char quote) {
        size_t end = at_ + 1;
        while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
        if (end >= text_.size()) fail(std::string("unexpected char \"") + quote + "\" at " + std::to_string(at_));
        push(TokenKind::string, unescape(std::string_view(text_).substr(at_ + 1, end - at_ - 1), line_));
        advance(end + 1 - at_);
    }

    /// Digits with single underscores between them, from `i`; returns the position behind.
    size_t digits(size_t i, std::string& out, bool (*accept)(char)) const {
        while (i < text_.size()) {
            if (accept(text_[i])) {
                out += text_[i++];
            } else if (text_[i] == '_' && i + 1 < text_.size() && accept(text_[i + 1])) {
                ++i;
            } else {
                break;
            }
        }
        return i;
    }

    void lex_number() {
        std::string literal;
        if (text_[at_] == '0' && at_ + 2 < text_.size()) {
            const char letter = static_cast<char>(text_[at_ + 1] | 0x20);
            bool (*accept)(char) = nullptr;
            if (letter == 'x') accept = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
            if (letter == 'o') accept = [](char c) { return c >= '0' && c <= '7'; };
            if (letter == 'b') accept = [](char c) { return c == '0' || c == '1'; };
            if (accept != nullptr) {
                const size_t end = digits(at_ + 2, literal, accept);
                if (!literal.empty()) {
                    push(TokenKind::integer, text_.substr(at_, 2) + literal);
                    advance(end - at_);
                    return;
                }
            }
        }
        size_t end = digits(at_, literal, is_digit);
        bool is_float = false;
        // Behind a dot (`x.0.1`) digits are an index and never a fraction.
        const bool behind_dot = !tokens_.empty() && tokens_.back().kind == TokenKind::op &&
                                tokens_.back().text == "." && at_ > 0 && text_[at_ - 1] == '.';
        if (!behind_dot && end + 1 < text_.size() && text_[end] == '.' && is_digit(text_[end + 1])) {
            is_float = true;
            literal += '.';
            end = digits(end + 1, literal, is_digit);
        }
        if (!behind_dot && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
            size_t exponent = end + 1;
            std::string sign;
            if (exponent < text_.size() && (text_[exponent] == '+' || text_[exponent] == '-')) sign = text_[exponent++];
            if (exponent < text_.size() && is_digit(text_[exponent])) {
                is_float = true;
                literal += "e" + sign;
                end = digits(exponent, literal, is_digit);
            }
        }
        if (!is_float && literal.size() > 1 && literal[0] == '0') { // 012 is 0 and then 12, as in Jinja: a syntax error
            if (literal.find_first_not_of('0') != std::string::npos) fail("an integer begins with 0");
            literal = "0";
        }
        push(is_float ? TokenKind::floating : TokenKind::integer, literal);
        advance(end - at_);
    }

    void lex_operator(std::string& brackets) {
        for (const std::string_view op : kOperators) {
            if (!rest().starts_with(op)) continue;
            if (op == "(") brackets += ')';
            if (op == "[") brackets += ']';
            if (op == "{") brackets += '}';
            if (op == ")" || op == "]" || op == "}") {
                if (brackets.empty()) fail("unexpected '" + std::string(op) + "'");
                if (brackets.back() != op[0]) {
                    fail("unexpected '" + std::string(op) + "', expected '" + brackets.back() + "'");
                }
                brackets.pop_back();
            }
            push(TokenKind::op, std::string(op));
            advance(op.size());
            return;
        }
        size_t end = at_;
        next_char(text_, end);
        fail("unexpected char '" + text_.substr(at_, end - at_) + "' at " + std::to_string(at_));
    }

    std::string text_;
    size_t at_ = 0;
    int line_ = 1;
    bool line_starting_ = true; // the tag before ended with a newline, or there was none
    std::vector<Token> tokens_;
};

} // namespace

std::vector<Token> tokenize(std::string_view source) {
    return Lexer(source).run();
}

std::string describe(const Token& token) {
    switch (token.kind) {
    case TokenKind::data:
        return "template data / text";
    case TokenKind::variable_begin:
        return "begin of print statement";
    case TokenKind::variable_end:
        return "end of print statement";
    case TokenKind::block_begin:
        return "begin of statement block";
    case TokenKind::block_end:
        return "end of statement block";
    case TokenKind::end:
        return "end of template";
    case TokenKind::string:
        return "string";
    case TokenKind::integer:
        return "integer";
    case TokenKind::floating:
        return "float";
    case TokenKind::name:
    case TokenKind::op:
        return token.text;
    }
    return token.text;
}

} // namespace vkinfer::text::jinja
