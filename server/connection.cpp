#include "server/connection.h"

#include "server/api_error.h"
#include "server/routes.h"
#include "server/sse.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/read.hpp>
#include <format>

namespace vkinfer::server {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

/// Completion as a value: errors are part of every conversation here, not exceptions.
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Method method_of(http::verb verb) {
    switch (verb) {
    case http::verb::get:
        return Method::get;
    case http::verb::head:
        return Method::head;
    case http::verb::post:
        return Method::post;
    case http::verb::options:
        return Method::options;
    default:
        return Method::other;
    }
}

Request head_of(const http::request_parser<http::string_body>& parser) {
    const auto& message = parser.get();
    const std::string_view target = message.target();
    Request request;
    request.method = method_of(message.method());
    request.path = target.substr(0, target.find('?'));
    request.authorization = message[http::field::authorization];
    request.api_key = message["X-Api-Key"];
    return request;
}

ApiError protocol_error(int status, const char* code, std::string message) {
    ApiError error{.status = status, .message = std::move(message)};
    error.code = code;
    return error;
}

/// The answer to a request that could not be read; nothing where the client is gone or too slow.
std::optional<ApiError> read_error(const error_code& error, const Limits& limits) {
    if (error == http::error::body_limit) {
        return protocol_error(413, "body_too_large", std::format("The body has more than {} bytes", limits.body_bytes));
    }
    if (error == http::error::header_limit) {
        return protocol_error(431, "headers_too_large",
                              std::format("The headers have more than {} bytes", limits.header_bytes));
    }
    const bool client_left = error == http::error::end_of_stream || error == http::error::partial_message;
    if (client_left || error.category() != http::make_error_code(http::error::bad_version).category()) return {};
    return protocol_error(400, "bad_http", std::format("This is not a HTTP/1.1 request: {}", error.message()));
}

bool is_cancelled(const runtime::GenerationEvent& event) {
    return event.result && event.result->reason == runtime::FinishReason::cancelled;
}

/// The error that an event carries, if it ends its request without an answer.
std::optional<ApiError> error_of(const runtime::GenerationEvent& event, bool overflowed) {
    if (!event.result) return {};
    if (event.result->error) return from_error(*event.result->error);
    if (overflowed) return from_error(Error(ErrorKind::cancelled, "The client reads too slowly"));
    if (is_cancelled(event)) return from_error(Error(ErrorKind::cancelled, "The server ended this request"));
    if (event.result->reason == runtime::FinishReason::error) {
        return from_error(Error(ErrorKind::internal, "The engine failed without saying why"));
    }
    return {};
}

} // namespace

Connection::Connection(asio::ip::tcp::socket socket, std::shared_ptr<Shared> shared)
    : shared_(std::move(shared)), stream_(std::move(socket)), events_arrived_(stream_.get_executor()) {}

Connection::~Connection() {
    shared_->bodies_bytes -= counted_bytes_;
}

void Connection::start() {
    asio::co_spawn(stream_.get_executor(), [self = shared_from_this()] { return self->serve(); }, asio::detached);
}

void Connection::refuse() {
    asio::co_spawn(
        stream_.get_executor(), [self = shared_from_this()] { return self->refuse_politely(); }, asio::detached);
}

void Connection::close_if_idle() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
        if (self->idle_) self->stream_.close();
    });
}

void Connection::abort() {
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
        self->aborted_ = true;
        self->stream_.close();
        self->wake();
    });
}

asio::awaitable<void> Connection::serve() {
    try {
        error_code ignored;
        stream_.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
        stream_.socket().non_blocking(true, ignored);
        while (co_await serve_one()) {
        }
        co_await linger();
    } catch (const std::exception& error) {
        shared_->log.error("connection: {}", error.what());
    }
    stream_.close();
}

asio::awaitable<void> Connection::refuse_politely() {
    ApiError error = from_error(Error(
        ErrorKind::unavailable, std::format("The server has {} connections already", shared_->limits.connections)));
    co_await respond(error_response(error), false);
    co_await linger();
    stream_.close();
}

/// Reads and answers one request; false when the connection should end.
asio::awaitable<bool> Connection::serve_one() {
    const Limits& limits = shared_->limits;
    if (!co_await wait_for_request()) co_return false;

    Parser parser;
    parser.header_limit(limits.header_bytes);
    parser.body_limit(limits.body_bytes);
    stream_.expires_after(limits.header_timeout);
    head_only_ = false;
    http_1_0_ = false;
    const auto [error, n_read] = co_await http::async_read_header(stream_, buffer_, parser, kAwait);
    if (error) {
        if (const auto answer = read_error(error, limits)) co_await respond(error_response(*answer), false);
        co_return false;
    }

    Request request = head_of(parser);
    head_only_ = request.method == Method::head;
    http_1_0_ = parser.get().version() < 11;
    const bool keep_alive = parser.keep_alive() && !shared_->draining;
    if (auto early = answer_early(request, shared_->api_keys)) {
        // With a body on its way, the next request would begin somewhere in the middle of it.
        co_return co_await respond(std::move(*early), keep_alive && parser.is_done());
    }
    if (!co_await read_body(parser)) co_return false;
    request.body = std::move(parser.get().body());

    // On the pool, as parsing and tokenising megabytes takes longer than other streams should wait.
    const std::shared_ptr<runtime::Generator> model = shared_->model();
    const auto answer = [&request, &model]() -> Awaitable<Reply> {
        co_return dispatch(Context{.model = model.get()}, request);
    };
    Reply reply = co_await asio::co_spawn(shared_->handlers, answer, asio::use_awaitable);
    request = {};
    shared_->bodies_bytes -= std::exchange(counted_bytes_, 0);
    if (aborted_) co_return false;

    if (auto* response = std::get_if<Response>(&reply)) co_return co_await respond(std::move(*response), keep_alive);
    co_return co_await run_generation(std::move(std::get<Generation>(reply)), keep_alive);
}

/// Waits for the first byte of the next request.
asio::awaitable<bool> Connection::wait_for_request() {
    if (shared_->draining || aborted_) co_return false;
    if (buffer_.size() > 0) co_return true;
    constexpr size_t kFirstRead = 4096;
    idle_ = true;
    stream_.expires_after(shared_->limits.idle_timeout);
    const auto [error, n_read] = co_await stream_.async_read_some(buffer_.prepare(kFirstRead), kAwait);
    idle_ = false;
    buffer_.commit(n_read);
    co_return !error && !aborted_;
}

/// Reads the body piece by piece, so that each piece has its time limit and all bodies together have theirs.
asio::awaitable<bool> Connection::read_body(Parser& parser) {
    const Limits& limits = shared_->limits;
    if (parser.is_done()) co_return true;
    if (const auto expectation = parser.get()[http::field::expect]; !expectation.empty()) {
        if (!beast::iequals(expectation, "100-continue")) {
            co_await respond(error_response(protocol_error(417, "bad_http", "Only 100-continue can be expected")),
                             false);
            co_return false;
        }
        if (!co_await write("HTTP/1.1 100 Continue\r\n\r\n")) co_return false;
    }
    const auto end = std::chrono::steady_clock::now() + limits.body_timeout;
    while (!parser.is_done()) {
        if (std::chrono::steady_clock::now() > end) co_return false;
        stream_.expires_after(limits.read_timeout);
        const auto [error, n_read] = co_await http::async_read_some(stream_, buffer_, parser, kAwait);
        if (error) {
            if (const auto answer = read_error(error, limits)) co_await respond(error_response(*answer), false);
            co_return false;
        }
        const size_t grown = parser.get().body().size() - counted_bytes_;
        counted_bytes_ += grown;
        if (shared_->bodies_bytes.fetch_add(grown) + grown > limits.all_bodies_bytes) {
            const Error busy(ErrorKind::unavailable, "The server is reading too many large requests");
            co_await respond(error_response(from_error(busy)), false);
            co_return false;
        }
    }
    co_return true;
}

/// Writes a whole answer; true if another request may follow.
asio::awaitable<bool> Connection::respond(Response response, bool keep_alive) {
    std::string text = format_head(response, BodyFraming::length, keep_alive);
    if (!head_only_) text += response.body;
    const bool written = co_await write(text);
    co_return written&& keep_alive;
}

/// Writes all of `data`. The time limit holds for each piece that the client takes, not for the whole.
asio::awaitable<bool> Connection::write(std::string_view data) {
    while (!data.empty()) {
        if (aborted_) co_return false;
        stream_.expires_after(shared_->limits.write_timeout);
        const auto [error, n_written] = co_await stream_.async_write_some(asio::buffer(data), kAwait);
        if (error) co_return false;
        data.remove_prefix(n_written);
    }
    co_return true;
}

/// Runs a generation out and sends what its formatter makes of it; true if another request may follow.
asio::awaitable<bool> Connection::run_generation(Generation generation, bool keep_alive) {
    const std::shared_ptr<runtime::Generator> model = shared_->model();
    const auto executor = stream_.get_executor();
    const auto events =
        std::make_shared<EventQueue>(shared_->limits.backlog_bytes, [executor, weak = weak_from_this()] {
            asio::post(executor, [weak] {
                if (const auto self = weak.lock()) self->wake();
            });
        });
    auto submitted = model->submit(std::move(generation.request),
                                   [events, raw = model.get()](runtime::RequestId id, runtime::GenerationEvent event) {
                                       if (!events->push(std::move(event))) raw->cancel(id);
                                   });
    if (!submitted) {
        events->close();
        co_return co_await respond(error_response(from_error(submitted.error())), keep_alive);
    }

    // However this function is left, the engine forgets the request.
    struct Ending {
        const runtime::RequestId id;
        const std::shared_ptr<runtime::Generator>& model;
        const std::shared_ptr<EventQueue>& events;
        bool finished = false;
        ~Ending() {
            events->close();
            if (!finished) model->cancel(id);
        }
    } ending{*submitted, model, events};

    const BodyFraming framing = http_1_0_ ? BodyFraming::close : BodyFraming::chunked;
    keep_alive = keep_alive && !(generation.stream && http_1_0_);
    bool head_sent = false;
    Response whole;
    hung_up_ = false;
    watch_for_hang_up();
    while (!ending.finished) {
        if (hung_up_ || aborted_) co_return false;
        std::string text;
        std::optional<ApiError> failure;
        const std::vector<runtime::GenerationEvent> batch = events->take();
        for (const runtime::GenerationEvent& event : batch) {
            ending.finished = event.result.has_value();
            failure = error_of(event, events->overflowed());
            if (!failure) text += generation.formatter->feed(event);
        }
        if (batch.empty()) {
            events_arrived_.expires_after(shared_->limits.ping_interval);
            const auto [woken] = co_await events_arrived_.async_wait(kAwait);
            if (woken || !generation.stream) continue;
            text = kSsePing;
        }
        if (!generation.stream) {
            whole.body += text;
            if (failure) whole = error_response(*failure);
            continue;
        }
        if (failure && !head_sent) {
            // Nothing was sent yet, so that the status can still say what went wrong.
            co_await stop_watching();
            co_return co_await respond(error_response(*failure), keep_alive);
        }
        if (failure) text += sse_event(error_body(*failure));
        if (text.empty()) continue;
        std::string data;
        if (!head_sent) {
            const Response head{.content_type = std::string(kSseContentType),
                                .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}};
            data = format_head(head, framing, keep_alive);
        }
        head_sent = true;
        data += framing == BodyFraming::chunked ? format_chunk(text) : text;
        if (ending.finished && framing == BodyFraming::chunked) data += kLastChunk;
        if (!co_await write(data)) co_return false;
    }
    co_await stop_watching();
    if (!generation.stream) co_return co_await respond(std::move(whole), keep_alive);
    co_return keep_alive;
}

/// While an answer is under way nobody reads, so a client that leaves would go unnoticed. What it sends in the meantime
/// belongs to its next request and is kept.
void Connection::watch_for_hang_up() {
    if (watching_ || aborted_ || buffer_.size() >= shared_->limits.pipelined_bytes) return;
    watching_ = true;
    stream_.socket().async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
        self->watching_ = false;
        if (!error) self->on_readable();
        self->wake();
    });
}

void Connection::on_readable() {
    constexpr size_t kPiece = 4096;
    error_code error;
    const size_t n_read = stream_.socket().read_some(buffer_.prepare(kPiece), error);
    buffer_.commit(n_read);
    // A half-closed connection counts as closed: HTTP clients do not close before their answer is complete.
    hung_up_ = error && error != asio::error::would_block;
    if (!hung_up_) watch_for_hang_up();
}

asio::awaitable<void> Connection::stop_watching() {
    while (watching_) {
        error_code ignored;
        stream_.socket().cancel(ignored);
        events_arrived_.expires_after(shared_->limits.ping_interval);
        co_await events_arrived_.async_wait(kAwait);
    }
}

/// After an answer that came before the request was read whole: closing at once would make the system send a reset, on
/// which the client may lose the answer. So the rest of the request is read away for a short time.
asio::awaitable<void> Connection::linger() {
    if (aborted_) co_return;
    error_code ignored;
    stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    if (ignored) co_return;
    stream_.expires_after(shared_->limits.linger_timeout);
    std::vector<char> scrap(size_t{64} << 10);
    while (true) {
        const auto [error, n_read] = co_await stream_.async_read_some(asio::buffer(scrap), kAwait);
        if (error || aborted_) co_return;
    }
}

} // namespace vkinfer::server
