// Keeps the threads of a driver that computes on the CPU apart. lavapipe gives every worker an equal share of a
// dispatch before it starts, so a dispatch takes as long as the slowest; where there is a worker for each CPU and a
// dispatch takes less than a millisecond, Linux leaves two of them on one CPU for seconds while another idles.
#pragma once

#include <span>
#include <sys/types.h>
#include <vector>

namespace vkinfer::gpu {

/// The threads of this process, in the order in which they were made.
std::vector<pid_t> process_threads();

/// The threads in `after` that are not in `before`; both as process_threads() gives them.
std::vector<pid_t> new_threads(std::span<const pid_t> before, std::span<const pid_t> after);

/// Binds threads to the CPUs that the caller may use, one after the other and round again: of neighbours, as many as
/// there are CPUs have one each. Returns how many were bound: none with one CPU, or where this is not allowed.
size_t spread_over_cpus(std::span<const pid_t> threads);

/// The same for the workers among the threads that lavapipe has made, if they are as many as the CPUs. With fewer,
/// since the user asked for fewer (LP_NUM_THREADS) or there are more CPUs than it uses, some CPU is free and the kernel
/// finds it.
size_t spread_lavapipe(std::span<const pid_t> threads);

} // namespace vkinfer::gpu
