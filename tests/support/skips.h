#pragma once

namespace vkinfer::test {
/// Number of test cases of this program that called skip().
int& skip_count();
} // namespace vkinfer::test
