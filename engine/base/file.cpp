#include "base/file.h"

#include "base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <format>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace vkinfer {

File::File(const std::filesystem::path& path) : path_(path) {
    descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
        const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::io;
        throw Error(kind, std::format("{}: cannot be opened: {}.", path.string(), std::strerror(errno)));
    }
    struct stat status{};
    if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
        ::close(std::exchange(descriptor_, -1));
        throw Error(ErrorKind::io, std::format("{}: is not a regular file.", path.string()));
    }
    size_bytes_ = static_cast<uint64_t>(status.st_size);
}

File::~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

File::File(File&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(size_bytes_, other.size_bytes_);
    return *this;
}

void File::read_at(uint64_t offset, std::span<std::byte> into) const {
    constexpr size_t kMaxRead = size_t{1} << 30; // the kernel reads at most 2 GiB a call
    while (!into.empty()) {
        const ssize_t got =
            ::pread(descriptor_, into.data(), std::min(into.size(), kMaxRead), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            throw Error(ErrorKind::io, std::format("{}: read failed: {}.", path_.string(), std::strerror(errno)));
        if (got == 0) {
            throw Error(ErrorKind::io, std::format("{}: ends before byte {}.", path_.string(), offset + into.size()),
                        "The file is truncated or was changed while it was read; download it again.");
        }
        offset += static_cast<uint64_t>(got);
        into = into.subspan(static_cast<size_t>(got));
    }
}

MappedFile::MappedFile(const File& file) {
    if (file.size_bytes() == 0) return;
    void* address = ::mmap(nullptr, file.size_bytes(), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
    if (address == MAP_FAILED) {
        throw Error(ErrorKind::io,
                    std::format("{}: cannot be mapped: {}.", file.path().string(), std::strerror(errno)));
    }
    bytes_ = {static_cast<const std::byte*>(address), file.size_bytes()};
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

std::string read_text_file(const std::filesystem::path& path, uint64_t limit_bytes) {
    const File file(path);
    if (file.size_bytes() > limit_bytes) {
        throw Error(ErrorKind::invalid_input, std::format("{}: is {} bytes long, at most {} are read.", path.string(),
                                                          file.size_bytes(), limit_bytes));
    }
    std::string text(file.size_bytes(), '\0');
    file.read_at(0, std::as_writable_bytes(std::span(text)));
    return text;
}

} // namespace vkinfer
