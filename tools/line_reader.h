// Lines of a terminal or a pipe, with Ctrl-C told apart from the end.
#pragma once

#include <string>

namespace vkinfer::tools {

class LineReader {
public:
    enum class Outcome { line, end, interrupted };

    /// Reads from a file descriptor, which stays open.
    explicit LineReader(int descriptor) : descriptor_(descriptor) {}

    /// The next line without its end. A last line without an end counts. `interrupted`: a signal came first; what had
    /// been typed of the line is gone.
    Outcome read(std::string& line);

    bool is_terminal() const;

private:
    int descriptor_;
    std::string buffer_;
    bool has_ended_ = false;
};

} // namespace vkinfer::tools
