#include "base/log.h"

#include <cstdio>
#include <utility>

namespace vkinfer {

Log::Log(LogSink sink, LogLevel lowest) : sink_(std::move(sink)), lowest_(lowest) {}

LogSink stderr_sink() {
    return [](LogLevel level, std::string_view text) {
        constexpr char kLetters[] = {'D', 'I', 'W', 'E'};
        std::fprintf(stderr, "%c %.*s\n", kLetters[static_cast<int>(level)], static_cast<int>(text.size()),
                     text.data());
    };
}

} // namespace vkinfer
