// Errors of the whole project. Loading and start-up throw Error; a request gets Result<T>; a program catches once.
#pragma once

#include <cstdint>
#include <exception>
#include <expected>
#include <string>
#include <utility>

namespace vkinfer {

/// What went wrong, as far as a caller acts differently on it. The HTTP server maps each kind to a status.
enum class ErrorKind : uint8_t {
    invalid_input,    ///< a file, a request or an option that cannot be right
    not_found,        ///< a file, model or device that is not there
    unsupported,      ///< right, but nothing here can do it
    io,               ///< the operating system refused a read or write
    out_of_memory,    ///< host or device memory; refuses what asked for it and nothing else
    device_lost,      ///< the GPU stopped answering; the engine has to be created anew
    context_overflow, ///< more tokens than the context holds
    unavailable,      ///< busy or shutting down; trying again later may work
    cancelled,        ///< the caller asked to stop
    internal,         ///< a bug of ours
};

/// Name of a kind in snake_case, for logs and JSON.
const char* to_string(ErrorKind kind);

/// An error a user can act on: what happened (the thing, the value met, the limit) and what to do about it.
class Error : public std::exception {
public:
    Error(ErrorKind kind, std::string message, std::string hint = {})
        : kind_(kind), message_(std::move(message)), hint_(std::move(hint)) {}

    ErrorKind kind() const { return kind_; }
    const std::string& message() const { return message_; }
    /// What the user can do; may be empty.
    const std::string& hint() const { return hint_; }
    const char* what() const noexcept override { return message_.c_str(); }
    /// Message and hint in one line.
    std::string full_text() const;

private:
    ErrorKind kind_;
    std::string message_;
    std::string hint_;
};

template<class T>
using Result = std::expected<T, Error>;

/// Shorthand for returning an Error from a function with a Result.
inline std::unexpected<Error> fail(ErrorKind kind, std::string message, std::string hint = {}) {
    return std::unexpected<Error>(Error(kind, std::move(message), std::move(hint)));
}

/// Ends the program with file, line and both values of a violated invariant: for our own bugs only, never for input.
[[noreturn]] void invariant_failed(const char* expression, const char* file, int line);

} // namespace vkinfer

#define VKINFER_ASSERT(expression)                                                                                     \
    ((expression) ? static_cast<void>(0) : ::vkinfer::invariant_failed(#expression, __FILE__, __LINE__))
