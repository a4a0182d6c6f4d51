// The GPU's address space: ranges of host memory that the driver has mapped at device addresses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace vkinfer::rdna {

struct MappedRange {
    uint64_t address = 0;
    uint64_t size = 0;
    std::byte* host = nullptr;
};

class AddressSpace {
public:
    void map(uint64_t address, uint64_t size, std::byte* host);
    void unmap(uint64_t address);

    /// Host memory of [address, address + bytes), or null when that is not one mapped range.
    std::byte* find(uint64_t address, uint64_t bytes) {
        if (address - last_.address < last_.size && bytes <= last_.size - (address - last_.address)) [[likely]]
            return last_.host + (address - last_.address);
        return find_slow(address, bytes);
    }
    /// The same; throws Fault that says who asked.
    std::byte* at(uint64_t address, uint64_t bytes, const char* what);

private:
    std::byte* find_slow(uint64_t address, uint64_t bytes);

    std::map<uint64_t, MappedRange> ranges_;
    MappedRange last_{0, 0, nullptr};
};

} // namespace vkinfer::rdna
