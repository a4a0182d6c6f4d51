#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace vkinfer {

const char* to_string(ErrorKind kind) {
    switch (kind) {
    case ErrorKind::invalid_input:
        return "invalid_input";
    case ErrorKind::not_found:
        return "not_found";
    case ErrorKind::unsupported:
        return "unsupported";
    case ErrorKind::io:
        return "io";
    case ErrorKind::out_of_memory:
        return "out_of_memory";
    case ErrorKind::device_lost:
        return "device_lost";
    case ErrorKind::context_overflow:
        return "context_overflow";
    case ErrorKind::unavailable:
        return "unavailable";
    case ErrorKind::cancelled:
        return "cancelled";
    case ErrorKind::internal:
        return "internal";
    }
    return "unknown";
}

std::string Error::full_text() const {
    return hint_.empty() ? message_ : message_ + " " + hint_;
}

void invariant_failed(const char* expression, const char* file, int line) {
    std::fprintf(stderr, "vkinfer bug: %s is false at %s:%d\n", expression, file, line);
    std::abort();
}

} // namespace vkinfer
