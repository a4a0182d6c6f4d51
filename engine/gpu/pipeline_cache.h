// The VkPipelineCache of a device and its file. Internal to engine/gpu; thread-safe.
#pragma once

#include "base/log.h"
#include "gpu/capabilities.h"
#include "gpu/pipeline_cache_options.h"
#include "gpu/vk_check.h"

#include <atomic>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::gpu {

/// Identity of everything that makes a cache file fit: device, driver build and shaders, as 16 hex digits.
std::string pipeline_cache_key(const Capabilities& capabilities, uint64_t shader_hash);

/// The bytes of a cache file around `payload`, and back. Unpacking gives nothing for a foreign, cut or damaged file.
std::vector<std::byte> pack_pipeline_cache(const std::string& key, std::span<const std::byte> payload);
std::optional<std::vector<std::byte>> unpack_pipeline_cache(const std::string& key, std::span<const std::byte> file);

class PipelineCache {
public:
    /// Never throws for a bad file or directory: that costs time, not correctness.
    PipelineCache(VkDevice device, const VolkDeviceTable& vk, const Capabilities& capabilities,
                  const PipelineCacheOptions& options, Log log);
    ~PipelineCache();
    PipelineCache(const PipelineCache&) = delete;
    PipelineCache& operator=(const PipelineCache&) = delete;

    /// Null when switched off.
    VkPipelineCache handle() const { return cache_; }
    uint64_t loaded_bytes() const { return loaded_bytes_; }
    void note_pipeline_created() { is_dirty_ = true; }
    /// Writes to a temporary file and renames it, so that two processes never see half a file.
    void save();

private:
    std::vector<std::byte> load();

    VkDevice device_;
    const VolkDeviceTable& vk_;
    Log log_;
    std::string key_;
    std::filesystem::path file_; ///< empty: nothing is kept between runs
    VkPipelineCache cache_ = VK_NULL_HANDLE;
    uint64_t loaded_bytes_ = 0;
    std::atomic<bool> is_dirty_ = false;
    std::mutex save_mutex_;
    bool has_warned_ = false;
};

} // namespace vkinfer::gpu
