// Which element of a cooperative matrix a lane holds. Vulkan leaves it to the driver, so it is asked at start with a
// small kernel; kernels that fill fragments in registers take the answer as specialisation constants, and load
// fragments through memory where it is not of the form below.
#pragma once

#include "kernels/policy.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace vkinfer::gpu {
class Device;
}

namespace vkinfer::kernels {

class PipelineStore;

/// Elements per fragment and lane that the probe has room for.
inline constexpr uint32_t kMaxFragmentElements = 32;

/// Reads a probe's answer: `found` holds, for A (M x K), B (K x N) and the accumulator (M x N) in turn, for each lane,
/// kMaxFragmentElements row-major element indices, ~0 where there is none. Returns an unknown map when they do not
/// follow FragmentMap's rules, and nothing when all entries are alike: nothing ran.
std::optional<FragmentMap> read_fragment_map(const CoopmatTiles& tiles, std::span<const uint32_t> found);

/// Asks the device. On devices that execute nothing the map is the one that the driver's other properties imply: those
/// are compiled for and looked at, and should be looked at with the kernels of the real device.
FragmentMap probe_fragment_map(gpu::Device& device, PipelineStore& pipelines, const Policy& policy);

/// The map of a RADV device by its name, for planning without it and for the no-op device; unknown for others.
FragmentMap expected_fragment_map(const Policy& policy, std::string_view device_name);

} // namespace vkinfer::kernels
