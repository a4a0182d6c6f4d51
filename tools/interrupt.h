// Ctrl-C as a flag.
#pragma once

#include <atomic>

namespace vkinfer::tools {

/// True since the last Ctrl-C; whoever acted on it sets it to false.
std::atomic<bool>& interrupted();

/// From now on Ctrl-C sets interrupted() and ends no program; system calls that wait return with EINTR.
void catch_interrupts();

/// Ctrl-C ends the program again.
void restore_interrupts();

} // namespace vkinfer::tools
