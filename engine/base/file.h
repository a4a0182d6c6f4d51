// Files: read-only mappings for metadata and positioned reads for tensor data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace vkinfer {

/// A file opened for reading. Move-only; throws Error{not_found | io} with the path.
class File {
public:
    explicit File(const std::filesystem::path& path);
    ~File();
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;

    uint64_t size_bytes() const { return size_bytes_; }
    const std::filesystem::path& path() const { return path_; }
    int descriptor() const { return descriptor_; }

    /// Fills `into` from byte `offset`; throws Error{io} when the file ends before (it may have been truncated since).
    void read_at(uint64_t offset, std::span<std::byte> into) const;

private:
    std::filesystem::path path_;
    int descriptor_ = -1;
    uint64_t size_bytes_ = 0;
};

/// A read-only memory mapping of a whole file. Move-only. An empty file gives an empty span.
class MappedFile {
public:
    explicit MappedFile(const File& file);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;

    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

/// The whole file as a string, at most `limit_bytes`; throws Error when it is larger or cannot be read.
std::string read_text_file(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{64} << 20);

} // namespace vkinfer
