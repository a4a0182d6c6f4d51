// A server whose device is lost: it loads the model again, or ends, as it was told.
#include "base/error.h"
#include "server/program.h"
#include "server/testing/fake_generator.h"

#include <atomic>
#include <csignal>
#include <doctest/doctest.h>
#include <thread>
#include <unistd.h>

using namespace vkinfer;
using namespace std::chrono_literals;

namespace {

/// Healthy until it is told otherwise.
class MortalGenerator : public server::FakeGenerator {
public:
    explicit MortalGenerator(bool is_lost) : is_lost_(is_lost) {}
    Result<void> health() const override {
        if (is_lost_) return fail(ErrorKind::device_lost, "the device was lost");
        return {};
    }

private:
    bool is_lost_;
};

/// Runs a server whose first `n_lost` models lose their device, and ends it once a healthy one is loaded.
std::pair<int, int> run(const char* on_device_lost, int n_lost) {
    std::atomic<int> n_loads = 0;
    const char* const arguments[] = {"vkinfer-server", "--port",           "0",           "--log-level",
                                     "error",          "--on-device-lost", on_device_lost};
    std::jthread stopper;
    const int status =
        server::run_program(std::size(arguments), arguments, [&](const runtime::EngineOptions&, const Log&) {
            const bool is_lost = n_loads++ < n_lost;
            if (!is_lost) {
                stopper = std::jthread([] {
                    std::this_thread::sleep_for(300ms);
                    ::kill(::getpid(), SIGTERM);
                });
            }
            return std::make_shared<MortalGenerator>(is_lost);
        });
    return {status, n_loads.load()};
}

} // namespace

TEST_CASE("after a lost device the model is loaded again") {
    CHECK(run("restart", 1) == std::pair{0, 2});
}

TEST_CASE("a device that is lost again at once ends the server") {
    CHECK(run("restart", 5) == std::pair{1, 2});
}

TEST_CASE("--on-device-lost=exit ends the server at the first loss") {
    CHECK(run("exit", 1) == std::pair{1, 1});
}
