// Logging through a sink that the program gives. The engine never prints by itself.
#pragma once

#include <cstdint>
#include <format>
#include <functional>
#include <string>
#include <string_view>

namespace vkinfer {

enum class LogLevel : uint8_t { debug, info, warning, error };

/// Receives finished lines without a line end. May be called from several threads at once.
using LogSink = std::function<void(LogLevel, std::string_view)>;

/// A cheap handle that is passed down by value; a default-constructed one drops everything.
class Log {
public:
    Log() = default;
    explicit Log(LogSink sink, LogLevel lowest = LogLevel::info);

    template<class... Args>
    void debug(std::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::debug, text, std::forward<Args>(args)...);
    }
    template<class... Args>
    void info(std::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::info, text, std::forward<Args>(args)...);
    }
    template<class... Args>
    void warning(std::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::warning, text, std::forward<Args>(args)...);
    }
    template<class... Args>
    void error(std::format_string<Args...> text, Args&&... args) const {
        write(LogLevel::error, text, std::forward<Args>(args)...);
    }

private:
    template<class... Args>
    void write(LogLevel level, std::format_string<Args...> text, Args&&... args) const {
        if (sink_ && level >= lowest_) sink_(level, std::format(text, std::forward<Args>(args)...));
    }

    LogSink sink_;
    LogLevel lowest_ = LogLevel::info;
};

/// A sink that writes to standard error with a one-letter level in front, whole lines at a time.
LogSink stderr_sink();

} // namespace vkinfer
