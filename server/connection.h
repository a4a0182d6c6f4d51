// One client: reads requests one after the other, has them answered, and writes the answers. All of it runs on the
// connection's strand, except handlers, which run on the pool so that a long prompt does not hold up other streams.
#pragma once

#include "base/log.h"
#include "runtime/types.h"
#include "server/event_queue.h"
#include "server/reply.h"
#include "server/server_limits.h"

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::server {

/// What all connections of a server share.
struct Shared {
    Limits limits;
    std::vector<std::string> api_keys;
    Log log;
    boost::asio::thread_pool handlers;
    std::atomic<bool> draining = false;
    std::atomic<size_t> bodies_bytes = 0; ///< see Limits::all_bodies_bytes

    Shared(Limits limits_, std::vector<std::string> keys, Log log_, unsigned n_threads)
        : limits(limits_), api_keys(std::move(keys)), log(std::move(log_)), handlers(n_threads) {}

    std::shared_ptr<runtime::Generator> model() const {
        const std::lock_guard lock(mutex_);
        return model_;
    }
    void set_model(std::shared_ptr<runtime::Generator> model) {
        const std::lock_guard lock(mutex_);
        model_ = std::move(model);
    }

private:
    mutable std::mutex mutex_;
    std::shared_ptr<runtime::Generator> model_;
};

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(boost::asio::ip::tcp::socket socket, std::shared_ptr<Shared> shared);
    ~Connection();

    /// Starts to serve. The connection keeps itself alive until the client or the server ends it.
    void start();
    /// Answers 503 and closes: the server has too many connections.
    void refuse();
    /// Closes now if no request is being read or answered. May be called from any thread.
    void close_if_idle();
    /// Cancels the answer and closes. May be called from any thread.
    void abort();

private:
    using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;
    template<class T>
    using Awaitable = boost::asio::awaitable<T>;

    Awaitable<void> serve();
    Awaitable<bool> serve_one();
    Awaitable<bool> wait_for_request();
    Awaitable<bool> read_body(Parser& parser);
    Awaitable<bool> respond(Response response, bool keep_alive);
    Awaitable<bool> run_generation(Generation generation, bool keep_alive);
    Awaitable<bool> write(std::string_view data);
    Awaitable<void> linger();
    Awaitable<void> refuse_politely();

    void watch_for_hang_up();
    void on_readable();
    Awaitable<void> stop_watching();
    void wake() { events_arrived_.cancel(); }

    std::shared_ptr<Shared> shared_;
    boost::beast::tcp_stream stream_;
    boost::beast::flat_buffer buffer_;
    boost::asio::steady_timer events_arrived_; ///< cancelled when there is something to do
    bool idle_ = false;                        ///< between two requests
    bool aborted_ = false;
    bool hung_up_ = false;   ///< the client closed while being answered
    bool watching_ = false;  ///< a wait for the socket to become readable is under way
    bool head_only_ = false; ///< the request is a HEAD
    bool http_1_0_ = false;
    size_t counted_bytes_ = 0; ///< our part of Shared::bodies_bytes
};

} // namespace vkinfer::server
