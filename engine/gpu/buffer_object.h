// The shared part of a Buffer: command lists hold it too. Internal to engine/gpu.
#pragma once

#include "gpu/device_core.h"

#include <string>

namespace vkinfer::gpu {

struct BufferObject {
    explicit BufferObject(DeviceCore& owner) : core(owner) { ++core.n_live_objects; }
    ~BufferObject();
    BufferObject(const BufferObject&) = delete;
    BufferObject& operator=(const BufferObject&) = delete;

    DeviceCore& core;
    VkBuffer buffer = VK_NULL_HANDLE;
    Allocation allocation;
    uint64_t size_bytes = 0;
    DeviceAddress address = 0;
    Domain domain = Domain::device;
    std::string name;
};

} // namespace vkinfer::gpu
