#include "gpu/instance.h"

#include "base/error.h"
#include "gpu/instance_core.h"

#include <algorithm>
#include <cstring>
#include <format>
#include <mutex>
#include <numeric>

namespace vkinfer::gpu {

namespace {

constexpr const char* kValidationLayer = "VK_LAYER_KHRONOS_validation";

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                          VkDebugUtilsMessageTypeFlagsEXT /*types*/,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
    auto* core = static_cast<InstanceCore*>(user);
    const char* text = data->pMessage ? data->pMessage : "";
    // The loader reports broken or skipped driver files through the same channel; they are not findings.
    const bool is_loader = data->pMessageIdName && std::strstr(data->pMessageIdName, "Loader Message");
    if (is_loader) {
        core->log.debug("Vulkan loader: {}", text);
        return VK_FALSE;
    }
    core->validation_messages.fetch_add(1, std::memory_order_relaxed);
    if (severity & VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT)
        core->log.error("Vulkan validation: {}", text);
    else
        core->log.warning("Vulkan validation: {}", text);
    return VK_FALSE;
}

VkDebugUtilsMessengerCreateInfoEXT messenger_info(InstanceCore* core) {
    VkDebugUtilsMessengerCreateInfoEXT info{VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT};
    info.messageSeverity =
        VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
    info.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_GENERAL_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
    info.pfnUserCallback = on_message;
    info.pUserData = core;
    return info;
}

void load_vulkan() {
    static std::once_flag once;
    static VkResult result = VK_SUCCESS;
    std::call_once(once, [] { result = volkInitialize(); });
    if (result != VK_SUCCESS) {
        throw Error(ErrorKind::not_found, "the Vulkan loader (libvulkan.so.1) was not found",
                    "Install it (Debian: libvulkan1 and mesa-vulkan-drivers).");
    }
    const uint32_t version = volkGetInstanceVersion();
    if (version < kMinApiVersion) {
        throw Error(ErrorKind::unsupported,
                    std::format("the Vulkan loader speaks version {}.{}, and 1.3 is needed",
                                VK_API_VERSION_MAJOR(version), VK_API_VERSION_MINOR(version)),
                    "Update the Vulkan loader (libvulkan1).");
    }
}

bool has_layer(const char* name) {
    uint32_t count = 0;
    vk_check(vkEnumerateInstanceLayerProperties(&count, nullptr), "vkEnumerateInstanceLayerProperties");
    std::vector<VkLayerProperties> layers(count);
    vk_check(vkEnumerateInstanceLayerProperties(&count, layers.data()), "vkEnumerateInstanceLayerProperties");
    return std::ranges::any_of(layers, [&](const auto& layer) { return std::strcmp(layer.layerName, name) == 0; });
}

bool has_instance_extension(const char* layer, const char* name) {
    uint32_t count = 0;
    vk_check(vkEnumerateInstanceExtensionProperties(layer, &count, nullptr), "vkEnumerateInstanceExtensionProperties");
    std::vector<VkExtensionProperties> found(count);
    vk_check(vkEnumerateInstanceExtensionProperties(layer, &count, found.data()),
             "vkEnumerateInstanceExtensionProperties");
    return std::ranges::any_of(found, [&](const auto& e) { return std::strcmp(e.extensionName, name) == 0; });
}

DeviceType type_of(VkPhysicalDeviceType type) {
    switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
        return DeviceType::discrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
        return DeviceType::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
        return DeviceType::virtual_gpu;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
        return DeviceType::cpu;
    default:
        return DeviceType::other;
    }
}

bool has_device_extension(VkPhysicalDevice physical, const char* name) {
    uint32_t count = 0;
    if (vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr) != VK_SUCCESS) return false;
    std::vector<VkExtensionProperties> found(count);
    if (vkEnumerateDeviceExtensionProperties(physical, nullptr, &count, found.data()) != VK_SUCCESS) return false;
    return std::ranges::any_of(found, [&](const auto& e) { return std::strcmp(e.extensionName, name) == 0; });
}

DeviceInfo read_info(VkPhysicalDevice physical) {
    VkPhysicalDeviceDriverProperties driver{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceIDProperties id{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    id.pNext = &driver;
    VkPhysicalDevicePCIBusInfoPropertiesEXT pci{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT};
    const bool has_pci = has_device_extension(physical, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
    if (has_pci) driver.pNext = &pci;
    VkPhysicalDeviceProperties2 properties{VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    // The chain is core since 1.2; an older device is listed without it and refused on choice.
    vkGetPhysicalDeviceProperties(physical, &properties.properties);
    if (properties.properties.apiVersion >= VK_API_VERSION_1_2) {
        properties.pNext = &id;
        vkGetPhysicalDeviceProperties2(physical, &properties);
    }
    DeviceInfo info;
    info.name = properties.properties.deviceName;
    info.type = type_of(properties.properties.deviceType);
    std::copy_n(id.deviceUUID, VK_UUID_SIZE, info.uuid.begin());
    info.driver_name = driver.driverName;
    info.driver_info = driver.driverInfo;
    info.driver_id = static_cast<uint32_t>(driver.driverID);
    info.vendor_id = properties.properties.vendorID;
    info.device_id = properties.properties.deviceID;
    info.api_version = properties.properties.apiVersion;
    info.driver_version = properties.properties.driverVersion;
    if (has_pci && properties.pNext) {
        info.pci_address =
            std::format("{:04x}:{:02x}:{:02x}.{:x}", pci.pciDomain, pci.pciBus, pci.pciDevice, pci.pciFunction);
    }
    return info;
}

void list_devices(InstanceCore& core) {
    uint32_t count = 0;
    // A loader without any driver answers INITIALIZATION_FAILED; an empty list gives the better message later.
    const VkResult result = vkEnumeratePhysicalDevices(core.instance, &count, nullptr);
    if (result == VK_ERROR_INITIALIZATION_FAILED) return;
    vk_check(result, "vkEnumeratePhysicalDevices");
    std::vector<VkPhysicalDevice> found(count);
    vk_check(vkEnumeratePhysicalDevices(core.instance, &count, found.data()), "vkEnumeratePhysicalDevices");
    found.resize(count);
    std::vector<DeviceInfo> infos;
    for (VkPhysicalDevice physical : found) infos.push_back(read_info(physical));
    std::vector<size_t> order(found.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t i) { return infos[i].type; });
    for (const size_t i : order) {
        infos[i].index = static_cast<uint32_t>(core.devices.size());
        core.devices.push_back(infos[i]);
        core.physical_devices.push_back(found[i]);
    }
}

} // namespace

InstanceCore::~InstanceCore() {
    if (messenger) vkDestroyDebugUtilsMessengerEXT(instance, messenger, nullptr);
    if (instance) vkDestroyInstance(instance, nullptr);
}

Instance::Instance(const InstanceOptions& options) : core_(std::make_shared<InstanceCore>()) {
    load_vulkan();
    core_->log = options.log;
    core_->validation = options.validation;

    std::vector<const char*> layers;
    std::vector<const char*> extensions;
    const VkValidationFeatureEnableEXT enables[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
    VkValidationFeaturesEXT features{VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT};
    features.enabledValidationFeatureCount = 1;
    features.pEnabledValidationFeatures = enables;
    VkDebugUtilsMessengerCreateInfoEXT messenger = messenger_info(core_.get());

    core_->debug_utils = has_instance_extension(nullptr, VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
    if (options.validation) {
        if (!has_layer(kValidationLayer)) {
            throw Error(ErrorKind::not_found, std::format("the layer {} is not installed", kValidationLayer),
                        "Install it (Debian: vulkan-validationlayers) or run without validation.");
        }
        layers.push_back(kValidationLayer);
        extensions.push_back(VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME);
        core_->debug_utils = true; // the layer brings it
        messenger.pNext = &features;
    }
    if (core_->debug_utils) extensions.push_back(VK_EXT_DEBUG_UTILS_EXTENSION_NAME);

    VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO};
    application.pApplicationName = "vkinfer";
    application.pEngineName = "vkinfer";
    application.apiVersion = VK_API_VERSION_1_3;
    VkInstanceCreateInfo info{VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO};
    if (options.validation) info.pNext = &messenger;
    info.pApplicationInfo = &application;
    info.enabledLayerCount = static_cast<uint32_t>(layers.size());
    info.ppEnabledLayerNames = layers.data();
    info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
    info.ppEnabledExtensionNames = extensions.data();
    const VkResult result = vkCreateInstance(&info, nullptr, &core_->instance);
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
        throw Error(ErrorKind::not_found, "vkCreateInstance found no Vulkan driver",
                    "Install one (Debian: mesa-vulkan-drivers, which also has lavapipe for the CPU).");
    }
    vk_check(result, "vkCreateInstance");
    volkLoadInstanceOnly(core_->instance);
    if (options.validation) {
        const VkDebugUtilsMessengerCreateInfoEXT own = messenger_info(core_.get());
        vk_check(vkCreateDebugUtilsMessengerEXT(core_->instance, &own, nullptr, &core_->messenger),
                 "vkCreateDebugUtilsMessengerEXT");
    }
    list_devices(*core_);
}

Instance::~Instance() = default;
Instance::Instance(Instance&&) noexcept = default;
Instance& Instance::operator=(Instance&&) noexcept = default;

const std::vector<DeviceInfo>& Instance::devices() const {
    return core_->devices;
}
uint32_t Instance::validation_message_count() const {
    return core_->validation_messages.load();
}
bool Instance::validation() const {
    return core_->validation;
}

} // namespace vkinfer::gpu
