// What a client may take of the server. Tests use smaller ones.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace vkinfer::server {

struct Limits {
    uint32_t header_bytes = 16 * 1024;
    size_t body_bytes = size_t{32} << 20;        ///< of one request
    size_t all_bodies_bytes = size_t{128} << 20; ///< of all requests being read or parsed
    size_t connections = 1024;
    size_t pipelined_bytes = 64 * 1024;     ///< kept of later requests while one is being answered
    size_t backlog_bytes = size_t{1} << 20; ///< generated text that a slow client has not taken yet

    std::chrono::milliseconds idle_timeout{75'000};   ///< between two requests of a connection
    std::chrono::milliseconds header_timeout{10'000}; ///< from a request's first byte to the end of its headers
    std::chrono::milliseconds read_timeout{30'000};   ///< between two pieces of a body
    std::chrono::milliseconds body_timeout{300'000};  ///< for a whole body
    std::chrono::milliseconds write_timeout{30'000};  ///< until the client takes the next piece of an answer
    std::chrono::milliseconds ping_interval{30'000};  ///< of comments in a stream that has nothing to say
    std::chrono::milliseconds linger_timeout{2'000};  ///< after an early answer, for the rest of the request
    std::chrono::milliseconds drain_timeout{30'000};  ///< for running answers at shutdown
};

} // namespace vkinfer::server
