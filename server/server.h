// The HTTP server: listens, answers by the endpoints in routes.cpp, and stops gently, then firmly.
// It listens before a model is there and answers 503 until set_model().
#pragma once

#include "base/log.h"
#include "runtime/types.h"
#include "server/server_limits.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace vkinfer::server {

struct ServerConfig {
    std::string host = "127.0.0.1";    ///< a name or an address
    uint16_t port = 8080;              ///< 0: any free one
    std::vector<std::string> api_keys; ///< empty: no key needed
    Limits limits;
    unsigned n_threads = 0;      ///< for sockets, and as many for handlers; 0: by the number of cores
    bool handle_signals = false; ///< SIGINT and SIGTERM drain, the second one stops at once
};

class Server {
public:
    Server(ServerConfig config, Log log);
    ~Server();

    /// Binds and listens; throws Error where the address is taken or not ours.
    void listen();
    /// Port in use, after listen().
    uint16_t port() const;

    /// Serves until drain() or stop() and all connections are done.
    void run();

    /// The functions below may be called from any thread.
    /// The model that answers from now on. The server keeps it until its last request is over.
    void set_model(std::shared_ptr<runtime::Generator> model);
    /// Takes no more connections and requests; running answers end, or are cut off after Limits::drain_timeout.
    void drain();
    /// Cancels all answers and closes all connections.
    void stop();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace vkinfer::server
