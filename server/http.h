// An HTTP request and response as endpoint handlers see them: plain structs without sockets, so that most tests need
// none. connection.cpp converts from Beast's parser; format_head writes the answer's first lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vkinfer::server {

enum class Method : uint8_t { get, head, post, options, other };

struct Request {
    Method method = Method::get;
    std::string path;          ///< without the query, which no endpoint reads yet
    std::string authorization; ///< value of the header, may be empty
    std::string api_key;       ///< value of X-Api-Key, which llama.cpp's clients may send instead
    std::string body;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers; ///< besides those that format_head writes itself
};

/// How the end of a body is told to the client.
enum class BodyFraming : uint8_t {
    length,  ///< Content-Length
    chunked, ///< HTTP/1.1 streams
    close,   ///< HTTP/1.0 streams: the body ends with the connection
};

/// Status line and headers, with the empty line at the end.
std::string format_head(const Response& response, BodyFraming framing, bool keep_alive);

/// One chunk of a chunked body; empty data gives an empty text, because an empty chunk would end the body.
std::string format_chunk(std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

const char* reason_phrase(int status);

} // namespace vkinfer::server
