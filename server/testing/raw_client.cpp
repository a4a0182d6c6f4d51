#include "server/testing/raw_client.h"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <format>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace vkinfer::server {

using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kPatience{20};

size_t parse_hex(std::string_view text) {
    size_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, 16);
    return value;
}

} // namespace

RawClient::RawClient(uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ended_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0;
}

RawClient::~RawClient() {
    close();
}

void RawClient::close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
    ended_ = true;
}

void RawClient::reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
}

void RawClient::limit_receive_buffer(int bytes) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool RawClient::send(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) return false;
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return true;
}

bool RawClient::read_more(Clock::time_point end) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    if (ended_ || left <= 0) return false;
    pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, static_cast<int>(left)) <= 0) return false;
    char piece[16384];
    const ssize_t n = ::recv(socket_, piece, sizeof piece, 0);
    if (n <= 0) {
        ended_ = true;
        return false;
    }
    buffer_.append(piece, static_cast<size_t>(n));
    return true;
}

bool RawClient::read_until(std::string_view text, std::chrono::milliseconds timeout) {
    const auto end = Clock::now() + timeout;
    while (buffer_.find(text) == std::string::npos) {
        if (!read_more(end)) return false;
    }
    return true;
}

bool RawClient::is_closed_within(std::chrono::milliseconds timeout) {
    const auto end = Clock::now() + timeout;
    while (read_more(end)) {
    }
    return ended_;
}

RawResponse RawClient::read_response(bool head_only) {
    RawResponse response;
    const auto end = Clock::now() + kPatience;
    size_t head_size;
    while ((head_size = buffer_.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more(end)) return response;
    }
    const std::string head = buffer_.substr(0, head_size + 2);
    buffer_.erase(0, head_size + 4);
    std::from_chars(head.data() + 9, head.data() + 12, response.status);
    for (size_t at = head.find("\r\n") + 2; at < head.size();) {
        const size_t line_end = head.find("\r\n", at);
        const size_t colon = head.find(": ", at);
        std::string name = head.substr(at, colon - at);
        std::ranges::transform(name, name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        response.headers[name] = head.substr(colon + 2, line_end - colon - 2);
        at = line_end + 2;
    }
    if (response.status == 100) return response;
    if (head_only || response.status == 204) {
        response.complete = true;
        return response;
    }
    if (response.headers.contains("content-length")) {
        const size_t size = static_cast<size_t>(std::stoul(response.headers["content-length"]));
        while (buffer_.size() < size && read_more(end)) {
        }
        response.complete = buffer_.size() >= size;
        response.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return response;
    }
    if (!response.headers.contains("transfer-encoding")) {
        while (read_more(end)) {
        }
        response.complete = ended_;
        response.body = std::exchange(buffer_, {});
        return response;
    }
    while (true) {
        size_t line;
        while ((line = buffer_.find("\r\n")) == std::string::npos) {
            if (!read_more(end)) return response;
        }
        const size_t size = parse_hex(std::string_view(buffer_).substr(0, line));
        while (buffer_.size() < line + 2 + size + 2) {
            if (!read_more(end)) return response;
        }
        response.body += buffer_.substr(line + 2, size);
        buffer_.erase(0, line + 2 + size + 2);
        if (size == 0) {
            response.complete = true;
            return response;
        }
    }
}

RawResponse RawClient::get(std::string_view path, std::string_view headers) {
    send(std::format("GET {} HTTP/1.1\r\nHost: test\r\n{}\r\n", path, headers));
    return read_response();
}

bool RawClient::send_post(std::string_view path, std::string_view body, std::string_view headers) {
    return send(std::format("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n{}\r\n{}", path, body.size(),
                            headers, body));
}

RawResponse RawClient::post(std::string_view path, std::string_view body, std::string_view headers) {
    send_post(path, body, headers);
    return read_response();
}

} // namespace vkinfer::server
