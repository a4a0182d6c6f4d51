// Reading large files around the page cache, so that what is loaded is in memory once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace vkinfer {

/// A file opened with O_DIRECT where its file system allows that, else read through the cache and dropped from it.
/// Move-only; reads may come from several threads at once.
class DirectFile {
public:
    /// What reads are aligned to, in the file and in memory.
    static constexpr uint64_t kAlignment = 4096;

    /// Throws Error{not_found | io}.
    explicit DirectFile(const std::filesystem::path& path);
    ~DirectFile();
    DirectFile(DirectFile&& other) noexcept;
    DirectFile(const DirectFile&) = delete;
    DirectFile& operator=(const DirectFile&) = delete;

    bool is_direct() const { return direct_ >= 0; }

    /// Memory that read_window() needs for `size` bytes at `offset`.
    static uint64_t window_bytes(uint64_t offset, uint64_t size);
    /// Reads the pages around [offset, offset + size) into `into`, which starts at a multiple of kAlignment and holds
    /// window_bytes(). Returns where the byte at `offset` lies in it. Throws Error{io} when the file ends before.
    /// Mappings of a GPU's memory that the kernel cannot pin take a detour over a small buffer, by themselves or when
    /// `through_buffer` says so.
    size_t read_window(uint64_t offset, uint64_t size, std::span<std::byte> into, bool through_buffer = false) const;

private:
    std::filesystem::path path_;
    int cached_ = -1;
    int direct_ = -1;
};

} // namespace vkinfer
