#include "tools/line_reader.h"

#include "tools/interrupt.h"

#include <cerrno>
#include <unistd.h>

namespace vkinfer::tools {

bool LineReader::is_terminal() const {
    return isatty(descriptor_) == 1;
}

LineReader::Outcome LineReader::read(std::string& line) {
    line.clear();
    for (;;) {
        if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
            line = buffer_.substr(0, end);
            buffer_.erase(0, end + 1);
            if (line.ends_with('\r')) line.pop_back();
            return Outcome::line;
        }
        if (has_ended_) {
            if (buffer_.empty()) return Outcome::end;
            line.swap(buffer_);
            return Outcome::line;
        }
        char bytes[4096];
        const ssize_t n = ::read(descriptor_, bytes, sizeof bytes);
        if (n > 0) {
            buffer_.append(bytes, static_cast<size_t>(n));
        } else if (n < 0 && errno == EINTR) {
            if (!interrupted()) continue; // another signal, such as a resized terminal
            buffer_.clear();
            return Outcome::interrupted;
        } else {
            has_ended_ = true;
        }
    }
}

} // namespace vkinfer::tools
