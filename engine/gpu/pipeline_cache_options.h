// Where compiled pipelines are kept between runs.
#pragma once

#include <cstdint>
#include <filesystem>

namespace vkinfer::gpu {

struct PipelineCacheOptions {
    bool enabled = false; ///< off by default so that tests and libraries leave no files; programs switch it on
    std::filesystem::path directory; ///< empty: default_pipeline_cache_directory()
    uint64_t shader_hash = 0;        ///< over all shaders of the program; another one gets another file
};

/// $XDG_CACHE_HOME/vkinfer, else ~/.cache/vkinfer; empty when neither variable is set.
std::filesystem::path default_pipeline_cache_directory();

} // namespace vkinfer::gpu
