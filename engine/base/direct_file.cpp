#include "base/direct_file.h"

#include "base/error.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <format>
#include <memory>
#include <unistd.h>
#include <utility>

namespace vkinfer {

namespace {

constexpr size_t kMaxRead = size_t{1} << 30; // the kernel reads at most 2 GiB a call

uint64_t page_of(uint64_t offset) {
    return offset / DirectFile::kAlignment * DirectFile::kAlignment;
}

/// Reads until `into` is full or the file ends; returns how much came, or -1 with errno.
ssize_t read_all(int descriptor, uint64_t offset, std::span<std::byte> into) {
    size_t done = 0;
    while (done < into.size()) {
        const ssize_t got = ::pread(descriptor, into.data() + done, std::min(into.size() - done, kMaxRead),
                                    static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -1;
        if (got == 0) break;
        done += static_cast<size_t>(got);
        if (done % DirectFile::kAlignment != 0) break; // the end of the file
    }
    return static_cast<ssize_t>(done);
}

/// The same over a buffer of this thread: drivers map device memory without pages that O_DIRECT could pin (EFAULT), and
/// a copy is cheaper than filling the page cache.
ssize_t read_buffered(int descriptor, uint64_t offset, std::span<std::byte> into) {
    constexpr size_t kBufferBytes = size_t{1} << 20;
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    thread_local const std::unique_ptr<void, Free> buffer(std::aligned_alloc(DirectFile::kAlignment, kBufferBytes));
    if (!buffer) {
        errno = ENOMEM;
        return -1;
    }
    const auto bytes = static_cast<std::byte*>(buffer.get());
    size_t done = 0;
    while (done < into.size()) {
        const size_t wanted = std::min(into.size() - done, kBufferBytes);
        const ssize_t got = read_all(descriptor, offset + done, {bytes, wanted});
        if (got < 0) return -1;
        std::memcpy(into.data() + done, bytes, static_cast<size_t>(got));
        done += static_cast<size_t>(got);
        if (static_cast<size_t>(got) < wanted) break; // the end of the file
    }
    return static_cast<ssize_t>(done);
}

} // namespace

DirectFile::DirectFile(const std::filesystem::path& path) : path_(path) {
    cached_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (cached_ < 0) {
        const ErrorKind kind = errno == ENOENT ? ErrorKind::not_found : ErrorKind::io;
        throw Error(kind, std::format("{}: cannot be opened: {}.", path.string(), std::strerror(errno)));
    }
    direct_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT); // refused by tmpfs and others
}

DirectFile::~DirectFile() {
    if (cached_ >= 0) ::close(cached_);
    if (direct_ >= 0) ::close(direct_);
}

DirectFile::DirectFile(DirectFile&& other) noexcept
    : path_(std::move(other.path_)), cached_(std::exchange(other.cached_, -1)),
      direct_(std::exchange(other.direct_, -1)) {}

uint64_t DirectFile::window_bytes(uint64_t offset, uint64_t size) {
    return page_of(offset + size + kAlignment - 1) - page_of(offset);
}

size_t DirectFile::read_window(uint64_t offset, uint64_t size, std::span<std::byte> into, bool through_buffer) const {
    const uint64_t begin = page_of(offset);
    const size_t skip = offset - begin;
    VKINFER_ASSERT(into.size() >= window_bytes(offset, size));
    VKINFER_ASSERT(reinterpret_cast<uintptr_t>(into.data()) % kAlignment == 0);
    const std::span<std::byte> window = into.first(window_bytes(offset, size));
    ssize_t got = direct_ >= 0 && !through_buffer ? read_all(direct_, begin, window) : -1;
    if (direct_ >= 0 && got < 0 && (through_buffer || errno == EFAULT)) got = read_buffered(direct_, begin, window);
    // Some file systems open with O_DIRECT and then want another alignment.
    if (got < 0 && (direct_ < 0 || errno == EINVAL)) {
        got = read_all(cached_, begin, window);
        if (got >= 0) {
            // Only a hint; what else uses the pages keeps them.
            static_cast<void>(::posix_fadvise(cached_, static_cast<off_t>(begin), static_cast<off_t>(window.size()),
                                              POSIX_FADV_DONTNEED));
        }
    }
    if (got < 0) {
        throw Error(ErrorKind::io, std::format("{}: read failed: {}.", path_.string(), std::strerror(errno)));
    }
    if (static_cast<uint64_t>(got) < skip + size) {
        throw Error(ErrorKind::io, std::format("{}: ends before byte {}.", path_.string(), offset + size),
                    "The file is truncated or was changed while it was read; download it again.");
    }
    return skip;
}

} // namespace vkinfer
