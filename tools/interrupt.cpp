#include "tools/interrupt.h"

#include <csignal>

namespace vkinfer::tools {

static_assert(std::atomic<bool>::is_always_lock_free, "the signal handler stores to it");

std::atomic<bool>& interrupted() {
    static std::atomic<bool> flag = false;
    return flag;
}

void catch_interrupts() {
    interrupted() = false; // made before the handler can run
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted() = true; };
    sigemptyset(&action.sa_mask);
    action.sa_flags = 0; // no SA_RESTART: a waiting read() has to return
    sigaction(SIGINT, &action, nullptr);
}

void restore_interrupts() {
    std::signal(SIGINT, SIG_DFL);
}

} // namespace vkinfer::tools
