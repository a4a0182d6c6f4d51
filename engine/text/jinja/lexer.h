// Template text -> tokens. White space around tags is settled here, so the parser sees only what is printed:
// trim_blocks and lstrip_blocks are on (as in Hugging Face's environment), `-` and `+` override them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::text::jinja {

enum class TokenKind {
    data,           ///< text between tags, ready to print
    variable_begin, ///< {{
    variable_end,   ///< }}
    block_begin,    ///< {%
    block_end,      ///< %}
    name,
    string,   ///< value decoded
    integer,  ///< literal without underscores, prefix kept
    floating, ///< literal without underscores
    op,       ///< one operator, longest match
    end,
};

struct Token {
    TokenKind kind;
    std::string text;
    int line;
};

/// Throws Failure{syntax} with the line.
std::vector<Token> tokenize(std::string_view source);

/// How a token is called in messages, such as "end of statement block".
std::string describe(const Token& token);

} // namespace vkinfer::text::jinja
