#include "gpu/device.h"

#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/cpu_workers.h"
#include "gpu/device_core.h"
#include "gpu/probe.h"
#include "gpu/quirks.h"

#include <format>

namespace vkinfer::gpu {

namespace {

uint32_t choose_queue_family(VkPhysicalDevice physical, const DeviceInfo& info, QueueChoice choice) {
    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
    std::vector<VkQueueFamilyProperties> families(count);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
    constexpr uint32_t kVendorAmd = 0x1002;
    const bool wants_compute_only =
        choice == QueueChoice::compute_only || (choice == QueueChoice::automatic && info.vendor_id == kVendorAmd);
    std::optional<uint32_t> any;
    std::optional<uint32_t> compute_only;
    for (uint32_t i = 0; i < count; ++i) {
        if (families[i].queueCount == 0 || !(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        const bool graphics = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (!any ||
            (choice == QueueChoice::graphics && graphics && !(families[*any].queueFlags & VK_QUEUE_GRAPHICS_BIT))) {
            any = i;
        }
        if (!graphics && !compute_only) compute_only = i;
    }
    if (wants_compute_only && compute_only) return *compute_only;
    if (!any) {
        throw Error(ErrorKind::unsupported, std::format("device {} has no queue for compute", info.name),
                    "Choose another device.");
    }
    return *any;
}

/// Where copies run beside kernels.
struct CopyQueue {
    uint32_t family = 0;
    uint32_t index = 0;
};

/// A family that only copies (DMA engines), else a second queue of the compute family: RADV does not offer the first
/// unless asked to. Nothing on unified memory, where nothing has to be copied.
std::optional<CopyQueue> choose_copy_queue(VkPhysicalDevice physical, const Capabilities& capabilities,
                                           uint32_t compute_family) {
    if (capabilities.unified_memory) return std::nullopt;
    uint32_t count = 0;
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, nullptr);
    std::vector<VkQueueFamilyProperties> families(count);
    vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families.data());
    for (uint32_t i = 0; i < count; ++i) {
        const VkQueueFlags flags = families[i].queueFlags;
        const bool only_copies =
            (flags & VK_QUEUE_TRANSFER_BIT) && !(flags & (VK_QUEUE_COMPUTE_BIT | VK_QUEUE_GRAPHICS_BIT));
        if (only_copies && families[i].queueCount > 0) return CopyQueue{i, 0};
    }
    if (families[compute_family].queueCount > 1) return CopyQueue{compute_family, 1};
    return std::nullopt;
}

void create_logical_device(DeviceCore& core, const Probe& probe, const std::optional<CopyQueue>& copies) {
    const float priorities[] = {1.0f, 1.0f};
    VkDeviceQueueCreateInfo queue_infos[2] = {};
    uint32_t n_families = 0;
    const auto add_family = [&](uint32_t family, uint32_t n_queues) {
        VkDeviceQueueCreateInfo& queue_info = queue_infos[n_families++];
        queue_info.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
        queue_info.queueFamilyIndex = family;
        queue_info.queueCount = n_queues;
        queue_info.pQueuePriorities = priorities;
    };
    add_family(core.queue_family, copies && copies->family == core.queue_family ? 2 : 1);
    if (copies && copies->family != core.queue_family) add_family(copies->family, 1);
    VkDeviceCreateInfo info{VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO};
    info.pNext = &probe.features->core;
    info.queueCreateInfoCount = n_families;
    info.pQueueCreateInfos = queue_infos;
    info.enabledExtensionCount = static_cast<uint32_t>(probe.extensions.size());
    info.ppEnabledExtensionNames = probe.extensions.data();
    const bool is_lavapipe = core.capabilities.driver_id == VK_DRIVER_ID_MESA_LLVMPIPE;
    const std::vector<pid_t> threads = is_lavapipe ? process_threads() : std::vector<pid_t>{};
    vk_check(vkCreateDevice(core.physical, &info, nullptr, &core.device), "vkCreateDevice", [&] {
        return std::format("{} with {} {}", core.info.name, core.info.driver_name, core.info.driver_info);
    });
    volkLoadDeviceTable(&core.vk, core.device);
    if (is_lavapipe) { // its workers come with the process's first device
        const size_t n_bound = spread_lavapipe(new_threads(threads, process_threads()));
        core.log.debug("lavapipe: {} threads bound to a CPU each", n_bound);
    }
}

} // namespace

LayoutCache::~LayoutCache() {
    for (const auto& [key, layout] : pipeline_layouts_) vk_.vkDestroyPipelineLayout(device_, layout, nullptr);
    for (const auto& [key, layout] : set_layouts_) vk_.vkDestroyDescriptorSetLayout(device_, layout, nullptr);
}

VkDescriptorSetLayout LayoutCache::set_layout_locked(uint32_t n_bindings) {
    VkDescriptorSetLayout& layout = set_layouts_[n_bindings];
    if (layout) return layout;
    std::vector<VkDescriptorSetLayoutBinding> bindings(n_bindings);
    for (uint32_t i = 0; i < n_bindings; ++i) {
        bindings[i].binding = i;
        bindings[i].descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
        bindings[i].descriptorCount = 1;
        bindings[i].stageFlags = VK_SHADER_STAGE_COMPUTE_BIT;
    }
    VkDescriptorSetLayoutCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO};
    info.bindingCount = n_bindings;
    info.pBindings = bindings.data();
    vk_check(vk_.vkCreateDescriptorSetLayout(device_, &info, nullptr, &layout), "vkCreateDescriptorSetLayout",
             [&] { return std::format("{} storage buffers", n_bindings); });
    return layout;
}

VkDescriptorSetLayout LayoutCache::set_layout(uint32_t n_bindings) {
    const std::scoped_lock lock(mutex_);
    return set_layout_locked(n_bindings);
}

VkPipelineLayout LayoutCache::pipeline_layout(uint32_t n_bindings, uint32_t push_bytes) {
    const std::scoped_lock lock(mutex_);
    VkPipelineLayout& layout = pipeline_layouts_[{n_bindings, push_bytes}];
    if (layout) return layout;
    const VkDescriptorSetLayout set = set_layout_locked(n_bindings);
    VkPushConstantRange range{VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes};
    VkPipelineLayoutCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO};
    info.setLayoutCount = 1;
    info.pSetLayouts = &set;
    info.pushConstantRangeCount = push_bytes > 0 ? 1 : 0;
    info.pPushConstantRanges = &range;
    vk_check(vk_.vkCreatePipelineLayout(device_, &info, nullptr, &layout), "vkCreatePipelineLayout",
             [&] { return std::format("{} bindings, {} push bytes", n_bindings, push_bytes); });
    return layout;
}

DeviceCore::~DeviceCore() {
    if (!device) return;
    if (copy_timeline) copy_timeline->drain();
    if (timeline) timeline->drain();
    VKINFER_ASSERT(n_live_objects == 0); // a Buffer, Pipeline or CommandList outlives its Device
    if (pipeline_cache) pipeline_cache->save();
    pipeline_cache.reset();
    layouts.reset();
    allocator.reset();
    copy_timeline.reset();
    timeline.reset();
    vk.vkDestroyDevice(device, nullptr);
}

void DeviceCore::set_name(VkObjectType type, uint64_t handle, std::string_view name) const {
    if (!instance->debug_utils || name.empty()) return;
    const std::string text(name);
    VkDebugUtilsObjectNameInfoEXT object{VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT};
    object.objectType = type;
    object.objectHandle = handle;
    object.pObjectName = text.c_str();
    // A missing name harms nothing, so the result is not looked at.
    static_cast<void>(vkSetDebugUtilsObjectNameEXT(device, &object));
}

Device::Device(const Instance& instance, std::string_view selector, const DeviceOptions& options)
    : core_(std::make_unique<DeviceCore>()) {
    DeviceCore& core = *core_;
    core.instance = instance.core_;
    core.log = core.instance->log;
    core.options = options;
    const size_t position = select_device(core.instance->devices, selector);
    core.info = core.instance->devices[position];
    core.physical = core.instance->physical_devices[position];
    core.queue_family = choose_queue_family(core.physical, core.info, options.queue);

    Probe probe = probe_device(
        core.physical, core.queue_family,
        {.robust_buffer_access = options.robust_buffer_access, .cooperative_matrix = options.cooperative_matrix});
    probe.capabilities.device_type = core.info.type;
    probe.capabilities.unified_memory = core.info.type == DeviceType::integrated || core.info.type == DeviceType::cpu;
    for (const Quirk* quirk : apply_quirks(probe.capabilities)) {
        core.log.debug("driver quirk {}: {} ({})", quirk->name, quirk->symptom, quirk->link);
    }
    core.capabilities = probe.capabilities;
    const std::optional<CopyQueue> copies = choose_copy_queue(core.physical, core.capabilities, core.queue_family);
    core.copy_family = copies ? copies->family : core.queue_family;
    create_logical_device(core, probe, copies);
    VkQueue queue = VK_NULL_HANDLE;
    core.vk.vkGetDeviceQueue(core.device, core.queue_family, 0, &queue);
    core.timeline = std::make_unique<Timeline>(core.device, core.vk, queue, core.log);
    if (copies) {
        core.vk.vkGetDeviceQueue(core.device, copies->family, copies->index, &queue);
        core.copy_timeline = std::make_unique<Timeline>(core.device, core.vk, queue, core.log);
    }
    core.allocator = std::make_unique<Allocator>(core.physical, core.device, core.vk, core.capabilities);
    core.layouts = std::make_unique<LayoutCache>(core.device, core.vk);
    PipelineCacheOptions cache = options.pipeline_cache;
    // Captured statistics are not stored by drivers; a pipeline found in the cache would have none.
    if (options.capture_statistics) cache.enabled = false;
    core.pipeline_cache = std::make_unique<PipelineCache>(core.device, core.vk, core.capabilities, cache, core.log);
}

Device::~Device() = default;

const DeviceInfo& Device::info() const {
    return core_->info;
}
const Capabilities& Device::capabilities() const {
    return core_->capabilities;
}
const Log& Device::log() const {
    return core_->log;
}
std::vector<HeapInfo> Device::heaps() const {
    return core_->allocator->heaps();
}
const std::vector<MemoryTypeInfo>& Device::memory_types() const {
    return core_->allocator->types();
}

Ticket Device::submit(const CommandList& list) {
    const CommandList* const lists[] = {&list};
    return submit(lists);
}

Ticket Device::submit(std::span<const CommandList* const> lists) {
    VKINFER_ASSERT(!lists.empty() && lists.size() <= kMaxListsPerSubmit);
    VkCommandBufferSubmitInfo infos[kMaxListsPerSubmit];
    for (size_t i = 0; i < lists.size(); ++i) {
        infos[i] = {VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO};
        infos[i].commandBuffer = lists[i]->prepare_submit(QueueKind::compute);
    }
    const Ticket ticket{core_->timeline->submit(infos, static_cast<uint32_t>(lists.size()))};
    for (const CommandList* list : lists) list->note_submitted(ticket);
    return ticket;
}

CopyTicket Device::submit_copies(const CommandList& list) {
    VkCommandBufferSubmitInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO};
    info.commandBuffer = list.prepare_submit(QueueKind::copy);
    const Ticket ticket{list.timeline().submit(&info, 1)};
    list.note_submitted(ticket);
    return {ticket.value};
}

Ticket Device::submit(const CommandList& list, CopyTicket after) {
    // On one queue the order of submission is enough: lists begin with a barrier.
    if (!core_->copy_timeline) return submit(list);
    VkCommandBufferSubmitInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO};
    info.commandBuffer = list.prepare_submit(QueueKind::compute);
    const VkSemaphoreSubmitInfo copies = core_->copy_timeline->wait_info(after.value);
    const Ticket ticket{core_->timeline->submit(&info, 1, &copies)};
    list.note_submitted(ticket);
    return ticket;
}

const char* Device::copy_queue() const {
    if (!core_->copy_timeline) return "";
    return core_->copy_family == core_->queue_family ? "second compute queue" : "transfer queue";
}

void Device::wait(Ticket ticket) {
    core_->timeline->wait(ticket.value, UINT64_MAX);
    // Nobody waits for the queue of copies alone: what its lists kept alive would stay until the end.
    if (core_->copy_timeline) core_->copy_timeline->collect();
}

bool Device::wait(Ticket ticket, std::chrono::nanoseconds timeout) {
    return core_->timeline->wait(ticket.value, timeout.count() < 0 ? 0 : static_cast<uint64_t>(timeout.count()));
}

bool Device::is_reached(Ticket ticket) {
    return core_->timeline->is_reached(ticket.value);
}
Ticket Device::last_submitted() const {
    return Ticket{core_->timeline->last_submitted()};
}
void Device::save_pipeline_cache() {
    core_->pipeline_cache->save();
}
uint64_t Device::pipeline_cache_loaded_bytes() const {
    return core_->pipeline_cache->loaded_bytes();
}

void Device::inject_fault(Fault fault, uint32_t nth) {
    switch (fault) {
    case Fault::allocation:
        core_->allocator->fail_allocation(nth);
        break;
    case Fault::map:
        core_->allocator->fail_map(nth);
        break;
    case Fault::submit:
        core_->timeline->fail_submit(nth, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        break;
    case Fault::copy:
        if (core_->copy_timeline) core_->copy_timeline->fail_submit(nth, VK_ERROR_OUT_OF_DEVICE_MEMORY);
        break;
    case Fault::device_lost:
        core_->timeline->fail_submit(nth, VK_ERROR_DEVICE_LOST);
        break;
    }
}

} // namespace vkinfer::gpu
