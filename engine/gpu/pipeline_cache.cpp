#include "gpu/pipeline_cache.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <format>
#include <fstream>
#include <system_error>
#include <unistd.h>

namespace vkinfer::gpu {

namespace {

// FNV-1a: detects damage and separates keys; nothing here has to resist an attacker, who could write the file anyway.
uint64_t fnv1a(std::span<const std::byte> bytes, uint64_t hash = 0xcbf29ce484222325u) {
    for (const std::byte b : bytes) {
        hash ^= static_cast<uint64_t>(b);
        hash *= 0x100000001b3u;
    }
    return hash;
}

struct FileHeader {
    char magic[8];
    uint32_t version;
    uint32_t key_bytes;
    char key[16];
    uint64_t payload_bytes;
    uint64_t payload_hash;
};
static_assert(sizeof(FileHeader) == 48);

constexpr char kMagic[8] = {'V', 'K', 'I', 'P', 'I', 'P', 'E', '\n'};
constexpr uint32_t kVersion = 1;
// Every change of a shader or driver makes a new file; more than this many would be of no use to anybody.
constexpr size_t kMaxFiles = 8;
// Far beyond any real cache; a larger file is not ours.
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

/// Removes the oldest cache files beyond kMaxFiles, and what a killed process left unfinished.
void prune(const std::filesystem::path& directory) {
    namespace fs = std::filesystem;
    struct Entry {
        fs::path path;
        fs::file_time_type time;
    };
    std::vector<Entry> caches;
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        std::error_code unreadable;
        const auto time = it->last_write_time(unreadable);
        if (unreadable || !name.starts_with("pipelines-")) continue;
        if (name.ends_with(".bin")) caches.push_back({it->path(), time});
        const bool is_stale = fs::file_time_type::clock::now() - time > std::chrono::hours(1);
        if (name.ends_with(".tmp") && is_stale) fs::remove(it->path(), unreadable);
    }
    std::ranges::sort(caches, std::ranges::greater(), &Entry::time);
    for (size_t i = kMaxFiles; i < caches.size(); ++i) fs::remove(caches[i].path, error);
}

} // namespace

std::filesystem::path default_pipeline_cache_directory() {
    const auto variable = [](const char* name) -> std::filesystem::path {
        const char* value = std::getenv(name);
        return value && *value ? value : "";
    };
    // The XDG specification: a relative path is to be ignored.
    if (const auto xdg = variable("XDG_CACHE_HOME"); xdg.is_absolute()) return xdg / "vkinfer";
    if (const auto home = variable("HOME"); home.is_absolute()) return home / ".cache" / "vkinfer";
    return {};
}

std::string pipeline_cache_key(const Capabilities& capabilities, uint64_t shader_hash) {
    uint64_t hash = fnv1a(std::as_bytes(std::span(capabilities.device_uuid)));
    hash = fnv1a(std::as_bytes(std::span(capabilities.pipeline_cache_uuid)), hash);
    // The UUIDs say almost everything; some drivers (and emulated ones) give one UUID to several chips.
    const uint32_t ids[] = {capabilities.vendor_id, capabilities.device_id, capabilities.driver_id,
                            capabilities.driver_version};
    hash = fnv1a(std::as_bytes(std::span(ids)), hash);
    hash = fnv1a(std::as_bytes(std::span(&shader_hash, 1)), hash);
    return std::format("{:016x}", hash);
}

std::vector<std::byte> pack_pipeline_cache(const std::string& key, std::span<const std::byte> payload) {
    VKINFER_ASSERT(key.size() == sizeof(FileHeader::key));
    FileHeader header{};
    std::memcpy(header.magic, kMagic, sizeof kMagic);
    header.version = kVersion;
    header.key_bytes = sizeof header.key;
    std::memcpy(header.key, key.data(), sizeof header.key);
    header.payload_bytes = payload.size();
    header.payload_hash = fnv1a(payload);
    std::vector<std::byte> file(sizeof header + payload.size());
    std::memcpy(file.data(), &header, sizeof header);
    if (!payload.empty()) std::memcpy(file.data() + sizeof header, payload.data(), payload.size());
    return file;
}

std::optional<std::vector<std::byte>> unpack_pipeline_cache(const std::string& key, std::span<const std::byte> file) {
    FileHeader header{};
    if (file.size() < sizeof header) return std::nullopt;
    std::memcpy(&header, file.data(), sizeof header);
    const auto payload = file.subspan(sizeof header);
    if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
        header.key_bytes != sizeof header.key || std::string_view(header.key, sizeof header.key) != key ||
        header.payload_bytes != payload.size() || header.payload_hash != fnv1a(payload)) {
        return std::nullopt;
    }
    return std::vector<std::byte>(payload.begin(), payload.end());
}

PipelineCache::PipelineCache(VkDevice device, const VolkDeviceTable& vk, const Capabilities& capabilities,
                             const PipelineCacheOptions& options, Log log)
    : device_(device), vk_(vk), log_(std::move(log)) {
    if (!options.enabled) return;
    key_ = pipeline_cache_key(capabilities, options.shader_hash);
    const auto directory = options.directory.empty() ? default_pipeline_cache_directory() : options.directory;
    if (directory.empty())
        log_.info("no pipeline cache: neither XDG_CACHE_HOME nor HOME is set");
    else
        file_ = directory / ("pipelines-" + key_ + ".bin");

    const std::vector<std::byte> data = load();
    VkPipelineCacheCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO};
    info.initialDataSize = data.size();
    info.pInitialData = data.data();
    if (vk_.vkCreatePipelineCache(device_, &info, nullptr, &cache_) == VK_SUCCESS) {
        loaded_bytes_ = data.size();
        return;
    }
    info.initialDataSize = 0;
    info.pInitialData = nullptr;
    vk_check(vk_.vkCreatePipelineCache(device_, &info, nullptr, &cache_), "vkCreatePipelineCache");
}

PipelineCache::~PipelineCache() {
    if (cache_) vk_.vkDestroyPipelineCache(device_, cache_, nullptr);
}

std::vector<std::byte> PipelineCache::load() {
    std::error_code error;
    if (file_.empty() || !std::filesystem::is_regular_file(file_, error)) return {};
    try {
        const File file(file_);
        if (file.size_bytes() > kMaxFileBytes) return {};
        std::vector<std::byte> bytes(file.size_bytes());
        file.read_at(0, bytes);
        if (auto payload = unpack_pipeline_cache(key_, bytes)) {
            // In use: keeps its place before the pruning.
            std::filesystem::last_write_time(file_, std::filesystem::file_time_type::clock::now(), error);
            return std::move(*payload);
        }
        log_.info("pipeline cache {} is damaged or foreign and will be rewritten", file_.string());
    } catch (const Error& e) {
        log_.info("pipeline cache cannot be read: {}", e.message());
    }
    return {};
}

void PipelineCache::save() {
    const std::scoped_lock lock(save_mutex_);
    if (!cache_ || file_.empty() || !is_dirty_.exchange(false)) return;
    const auto warn = [&](const std::string& text) {
        if (!has_warned_) log_.warning("pipeline cache {} is not kept: {}", file_.string(), text);
        has_warned_ = true;
    };
    size_t size = 0;
    if (vk_.vkGetPipelineCacheData(device_, cache_, &size, nullptr) < 0 || size == 0) return;
    std::vector<std::byte> payload(size);
    // VK_INCOMPLETE means another thread added a pipeline in between; the next save gets it.
    if (vk_.vkGetPipelineCacheData(device_, cache_, &size, payload.data()) != VK_SUCCESS) {
        is_dirty_ = true;
        return;
    }
    payload.resize(size);
    std::error_code error;
    std::filesystem::create_directories(file_.parent_path(), error);
    if (error) return warn(error.message());
    auto temporary = file_;
    temporary += std::format(".{}.tmp", ::getpid());
    const std::vector<std::byte> bytes = pack_pipeline_cache(key_, payload);
    {
        std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        out.close();
        if (!out) {
            std::filesystem::remove(temporary, error);
            return warn("the file cannot be written");
        }
    }
    std::filesystem::rename(temporary, file_, error);
    if (error) {
        const std::string text = error.message();
        std::filesystem::remove(temporary, error);
        return warn(text);
    }
    prune(file_.parent_path());
    log_.debug("pipeline cache {} written, {} bytes", file_.string(), bytes.size());
}

} // namespace vkinfer::gpu
