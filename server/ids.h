// Random names for answers and tool calls.
#pragma once

#include <string>
#include <string_view>

namespace vkinfer::server {

/// `prefix` and 24 random letters and digits. May be called from any thread.
std::string random_id(std::string_view prefix);

} // namespace vkinfer::server
