#include "server/server.h"

#include "base/error.h"
#include "server/connection.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <format>
#include <mutex>
#include <thread>

namespace vkinfer::server {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);
/// After a failed accept, most often for want of file descriptors.
constexpr std::chrono::milliseconds kAcceptPause{100};

unsigned thread_count(unsigned wanted) {
    if (wanted > 0) return wanted;
    return std::clamp(std::thread::hardware_concurrency(), 2u, 8u);
}

} // namespace

struct Server::State {
    State(ServerConfig config_, Log log_)
        : config(std::move(config_)), log(std::move(log_)), n_threads(thread_count(config.n_threads)),
          control(asio::make_strand(context)), acceptor(control), signals(control), drain_timer(control),
          accept_timer(control), shared(std::make_shared<Shared>(config.limits, config.api_keys, log, n_threads)) {}

    const ServerConfig config;
    const Log log;
    const unsigned n_threads;
    asio::io_context context;
    asio::strand<asio::io_context::executor_type> control; ///< all below runs here
    tcp::acceptor acceptor;
    asio::signal_set signals;
    asio::steady_timer drain_timer;
    asio::steady_timer accept_timer;
    bool stopping = false;
    const std::shared_ptr<Shared> shared;

    std::mutex connections_mutex;
    std::vector<std::weak_ptr<Connection>> connections;

    asio::awaitable<void> accept_loop();
    void wait_for_signal();
    void begin_drain();
    void begin_stop();
    std::vector<std::shared_ptr<Connection>> living_connections();
};

/// Also forgets those that are gone.
std::vector<std::shared_ptr<Connection>> Server::State::living_connections() {
    std::vector<std::shared_ptr<Connection>> living;
    const std::lock_guard lock(connections_mutex);
    std::erase_if(connections, [&](const std::weak_ptr<Connection>& weak) {
        auto connection = weak.lock();
        if (!connection) return true;
        living.push_back(std::move(connection));
        return false;
    });
    return living;
}

asio::awaitable<void> Server::State::accept_loop() {
    while (acceptor.is_open()) {
        auto [error, socket] = co_await acceptor.async_accept(asio::make_strand(context), kAwait);
        if (error == asio::error::operation_aborted || stopping) co_return;
        if (error) {
            log.warning("accept: {}", error.message());
            accept_timer.expires_after(kAcceptPause);
            co_await accept_timer.async_wait(kAwait);
            continue;
        }
        const bool full = living_connections().size() >= config.limits.connections;
        auto connection = std::make_shared<Connection>(std::move(socket), shared);
        {
            const std::lock_guard lock(connections_mutex);
            connections.push_back(connection);
        }
        full ? connection->refuse() : connection->start();
    }
}

void Server::State::wait_for_signal() {
    signals.async_wait([this](error_code error, int number) {
        if (error) return;
        if (stopping) {
            log.warning("signal {}: stopping at once", number);
            signals.clear(error); // a third one ends the program in the system's way
            begin_stop();
            return;
        }
        log.info("signal {}: finishing running requests; once more to stop at once", number);
        wait_for_signal(); // before the drain, which ends this wait and may be over at once
        begin_drain();
    });
}

void Server::State::begin_drain() {
    if (stopping) return;
    stopping = true;
    shared->draining = true;
    error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
    drain_timer.expires_after(config.limits.drain_timeout);
    drain_timer.async_wait([this](error_code error) {
        if (error) return;
        log.warning("requests still run after {} ms: cutting them off", config.limits.drain_timeout.count());
        begin_stop();
    });
    for (const auto& connection : living_connections()) connection->close_if_idle();
    // Neither the timer nor the signals may hold the server up once the last connection is gone.
    asio::co_spawn(
        control,
        [this]() -> asio::awaitable<void> {
            constexpr std::chrono::milliseconds kCheck{10};
            asio::steady_timer pause(control);
            while (!living_connections().empty()) {
                pause.expires_after(kCheck);
                co_await pause.async_wait(kAwait);
            }
            drain_timer.cancel();
            error_code ignored_too;
            signals.cancel(ignored_too);
        },
        asio::detached);
}

void Server::State::begin_stop() {
    begin_drain();
    for (const auto& connection : living_connections()) connection->abort();
}

Server::Server(ServerConfig config, Log log) : state_(std::make_unique<State>(std::move(config), std::move(log))) {}

Server::~Server() = default;

void Server::listen() {
    State& s = *state_;
    const std::string address = std::format("{}:{}", s.config.host, s.config.port);
    const auto check = [&](const error_code& error, const char* hint) {
        if (error) throw Error(ErrorKind::io, std::format("Cannot listen on {}: {}", address, error.message()), hint);
    };
    error_code error;
    tcp::resolver resolver(s.context);
    const auto found = resolver.resolve(s.config.host, std::to_string(s.config.port), tcp::resolver::passive, error);
    check(error, "Check --host.");
    // A name such as localhost may stand for both; clients that were given 127.0.0.1 must find us.
    const auto is_v4 = [](const auto& entry) { return entry.endpoint().address().is_v4(); };
    const auto v4 = std::ranges::find_if(found, is_v4);
    const tcp::endpoint endpoint = v4 == found.end() ? found.begin()->endpoint() : v4->endpoint();
    s.acceptor.open(endpoint.protocol(), error);
    check(error, "Check --host.");
    s.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    check(error, "");
    s.acceptor.bind(endpoint, error);
    check(error, "Choose another port with --port.");
    s.acceptor.listen(asio::socket_base::max_listen_connections, error);
    check(error, "Choose another port with --port.");
}

uint16_t Server::port() const {
    return state_->acceptor.local_endpoint().port();
}

void Server::run() {
    State& s = *state_;
    asio::co_spawn(s.control, s.accept_loop(), asio::detached);
    if (s.config.handle_signals) {
        s.signals.add(SIGINT);
        s.signals.add(SIGTERM);
        // A stop that came before run() has cancelled the signals already: waiting now would never end.
        asio::post(s.control, [&s] {
            if (!s.stopping) s.wait_for_signal();
        });
    }
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < s.n_threads; ++i) threads.emplace_back([&s] { s.context.run(); });
    s.context.run();
    threads.clear();
    s.shared->handlers.join();
    s.shared->set_model(nullptr);
}

void Server::set_model(std::shared_ptr<runtime::Generator> model) {
    state_->shared->set_model(std::move(model));
}

void Server::drain() {
    asio::post(state_->control, [state = state_.get()] { state->begin_drain(); });
}

void Server::stop() {
    asio::post(state_->control, [state = state_.get()] { state->begin_stop(); });
}

} // namespace vkinfer::server
