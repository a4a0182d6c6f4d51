#include "gpu/cpu_workers.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <sched.h>
#include <string>

namespace vkinfer::gpu {

namespace {

std::vector<size_t> usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof(set), &set) != 0) return {}; // more CPUs than the set holds
    std::vector<size_t> cpus;
    for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

} // namespace

std::vector<pid_t> process_threads() {
    std::vector<pid_t> threads;
    std::error_code no_proc; // then there are none to bind
    for (std::filesystem::directory_iterator task("/proc/self/task", no_proc), end; !no_proc && task != end;
         task.increment(no_proc)) {
        threads.push_back(static_cast<pid_t>(std::strtol(task->path().filename().c_str(), nullptr, 10)));
    }
    std::ranges::sort(threads);
    return threads;
}

std::vector<pid_t> new_threads(std::span<const pid_t> before, std::span<const pid_t> after) {
    std::vector<pid_t> made;
    std::ranges::set_difference(after, before, std::back_inserter(made));
    return made;
}

size_t spread_over_cpus(std::span<const pid_t> threads) {
    const std::vector<size_t> cpus = usable_cpus();
    if (cpus.size() < 2) return 0;
    size_t n_bound = 0;
    for (size_t i = 0; i < threads.size(); ++i) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpus[i % cpus.size()], &set);
        if (sched_setaffinity(threads[i], sizeof(set), &set) == 0) ++n_bound;
    }
    return n_bound;
}

size_t spread_lavapipe(std::span<const pid_t> threads) {
    // A pool for rasterising and one for computing, each of a worker for every CPU, up to a limit of its own. The
    // thread before them is the queue's, which compiles: with several programs it must go where there is a CPU for it.
    const size_t n_workers = 2 * usable_cpus().size();
    if (std::getenv("LP_NUM_THREADS") != nullptr || threads.size() < n_workers) return 0;
    return spread_over_cpus(threads.last(n_workers));
}

} // namespace vkinfer::gpu
