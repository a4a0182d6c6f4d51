// The Vulkan instance: finds the loader, lists devices, and receives what the validation layer says.
#pragma once

#include "base/log.h"
#include "gpu/device_info.h"
#include "gpu/handles.h"

#include <memory>
#include <vector>

namespace vkinfer::gpu {

struct InstanceOptions {
    bool validation = false; ///< load VK_LAYER_KHRONOS_validation with synchronisation checks; throws when it is absent
    Log log;
};

/// Devices keep what they need of the instance alive, so the order of destruction does not matter.
class Instance {
public:
    /// Throws Error{not_found} without a Vulkan loader, Error{unsupported} when it is too old.
    explicit Instance(const InstanceOptions& options = {});
    ~Instance();
    Instance(Instance&&) noexcept;
    Instance& operator=(Instance&&) noexcept;

    /// Sorted: discrete, integrated, virtual, CPU; inside a type in the order of the loader.
    const std::vector<DeviceInfo>& devices() const;

    /// Warnings and errors of the validation layer since the start; they also go to the log. 0 without validation.
    uint32_t validation_message_count() const;
    bool validation() const;

private:
    friend class Device;
    std::shared_ptr<InstanceCore> core_;
};

} // namespace vkinfer::gpu
