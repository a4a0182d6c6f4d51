// Helpers for every test program: where the reference data is, and how a test says that it could not run.
#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

namespace vkinfer::test {

/// Directory of reference data (`golden/`), or nothing when this checkout has none.
std::optional<std::filesystem::path> golden_dir();

/// Root of the source tree, for tests that read files of the repository.
std::filesystem::path source_dir();

/// Reports that the running test case was skipped, and counts it. A program in which every test case was skipped exits
/// with 77, which meson shows as SKIP; a skip never looks like a pass in the totals of tools/run-tests.
void skip(std::string_view reason);

} // namespace vkinfer::test

/// Leaves the test case as skipped when there is no reference data; otherwise declares `name` as its directory.
#define VKINFER_REQUIRE_GOLDEN(name)                                                                                   \
    const auto name##_optional = ::vkinfer::test::golden_dir();                                                        \
    if (!name##_optional) {                                                                                            \
        ::vkinfer::test::skip("no golden data");                                                                       \
        return;                                                                                                        \
    }                                                                                                                  \
    const std::filesystem::path& name = *name##_optional
