// Which build a result came from; build_info.cpp is generated from build_info.cpp.in.
#pragma once

namespace vkinfer::tools {

extern const char* const kBuildCommit;
extern const int kBuildNumber; ///< commits up to it; 0 when the build did not know

} // namespace vkinfer::tools
