#include "support/support.h"

#include "skips.h"

#include <cstdio>
#include <doctest/doctest.h>

namespace vkinfer::test {

std::optional<std::filesystem::path> golden_dir() {
    const std::filesystem::path dir = VKINFER_GOLDEN_DIR;
    if (std::filesystem::is_directory(dir)) return dir;
    return std::nullopt;
}

std::filesystem::path source_dir() {
    return VKINFER_SOURCE_DIR;
}

int& skip_count() {
    static int count = 0;
    return count;
}

void skip(std::string_view reason) {
    ++skip_count();
    std::printf("skipped: %.*s\n", static_cast<int>(reason.size()), reason.data());
}

} // namespace vkinfer::test
