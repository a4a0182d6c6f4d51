#include "gpu/descriptor_sets.h"

#include <algorithm>
#include <format>
#include <utility>

namespace vkinfer::gpu {

namespace {

constexpr uint32_t kSetsPerPool = 128;
constexpr uint32_t kDescriptorsPerPool = kSetsPerPool * 8;

} // namespace

size_t DescriptorSets::KeyHash::operator()(const Key& key) const {
    uint64_t hash = reinterpret_cast<uint64_t>(key.layout);
    const auto mix = [&](uint64_t value) { hash = (hash ^ value) * 0x9e3779b97f4a7c15u + (hash >> 29); };
    for (const DescriptorRange& range : key.ranges) {
        mix(reinterpret_cast<uint64_t>(range.buffer));
        mix(range.offset);
        mix(range.size);
    }
    return hash;
}

VkDescriptorSet DescriptorSets::get(VkDescriptorSetLayout layout, std::span<const DescriptorRange> ranges) {
    scratch_.layout = layout;
    scratch_.ranges.assign(ranges.begin(), ranges.end());
    if (const auto known = sets_.find(scratch_); known != sets_.end()) return known->second;
    const auto count = static_cast<uint32_t>(ranges.size());
    const VkDescriptorSet set = allocate(layout, count);
    infos_.resize(count);
    writes_.resize(count);
    for (uint32_t i = 0; i < count; ++i) {
        infos_[i] = {ranges[i].buffer, ranges[i].offset, ranges[i].size};
        writes_[i] = {VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET};
        writes_[i].dstSet = set;
        writes_[i].dstBinding = i;
        writes_[i].descriptorCount = 1;
        writes_[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        writes_[i].pBufferInfo = &infos_[i];
    }
    vk_.vkUpdateDescriptorSets(device_, count, writes_.data(), 0, nullptr);
    sets_.emplace(scratch_, set);
    return set;
}

VkDescriptorSet DescriptorSets::allocate(VkDescriptorSetLayout layout, uint32_t n_descriptors) {
    VkDescriptorSetAllocateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO};
    info.descriptorSetCount = 1;
    info.pSetLayouts = &layout;
    for (; current_ < pools_.size(); ++current_) {
        info.descriptorPool = pools_[current_];
        VkDescriptorSet set = VK_NULL_HANDLE;
        const VkResult result = vk_.vkAllocateDescriptorSets(device_, &info, &set);
        if (result == VK_SUCCESS) return set;
        if (result != VK_ERROR_OUT_OF_POOL_MEMORY && result != VK_ERROR_FRAGMENTED_POOL) {
            vk_check(result, "vkAllocateDescriptorSets");
        }
    }
    const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, std::max(kDescriptorsPerPool, n_descriptors)};
    VkDescriptorPoolCreateInfo pool_info{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO};
    pool_info.maxSets = kSetsPerPool;
    pool_info.poolSizeCount = 1;
    pool_info.pPoolSizes = &size;
    VkDescriptorPool pool = VK_NULL_HANDLE;
    vk_check(vk_.vkCreateDescriptorPool(device_, &pool_info, nullptr, &pool), "vkCreateDescriptorPool",
             [&] { return std::format("{} sets, {} descriptors", pool_info.maxSets, size.descriptorCount); });
    pools_.push_back(pool);
    info.descriptorPool = pool;
    VkDescriptorSet set = VK_NULL_HANDLE;
    vk_check(vk_.vkAllocateDescriptorSets(device_, &info, &set), "vkAllocateDescriptorSets",
             [&] { return std::format("{} storage buffers", n_descriptors); });
    return set;
}

void DescriptorSets::reset() {
    for (VkDescriptorPool pool : pools_) vk_check(vk_.vkResetDescriptorPool(device_, pool, 0), "vkResetDescriptorPool");
    current_ = 0;
    sets_.clear();
}

} // namespace vkinfer::gpu
