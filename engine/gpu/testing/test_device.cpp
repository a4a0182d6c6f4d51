#include "gpu/testing/test_device.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <mutex>

namespace vkinfer::gpu::testing {

bool validation_requested() {
#ifdef VKINFER_VALIDATION
    return true;
#else
    return false;
#endif
}

Instance make_instance(LogLines& lines) {
    auto mutex = std::make_shared<std::mutex>();
    const auto sink = [mutex, &lines](LogLevel, std::string_view text) {
        const std::scoped_lock lock(*mutex);
        lines.lines.emplace_back(text);
    };
    return Instance({.validation = validation_requested(), .log = Log(sink, LogLevel::warning)});
}

TestDevice::TestDevice(const DeviceOptions& options)
    : instance_(make_instance(lines_)), device_(std::make_unique<Device>(instance_, "", options)) {}

TestDevice::~TestDevice() {
    device_.reset();
    for (const std::string& line : lines_.lines) MESSAGE(line);
    CHECK(instance_.validation_message_count() == 0);
}

bool TestDevice::executes() const {
    const char* preload = std::getenv("LD_PRELOAD");
    if (!preload) return true;
    const std::string_view libraries = preload;
    return !libraries.contains("noop_drm_shim") ||
           libraries.contains("vkinfer_rdna"); // tests/rdna executes what it gets
}

} // namespace vkinfer::gpu::testing
