// A client over a plain socket, which can send what no HTTP library would.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace vkinfer::server {

struct RawResponse {
    int status = 0;                             ///< 0: the connection ended before an answer
    std::map<std::string, std::string> headers; ///< names in lower case
    std::string body;                           ///< chunks joined
    bool complete = false;                      ///< the body ended as its framing says
};

class RawClient {
public:
    explicit RawClient(uint16_t port);
    ~RawClient();
    RawClient(const RawClient&) = delete;
    RawClient& operator=(const RawClient&) = delete;

    /// False when the server has closed.
    bool send(std::string_view bytes);
    /// Reads until `text` was seen (in all that was read and not yet consumed) or the time is over.
    bool read_until(std::string_view text, std::chrono::milliseconds timeout = std::chrono::seconds(20));
    /// The next response.
    RawResponse read_response(bool head_only = false);
    /// Whether the server closes within the time; what it still sends is read away.
    bool is_closed_within(std::chrono::milliseconds timeout);
    /// Bytes read and not yet consumed.
    const std::string& received() const { return buffer_; }
    void close();
    /// Closes so that the server sees a reset.
    void reset();
    void limit_receive_buffer(int bytes);

    RawResponse get(std::string_view path, std::string_view headers = "");
    RawResponse post(std::string_view path, std::string_view body, std::string_view headers = "");
    bool send_post(std::string_view path, std::string_view body, std::string_view headers = "");

private:
    bool read_more(std::chrono::steady_clock::time_point end);

    int socket_ = -1;
    bool ended_ = false;
    std::string buffer_;
};

} // namespace vkinfer::server
