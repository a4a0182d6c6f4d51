#include "rdna/memory.h"

#include "rdna/wave.h"

namespace vkinfer::rdna {

void AddressSpace::map(uint64_t address, uint64_t size, std::byte* host) {
    ranges_[address] = {address, size, host};
    last_ = {};
}

void AddressSpace::unmap(uint64_t address) {
    ranges_.erase(address);
    last_ = {};
}

std::byte* AddressSpace::find_slow(uint64_t address, uint64_t bytes) {
    auto it = ranges_.upper_bound(address);
    if (it == ranges_.begin()) return nullptr;
    const MappedRange& range = (--it)->second;
    const uint64_t offset = address - range.address;
    if (offset >= range.size || bytes > range.size - offset) return nullptr;
    last_ = range;
    return range.host + offset;
}

std::byte* AddressSpace::at(uint64_t address, uint64_t bytes, const char* what) {
    std::byte* host = find(address, bytes);
    if (host == nullptr) fault("{} of {} bytes at {:#x}, where nothing is mapped", what, bytes, address);
    return host;
}

} // namespace vkinfer::rdna
