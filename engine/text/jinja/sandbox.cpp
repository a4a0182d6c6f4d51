// Limits: the per-thread meter of live bytes and the guard of the native stack.
#include "text/jinja/sandbox.h"

#include "text/jinja/errors.h"

namespace vkinfer::text::jinja {

namespace {
thread_local Meter* t_meter = nullptr;
thread_local const char* t_stack_base = nullptr;
thread_local size_t t_stack_limit = 0;

/// Address of the native frame. With AddressSanitizer locals may live on a heap, this never does.
const char* frame_address() {
    return static_cast<const char*>(__builtin_frame_address(0));
}
} // namespace

Meter::Meter(const Limits& limits) : limit_bytes_(limits.live_bytes), steps_left_(limits.steps), previous_(t_meter) {
    t_meter = this;
}

Meter::~Meter() {
    t_meter = previous_;
}

Meter* Meter::active() {
    return t_meter;
}

void Meter::add(size_t bytes) {
    if (bytes > limit_bytes_ - live_bytes_) {
        throw Failure("the template needs more than " + std::to_string(limit_bytes_ >> 20) + " MiB of memory",
                      FailureKind::limit);
    }
    live_bytes_ += bytes;
}

void Meter::out_of_steps() {
    steps_left_ = 0;
    throw Failure("the template does not end within its limit of steps", FailureKind::limit);
}

StackGuard::Scope::Scope(size_t limit_bytes) : previous_base_(t_stack_base), previous_limit_(t_stack_limit) {
    t_stack_base = frame_address();
    t_stack_limit = limit_bytes;
}

StackGuard::Scope::~Scope() {
    t_stack_base = previous_base_;
    t_stack_limit = previous_limit_;
}

void StackGuard::check() {
    if (t_stack_base == nullptr) return;
    const char* here = frame_address();
    const size_t used = static_cast<size_t>(here < t_stack_base ? t_stack_base - here : here - t_stack_base);
    if (used > t_stack_limit) throw Failure("maximum recursion depth exceeded", FailureKind::limit);
}

} // namespace vkinfer::text::jinja
