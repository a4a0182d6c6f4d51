// Descriptor sets of one command list: allocated while it is recorded, freed together. Internal to engine/gpu.
#pragma once

#include "gpu/vk_check.h"

#include <cstdint>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace vkinfer::gpu {

struct DescriptorRange {
    VkBuffer buffer;
    uint64_t offset;
    uint64_t size;
    bool operator==(const DescriptorRange&) const = default;
};

/// Equal bindings share one set.
class DescriptorSets {
public:
    DescriptorSets(VkDevice device, const VolkDeviceTable& vk) : device_(device), vk_(vk) {}

    VkDescriptorSet get(VkDescriptorSetLayout layout, std::span<const DescriptorRange> ranges);
    size_t n_sets() const { return sets_.size(); }
    /// Forgets all sets and keeps the pools for the next recording.
    void reset();
    /// Gives the pools away, to be destroyed when the GPU is done with them.
    std::vector<VkDescriptorPool> take_pools() { return std::exchange(pools_, {}); }

private:
    struct Key {
        VkDescriptorSetLayout layout;
        std::vector<DescriptorRange> ranges;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        size_t operator()(const Key& key) const;
    };
    VkDescriptorSet allocate(VkDescriptorSetLayout layout, uint32_t n_descriptors);

    VkDevice device_;
    const VolkDeviceTable& vk_;
    std::vector<VkDescriptorPool> pools_;
    size_t current_ = 0; // pools_[current_] has room, as far as known
    std::unordered_map<Key, VkDescriptorSet, KeyHash> sets_;
    std::vector<VkDescriptorBufferInfo> infos_; // scratch
    std::vector<VkWriteDescriptorSet> writes_;  // scratch
    Key scratch_;
};

} // namespace vkinfer::gpu
