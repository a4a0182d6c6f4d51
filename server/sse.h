// Server-sent events as the OpenAI API frames them (WHATWG HTML, "Server-sent events").
#pragma once

#include <string>
#include <string_view>

namespace vkinfer::server {

inline constexpr std::string_view kSseContentType = "text/event-stream";
inline constexpr std::string_view kSseDone = "data: [DONE]\n\n";
/// A comment line: keeps proxies from giving up during a long prefill, and finds clients that are gone.
inline constexpr std::string_view kSsePing = ": ping\n\n";

/// One event; `json` must have no line breaks, which to_text guarantees.
inline std::string sse_event(std::string_view json) {
    return std::string("data: ").append(json).append("\n\n");
}

} // namespace vkinfer::server
