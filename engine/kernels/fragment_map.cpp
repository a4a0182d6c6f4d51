#include "kernels/fragment_map.h"

#include "base/half.h"
#include "gpu/command_list.h"
#include "gpu/device.h"
#include "gpu/transfer.h"
#include "kernels.gen.h"
#include "kernels/pipeline_store.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace vkinfer::kernels {

namespace {

constexpr uint32_t kNothing = ~0u;

struct Found {
    std::span<const uint32_t> indices;
    uint32_t lanes;

    uint32_t at(uint32_t use, uint32_t lane, uint32_t i) const {
        return indices[(uint64_t{use} * lanes + lane) * kMaxFragmentElements + i];
    }
    /// Elements of lane 0, if all lanes have as many; 0 otherwise.
    uint32_t count(uint32_t use) const {
        const auto of_lane = [&](uint32_t lane) {
            uint32_t n = 0;
            while (n < kMaxFragmentElements && at(use, lane, n) != kNothing) ++n;
            return n;
        };
        const uint32_t n = of_lane(0);
        for (uint32_t lane = 1; lane < lanes; ++lane) {
            if (of_lane(lane) != n) return 0;
        }
        return n;
    }
};

} // namespace

std::optional<FragmentMap> read_fragment_map(const CoopmatTiles& tiles, std::span<const uint32_t> found) {

    if (std::ranges::all_of(found, [&](uint32_t index) { return index == found[0]; })) return std::nullopt;
    const uint32_t lanes = tiles.subgroup_size, m = tiles.frag_m, n = tiles.frag_n, k = tiles.frag_k;
    const Found f{found, lanes};
    const uint32_t n_a = f.count(0), n_b = f.count(1), n_c = f.count(2);
    if (m != n || n_a == 0 || n_a != n_b || k % n_a != 0 || lanes % m != 0 || n_c != m * n / lanes)
        return FragmentMap{};

    FragmentMap map{.k_groups = k / n_a, .accumulator_rows = AccumulatorRows::together};
    if (lanes / m % map.k_groups != 0) return FragmentMap{};
    bool together = true, apart = true;
    for (uint32_t lane = 0; lane < lanes; ++lane) {
        const uint32_t row = lane % m, group = lane / m;
        for (uint32_t i = 0; i < n_a; ++i) {
            const uint32_t at_k = group % map.k_groups * n_a + i;
            if (f.at(0, lane, i) != row * k + at_k || f.at(1, lane, i) != at_k * n + row) return FragmentMap{};
        }
        for (uint32_t i = 0; i < n_c; ++i) {
            together = together && f.at(2, lane, i) == (group * n_c + i) * n + row;
            apart = apart && f.at(2, lane, i) == (i * (lanes / n) + group) * n + row;
        }
    }
    if (together) return map;
    map.accumulator_rows = AccumulatorRows::apart;
    return apart ? map : FragmentMap{};
}

FragmentMap probe_fragment_map(gpu::Device& device, PipelineStore& pipelines, const Policy& policy) {
    const CoopmatTiles& tiles = policy.tiles;
    const uint32_t frag = tiles.frag_m;
    if (!policy.coopmat || tiles.frag_n != frag || tiles.frag_k != frag || frag > 32) return {}; // halves count to 2048
    std::vector<uint16_t> halves(size_t{2} * frag * frag);
    for (uint32_t i = 0; i < frag * frag; ++i) {
        halves[i] = float_to_half(static_cast<float>(i));
        halves[frag * frag + i] = float_to_half(i / frag == i % frag ? 1.0f : 0.0f);
    }
    std::vector<uint32_t> found(size_t{3} * tiles.subgroup_size * kMaxFragmentElements, kNothing);
    const auto upload = [&](const auto& values, const char* name) {
        gpu::Buffer buffer(device, {.size_bytes = values.size() * sizeof(values[0]),
                                    .domain = gpu::Domain::device,
                                    .name = name,
                                    .own_allocation = true});
        gpu::write_buffer(device, buffer, values);
        return buffer;
    };
    const gpu::Buffer half_buffer = upload(halves, "probe.halves"), found_buffer = upload(found, "probe.found");

    Dispatch dispatch;
    dispatch.shader = find_shader("fragment_probe");
    dispatch.specialization = spec_words(
        shader::FragmentProbeSpec{.local_size = std::max(tiles.subgroup_size, device.capabilities().subgroup_size),
                                  .lanes = tiles.subgroup_size,
                                  .frag = frag,
                                  .max_elements = kMaxFragmentElements});
    dispatch.subgroup_size = policy.require_subgroup_size ? tiles.subgroup_size : 0;
    gpu::CommandList list(device, {.name = "fragment_probe"});
    const std::vector<gpu::BufferRange> bindings{{half_buffer, 0, half_buffer.size_bytes()},
                                                 {found_buffer, 0, found_buffer.size_bytes()}};
    list.dispatch(pipelines.get(dispatch), {}, bindings, 1);
    list.end();
    device.wait(device.submit(list));
    found = gpu::read_buffer<uint32_t>(device, found_buffer, found.size());
    if (const auto map = read_fragment_map(tiles, found)) return *map;

    return expected_fragment_map(policy, device.info().name); // nothing ran: Mesa's no-op device
}

FragmentMap expected_fragment_map(const Policy& policy, std::string_view device_name) {
    const CoopmatTiles& tiles = policy.tiles;
    // RADV names RDNA4 by its ISA.
    if (!policy.coopmat || !device_name.contains("RADV") || tiles.subgroup_size != 32 || tiles.frag_m != 16 ||
        tiles.frag_n != 16 || tiles.frag_k != 16) {
        return {};
    }
    const bool is_gfx12 = device_name.contains("GFX12");
    return is_gfx12 ? FragmentMap{.k_groups = 2, .accumulator_rows = AccumulatorRows::together}
                    : FragmentMap{.k_groups = 1, .accumulator_rows = AccumulatorRows::apart};
}

} // namespace vkinfer::kernels
