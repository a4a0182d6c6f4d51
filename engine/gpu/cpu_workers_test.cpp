#include "gpu/cpu_workers.h"
#include "gpu/testing/test_device.h"

#include <algorithm>
#include <cstdlib>
#include <doctest/doctest.h>
#include <latch>
#include <sched.h>
#include <set>
#include <thread>
#include <unistd.h>

using namespace vkinfer;
using namespace vkinfer::gpu;

namespace {

/// CPUs that a thread may run on; 0: the caller.
std::set<int> cpus_of(pid_t thread) {
    cpu_set_t set;
    CPU_ZERO(&set);
    std::set<int> cpus;
    if (sched_getaffinity(thread, sizeof(set), &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.insert(cpu);
    }
    return cpus;
}

/// Threads that wait until the object goes.
class IdleThreads {
public:
    explicit IdleThreads(size_t n) {
        for (size_t i = 0; i < n; ++i) threads_.emplace_back([this] { end_.wait(); });
    }
    ~IdleThreads() { end_.count_down(); }

private:
    std::latch end_{1};
    std::vector<std::jthread> threads_; // joined before the latch goes
};

} // namespace

TEST_CASE("threads that were made between two looks are told from the others") {
    const std::vector<pid_t> before = process_threads();
    CHECK(std::ranges::find(before, getpid()) != before.end());
    CHECK(new_threads(before, before).empty());
    const IdleThreads idle(3);
    const std::vector<pid_t> made = new_threads(before, process_threads());
    CHECK(made.size() == 3);
    for (const pid_t thread : made) CHECK(std::ranges::find(before, thread) == before.end());
}

TEST_CASE("neighbours among spread threads have CPUs of their own, all within those of the process") {
    const std::set<int> usable = cpus_of(0);
    const std::vector<pid_t> before = process_threads();
    const IdleThreads idle(2 * usable.size() + 1);
    const std::vector<pid_t> made = new_threads(before, process_threads());
    REQUIRE(made.size() == 2 * usable.size() + 1);
    if (usable.size() == 1) {
        CHECK(spread_over_cpus(made) == 0);
        return;
    }
    CHECK(spread_over_cpus(made) == made.size());
    for (size_t first = 0; first + usable.size() <= made.size(); ++first) {
        std::set<int> taken;
        for (size_t i = first; i < first + usable.size(); ++i) {
            const std::set<int> cpus = cpus_of(made[i]);
            CHECK(cpus.size() == 1);
            taken.insert(cpus.begin(), cpus.end());
        }
        CHECK(taken == usable);
    }
    CHECK(cpus_of(0) == usable); // others are left alone
}

TEST_CASE("fewer workers than CPUs stay where the kernel puts them") {
    const std::set<int> usable = cpus_of(0);
    const std::vector<pid_t> before = process_threads();
    const IdleThreads idle(2 * usable.size() - 1);
    const std::vector<pid_t> made = new_threads(before, process_threads());
    CHECK(spread_lavapipe(made) == 0);
    for (const pid_t thread : made) CHECK(cpus_of(thread) == usable);
}

TEST_CASE("lavapipe's workers have a CPU each, and no other device's threads are bound") {
    const std::set<int> usable = cpus_of(0);
    testing::TestDevice device;
    size_t n_bound = 0;
    for (const pid_t thread : process_threads()) n_bound += cpus_of(thread).size() == 1;
    const bool is_lavapipe = device->info().type == DeviceType::cpu;
    if (usable.size() == 1) return;                // then every thread has that one
    if (is_lavapipe && usable.size() > 16) return; // its pools may be smaller
    if (is_lavapipe && std::getenv("LP_NUM_THREADS") == nullptr) {
        CHECK(n_bound == 2 * usable.size()); // not the thread of the queue
    } else {
        CHECK(n_bound == 0);
    }
    CHECK(cpus_of(0) == usable);
}
