#include "server/tool_calls.h"

#include "server/ids.h"
#include "server/json_text.h"

#include <algorithm>
#include <boost/json.hpp>

namespace vkinfer::server {

namespace {

constexpr std::string_view kOpen = "<tool_call>";
constexpr std::string_view kClose = "</tool_call>";
constexpr std::string_view kSpace = " \t\r\n";

/// Length of the longest end of `text` that may be the start of kOpen.
size_t open_tag_start(std::string_view text) {
    for (size_t n = std::min(text.size(), kOpen.size() - 1); n > 0; --n) {
        if (text.ends_with(kOpen.substr(0, n))) return n;
    }
    return 0;
}

std::string_view without_trailing_space(std::string_view text) {
    const size_t last = text.find_last_not_of(kSpace);
    return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

} // namespace

ToolCallParser::Piece ToolCallParser::feed(std::string_view text) {
    Piece piece;
    pending_ += text;
    for (bool more = true; more;) {
        if (!in_call_) take_content(piece);
        more = in_call_ && take_call(piece);
    }
    return piece;
}

/// Moves what cannot be part of a call from pending_ into the piece; sets in_call_ behind an opening tag.
void ToolCallParser::take_content(Piece& piece) {
    const size_t open = pending_.find(kOpen);
    const std::string_view before = std::string_view(pending_).substr(0, open);
    const size_t held = open == std::string::npos ? open_tag_start(before) : 0;
    std::string_view content = without_trailing_space(before.substr(0, before.size() - held));
    const size_t taken = content.size();
    if (behind_call_) {
        // The line break that separates a call from the next one is not content.
        content.remove_prefix(std::min(content.find_first_not_of(kSpace), content.size()));
        behind_call_ = content.empty();
    }
    piece.content += content;
    if (open == std::string::npos) {
        pending_.erase(0, taken);
        return;
    }
    pending_.erase(0, open + kOpen.size());
    in_call_ = true;
    searched_ = 0;
}

/// Takes the call that pending_ starts with, if it is there as a whole.
bool ToolCallParser::take_call(Piece& piece) {
    const size_t close = pending_.find(kClose, searched_);
    if (close == std::string::npos) {
        searched_ = pending_.size() - std::min(pending_.size(), kClose.size() - 1);
        return false;
    }
    const std::string inner = pending_.substr(0, close);
    pending_.erase(0, close + kClose.size());
    in_call_ = false;
    if (!add_call(piece, inner)) piece.content.append(kOpen).append(inner).append(kClose);
    return true;
}

ToolCallParser::Piece ToolCallParser::finish() {
    Piece piece;
    if (in_call_) {
        if (!add_call(piece, pending_)) piece.content.append(kOpen).append(pending_);
    } else if (!behind_call_ || pending_.find_first_not_of(kSpace) != std::string::npos) {
        piece.content = pending_;
    }
    pending_.clear();
    in_call_ = false;
    return piece;
}

bool ToolCallParser::add_call(Piece& piece, std::string_view json_text) {
    const auto parsed = parse_json(json_text);
    if (!parsed || !parsed->is_object()) return false;
    const auto& object = parsed->get_object();
    const auto* name = object.if_contains("name");
    if (!name || !name->is_string()) return false;
    ToolCall call{.id = random_id("call_"), .name = std::string(name->get_string()), .arguments = "{}"};
    const char* key = object.contains("arguments") ? "arguments" : "parameters";
    if (const auto* arguments = object.if_contains(key)) {
        call.arguments =
            arguments->is_string() ? std::string(arguments->get_string()) : std::string(member_text(json_text, key));
    }
    piece.calls.push_back(std::move(call));
    found_calls_ = true;
    behind_call_ = true;
    return true;
}

} // namespace vkinfer::server
