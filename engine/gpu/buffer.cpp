#include "gpu/buffer.h"

#include "base/error.h"
#include "gpu/buffer_object.h"

#include <format>

namespace vkinfer::gpu {

namespace {

Allocation allocate(DeviceCore& core, const VkMemoryRequirements& requirements, const BufferDesc& desc) {
    const AllocationWish wish{.domain = desc.domain,
                              .only_type = desc.memory_type,
                              .is_dedicated = desc.own_allocation,
                              .name = desc.name.c_str()};
    try {
        return core.allocator->allocate(requirements, wish);
    } catch (const Error& error) {
        // Dropped buffers may only be waiting for someone to notice that the GPU is done with them.
        if (error.kind() != ErrorKind::out_of_memory || core.timeline->collect() == 0) throw;
    }
    return core.allocator->allocate(requirements, wish);
}

} // namespace

BufferObject::~BufferObject() {
    if (buffer) {
        core.timeline->retire([device = &core, handle = buffer, memory = allocation] {
            device->vk.vkDestroyBuffer(device->device, handle, nullptr);
            device->allocator->release(memory);
        });
    }
    --core.n_live_objects;
}

Buffer::Buffer(Device& device, const BufferDesc& desc) {
    DeviceCore& core = device.core();
    const Capabilities& capabilities = core.capabilities;
    if (desc.size_bytes == 0) throw Error(ErrorKind::invalid_input, std::format("buffer {} has size 0", desc.name));
    if (desc.size_bytes > capabilities.max_buffer_bytes) {
        throw Error(ErrorKind::unsupported,
                    std::format("buffer {} of {} bytes ({}) is larger than the {} bytes ({}) that the device allows in "
                                "one buffer",
                                desc.name, desc.size_bytes, size_text(desc.size_bytes), capabilities.max_buffer_bytes,
                                size_text(capabilities.max_buffer_bytes)),
                    "It has to be split.");
    }
    object_ = std::make_shared<BufferObject>(core);
    BufferObject& object = *object_;
    object.size_bytes = desc.size_bytes;
    object.domain = desc.domain;
    object.name = desc.name;

    VkBufferCreateInfo info{VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO};
    info.size = desc.size_bytes;
    info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT |
                 VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    if (capabilities.buffer_device_address) info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
    info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
    const uint32_t families[] = {core.queue_family, core.copy_family};
    if (desc.is_copied && families[0] != families[1]) {
        info.sharingMode = VK_SHARING_MODE_CONCURRENT;
        info.queueFamilyIndexCount = 2;
        info.pQueueFamilyIndices = families;
    }
    vk_check(core.vk.vkCreateBuffer(core.device, &info, nullptr, &object.buffer), "vkCreateBuffer",
             [&] { return std::format("buffer {} of {}", desc.name, size_text(desc.size_bytes)); });
    VkMemoryRequirements requirements{};
    core.vk.vkGetBufferMemoryRequirements(core.device, object.buffer, &requirements);
    object.allocation = allocate(core, requirements, desc);
    vk_check(core.vk.vkBindBufferMemory(core.device, object.buffer, object.allocation.memory, object.allocation.offset),
             "vkBindBufferMemory", [&] { return std::format("buffer {}", desc.name); });
    if (capabilities.buffer_device_address) {
        VkBufferDeviceAddressInfo address{VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO};
        address.buffer = object.buffer;
        object.address = core.vk.vkGetBufferDeviceAddress(core.device, &address);
    }
    core.set_name(VK_OBJECT_TYPE_BUFFER, reinterpret_cast<uint64_t>(object.buffer), desc.name);
}

uint64_t Buffer::size_bytes() const {
    return object_->size_bytes;
}
Domain Buffer::domain() const {
    return object_->domain;
}
const std::string& Buffer::name() const {
    return object_->name;
}
DeviceAddress Buffer::address() const {
    return object_->address;
}
std::byte* Buffer::mapped() const {
    return object_->allocation.mapped;
}
uint32_t Buffer::memory_type() const {
    return object_->allocation.memory_type;
}
VkBuffer Buffer::handle() const {
    return object_->buffer;
}

} // namespace vkinfer::gpu
