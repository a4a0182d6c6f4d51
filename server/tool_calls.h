// Finds tool calls in generated text: <tool_call>{"name": ..., "arguments": {...}}</tool_call>, as Qwen and Hermes
// models write them. Works on text as it comes, so that a stream shows no part of a call as content.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::server {

struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments; ///< JSON text as the model wrote it
};

class ToolCallParser {
public:
    struct Piece {
        std::string content; ///< text outside of calls
        std::vector<ToolCall> calls;
    };

    /// Takes the next text; gives what is certain by now. White space before and after a call is dropped.
    Piece feed(std::string_view text);
    /// The rest at the end of the text. A call without its closing tag counts if its JSON is complete.
    Piece finish();

    bool found_calls() const { return found_calls_; }

private:
    void take_content(Piece& piece);
    bool take_call(Piece& piece);
    bool add_call(Piece& piece, std::string_view json_text);

    std::string pending_; ///< text not yet decided upon
    size_t searched_ = 0; ///< bytes of pending_ without a closing tag, so that a long call is not searched again
    bool in_call_ = false;
    bool behind_call_ = false; ///< a call ended and nothing but white space came since
    bool found_calls_ = false;
};

} // namespace vkinfer::server
