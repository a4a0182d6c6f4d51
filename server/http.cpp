#include "server/http.h"

#include <format>

namespace vkinfer::server {

const char* reason_phrase(int status) {
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 417:
        return "Expectation Failed";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Unknown";
    }
}

std::string format_head(const Response& response, BodyFraming framing, bool keep_alive) {
    std::string head = std::format("HTTP/1.1 {} {}\r\nServer: vkinfer\r\nAccess-Control-Allow-Origin: *\r\n",
                                   response.status, reason_phrase(response.status));
    // A 204 has neither a body nor a length (RFC 9110, 8.6).
    if (response.status != 204) {
        head += std::format("Content-Type: {}\r\n", response.content_type);
        if (framing == BodyFraming::length) head += std::format("Content-Length: {}\r\n", response.body.size());
    }
    if (framing == BodyFraming::chunked) head += "Transfer-Encoding: chunked\r\n";
    const bool stays_open = keep_alive && framing != BodyFraming::close;
    head += stays_open ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
    for (const auto& [name, value] : response.headers) head += std::format("{}: {}\r\n", name, value);
    return head + "\r\n";
}

std::string format_chunk(std::string_view data) {
    if (data.empty()) return {};
    return std::format("{:x}\r\n{}\r\n", data.size(), data);
}

} // namespace vkinfer::server
