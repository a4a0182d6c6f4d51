#include "tools/build_info.h"

namespace vkinfer::tools {

const char* const kBuildCommit =
#include "build_commit.inc"
    ;

const int kBuildNumber =
#include "build_number.inc"
    ;

} // namespace vkinfer::tools
