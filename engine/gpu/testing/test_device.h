// A device for tests: the one that the environment offers (meson's rigs set it), with validation when the build asks
// for it, and with every warning collected.
#pragma once

#include "gpu/device.h"
#include "gpu/instance.h"

#include <memory>
#include <string>
#include <vector>

namespace vkinfer::gpu::testing {

/// Lines that a test's device and instance logged at warning level or above.
struct LogLines {
    std::vector<std::string> lines;
};

/// An instance whose warnings are collected in `lines` (which must outlive it).
Instance make_instance(LogLines& lines);

/// True when the tests are built with -Dvalidation=true.
bool validation_requested();

/// Instance and device together. Its destructor fails the running test case when validation found something.
class TestDevice {
public:
    explicit TestDevice(const DeviceOptions& options = {});
    ~TestDevice();
    TestDevice(const TestDevice&) = delete;
    TestDevice& operator=(const TestDevice&) = delete;

    Device& device() { return *device_; }
    Device* operator->() { return device_.get(); }
    operator Device&() { return *device_; }
    const Instance& instance() const { return instance_; }
    const LogLines& log() const { return lines_; }

    /// False under a DRM shim alone, where submissions do nothing and buffers read back as zeros.
    bool executes() const;

private:
    LogLines lines_;
    Instance instance_;
    std::unique_ptr<Device> device_;
};

} // namespace vkinfer::gpu::testing
