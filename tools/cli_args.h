// Single-dash long options (-ngl, -ctk, -fa) as llama.cpp's programs spell them. CLI11 would read `-ngl 99` as `-n gl`
// with a stray 99, so every program rewrites its arguments before CLI11 sees them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::tools {

/// Program arguments without argv[0] in which `-NAME` and `-NAME=VALUE` became `--NAME` and `--NAME=VALUE` for every
/// NAME in `long_names` (written without dashes, at least two letters each). Arguments after a lone `--` stay as they
/// are.
std::vector<std::string> rewrite_long_names(int argc, const char* const* argv,
                                            std::span<const std::string_view> long_names);

/// The same list back to front, which is the order in which CLI::App::parse(std::vector<std::string>&&) wants it.
std::vector<std::string> cli11_arguments(int argc, const char* const* argv,
                                         std::span<const std::string_view> long_names);

} // namespace vkinfer::tools
