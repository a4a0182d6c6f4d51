// The one exception used inside the template engine; ChatTemplate turns it into a vkinfer::Error at its border.
#pragma once

#include <exception>
#include <string>
#include <utility>

namespace vkinfer::text::jinja {

enum class FailureKind {
    syntax,  ///< the template does not parse
    runtime, ///< a value cannot do what the template asks of it
    raised,  ///< the template called raise_exception
    limit,   ///< output, steps, memory or depth beyond the sandbox's limits
};

class Failure : public std::exception {
public:
    explicit Failure(std::string message, FailureKind kind = FailureKind::runtime, int line = 0)
        : message_(std::move(message)), kind_(kind), line_(line) {}

    const char* what() const noexcept override { return message_.c_str(); }
    const std::string& message() const { return message_; }
    FailureKind kind() const { return kind_; }
    /// Line of the template, from 1; 0: not known (yet).
    int line() const { return line_; }
    void set_line(int line) { line_ = line; }

private:
    std::string message_;
    FailureKind kind_;
    int line_;
};

} // namespace vkinfer::text::jinja
