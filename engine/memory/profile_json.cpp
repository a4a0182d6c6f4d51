// The JSON form of device profiles. Reading is strict: a profile is typed or edited by people, and a field that is
// silently ignored would plan for another machine.
#include "base/error.h"
#include "base/file.h"
#include "memory/json_reader.h"
#include "memory/profile.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <format>

namespace vkinfer::memory {

namespace json = boost::json;

namespace {

constexpr std::string_view kFormat = "vkinfer-device-profile";
constexpr uint64_t kVersion = 1;
constexpr size_t kMaxHeaps = 16;
constexpr size_t kMaxTypes = 32;

using gpu::Capabilities;

// --- fields that are written and read alike ---

template<class T>
struct Field {
    const char* name;
    T Capabilities::* member;
};

constexpr auto kLimits64 = std::to_array<Field<uint64_t>>({
    {"max_allocation_bytes", &Capabilities::max_allocation_bytes},
    {"max_buffer_bytes", &Capabilities::max_buffer_bytes},
    {"max_storage_range_bytes", &Capabilities::max_storage_range_bytes},
    {"storage_offset_alignment", &Capabilities::storage_offset_alignment},
});
constexpr auto kLimits32 = std::to_array<Field<uint32_t>>({
    {"max_allocation_count", &Capabilities::max_allocation_count},
    {"max_bindings", &Capabilities::max_bindings},
    {"max_push_bytes", &Capabilities::max_push_bytes},
    {"shared_memory_bytes", &Capabilities::shared_memory_bytes},
    {"max_group_invocations", &Capabilities::max_group_invocations},
});
constexpr auto kCompute32 = std::to_array<Field<uint32_t>>({
    {"compute_units", &Capabilities::compute_units},
    {"subgroup_size", &Capabilities::subgroup_size},
    {"min_subgroup_size", &Capabilities::min_subgroup_size},
    {"max_subgroup_size", &Capabilities::max_subgroup_size},
});
constexpr auto kComputeFlags = std::to_array<Field<bool>>({
    {"subgroup_size_control", &Capabilities::subgroup_size_control},
    {"full_subgroups", &Capabilities::full_subgroups},
    {"float16", &Capabilities::float16},
    {"int8", &Capabilities::int8},
    {"int16", &Capabilities::int16},
    {"int64", &Capabilities::int64},
    {"storage_buffer_8bit", &Capabilities::storage_buffer_8bit},
    {"storage_buffer_16bit", &Capabilities::storage_buffer_16bit},
    {"integer_dot_product", &Capabilities::integer_dot_product},
    {"dot_4x8_signed_accelerated", &Capabilities::dot_4x8_signed_accelerated},
    {"buffer_device_address", &Capabilities::buffer_device_address},
    {"memory_budget", &Capabilities::memory_budget},
    {"cooperative_matrix", &Capabilities::cooperative_matrix},
});

struct TypeFlag {
    const char* name;
    bool gpu::MemoryTypeInfo::* member;
};
constexpr auto kTypeFlags = std::to_array<TypeFlag>({
    {"device_local", &gpu::MemoryTypeInfo::device_local},
    {"host_visible", &gpu::MemoryTypeInfo::host_visible},
    {"host_coherent", &gpu::MemoryTypeInfo::host_coherent},
    {"host_cached", &gpu::MemoryTypeInfo::host_cached},
});

struct SystemField {
    const char* name;
    std::optional<uint64_t> SystemMemory::* member;
};
constexpr auto kSystemFields = std::to_array<SystemField>({
    {"total_bytes", &SystemMemory::total_bytes},
    {"available_bytes", &SystemMemory::available_bytes},
    {"vram_total_bytes", &SystemMemory::vram_total_bytes},
    {"vram_used_bytes", &SystemMemory::vram_used_bytes},
    {"visible_vram_total_bytes", &SystemMemory::visible_vram_total_bytes},
    {"gtt_total_bytes", &SystemMemory::gtt_total_bytes},
    {"gtt_used_bytes", &SystemMemory::gtt_used_bytes},
    {"ttm_pages_limit", &SystemMemory::ttm_pages_limit},
});

constexpr auto kDeviceTypes =
    std::to_array({gpu::DeviceType::discrete, gpu::DeviceType::integrated, gpu::DeviceType::virtual_gpu,
                   gpu::DeviceType::cpu, gpu::DeviceType::other});

// --- texts of numbers ---

std::array<uint8_t, 16> parse_uuid(JsonObject& object, const std::string& text) {
    std::array<uint8_t, 16> uuid{};
    std::string digits = text;
    std::erase(digits, '-');
    bool is_right = digits.size() == 32;
    for (size_t i = 0; is_right && i < uuid.size(); ++i) {
        const char* begin = digits.data() + 2 * i;
        is_right = std::from_chars(begin, begin + 2, uuid[i], 16).ptr == begin + 2;
    }
    if (!is_right) object.refuse("uuid", std::format("is \"{}\", not 32 hexadecimal digits", text));
    return uuid;
}

uint32_t parse_api_version(JsonObject& object, const std::string& text) {
    uint32_t parts[3] = {};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (int i = 0; i < 3; ++i) {
        const auto [next, failure] = std::from_chars(at, end, parts[i]);
        const bool is_separated = i == 2 ? next == end : next != end && *next == '.';
        if (failure != std::errc() || !is_separated || parts[0] > 127 || parts[1] > 1023 || parts[2] > 4095) {
            object.refuse("api_version", std::format("is \"{}\", not a version like 1.4.309", text));
        }
        at = next + 1;
    }
    return parts[0] << 22 | parts[1] << 12 | parts[2];
}

/// "16x16x16 f16*f16+f32->f32", as CoopmatShape::text() writes subgroup-scope shapes.
gpu::CoopmatShape parse_coopmat(JsonObject& object, const std::string& text) {
    gpu::CoopmatShape shape;
    shape.subgroup_scope = true;
    const auto component = [&](std::string_view name) {
        using enum gpu::ComponentType;
        for (const auto type : {f16, f32, f64, s8, s16, s32, s64, u8, u16, u32, u64, bf16, f8e4m3, f8e5m2}) {
            if (name == gpu::to_string(type)) return type;
        }
        return other;
    };
    std::array<std::string, 7> parts;
    size_t part = 0;
    for (size_t i = 0; i < text.size(); ++i) {
        constexpr std::string_view kSeparators[] = {"x", "x", " ", "*", "+", "->"};
        if (part < 6 && text.compare(i, kSeparators[part].size(), kSeparators[part]) == 0) {
            i += kSeparators[part].size() - 1;
            ++part;
        } else {
            parts[part] += text[i];
        }
    }
    bool is_right = part == 6;
    uint32_t* const sizes[] = {&shape.m, &shape.n, &shape.k};
    for (size_t i = 0; i < 3; ++i) {
        const std::string& p = parts[i];
        is_right = is_right && std::from_chars(p.data(), p.data() + p.size(), *sizes[i]).ptr == p.data() + p.size() &&
                   *sizes[i] > 0 && *sizes[i] <= 4096;
    }
    gpu::ComponentType* const types[] = {&shape.a, &shape.b, &shape.c, &shape.result};
    for (size_t i = 0; i < 4; ++i) {
        *types[i] = component(parts[i + 3]);
        is_right = is_right && *types[i] != gpu::ComponentType::other;
    }
    if (!is_right) object.refuse("coopmat", std::format("has \"{}\", not like 16x16x16 f16*f16+f32->f32", text));
    return shape;
}

json::array coopmat_json(const Capabilities& capabilities) {
    json::array shapes;
    for (const gpu::CoopmatShape& shape : capabilities.coopmat_shapes) {
        const bool is_known = shape.a != gpu::ComponentType::other && shape.b != gpu::ComponentType::other &&
                              shape.c != gpu::ComponentType::other && shape.result != gpu::ComponentType::other;
        if (!shape.subgroup_scope || shape.saturating || !is_known) continue; // kernels use no others
        shapes.emplace_back(std::format("{}x{}x{} {}*{}+{}->{}", shape.m, shape.n, shape.k, gpu::to_string(shape.a),
                                        gpu::to_string(shape.b), gpu::to_string(shape.c),
                                        gpu::to_string(shape.result)));
    }
    return shapes;
}

// --- parts of a profile ---

void read_info(JsonObject& object, DeviceProfile& profile) {
    gpu::DeviceInfo& info = profile.info;
    if (object.has("index")) info.index = object.number32("index");
    object.ignore("usable");
    info.name = object.text("name");
    const std::string type = object.text("type");
    const auto* found = std::ranges::find(kDeviceTypes, type, [](gpu::DeviceType t) { return gpu::to_string(t); });
    if (found == kDeviceTypes.end()) {
        object.refuse("type", std::format("is \"{}\"; known are discrete, integrated, virtual, cpu and other", type));
    }
    info.type = *found;
    if (object.has("uuid")) info.uuid = parse_uuid(object, object.text("uuid"));
    info.driver_name = object.text("driver_name");
    info.driver_info = object.text("driver_info");
    info.driver_id = object.number32("driver_id");
    info.driver_version = object.number32("driver_version");
    info.api_version = parse_api_version(object, object.text("api_version"));
    info.vendor_id = object.number32("vendor_id");
    info.device_id = object.number32("device_id");
    if (object.has("pci_address")) info.pci_address = object.text("pci_address");
}

void read_heaps(JsonObject& object, DeviceProfile& profile) {
    const json::array& heaps = object.array("heaps");
    if (heaps.empty() || heaps.size() > kMaxHeaps) {
        object.refuse("heaps", std::format("has {} entries, expected 1 to {}", heaps.size(), kMaxHeaps));
    }
    for (size_t i = 0; i < heaps.size(); ++i) {
        JsonObject entry(heaps[i], std::format("{}: heaps[{}]", object.path(), i));
        gpu::HeapInfo heap;
        heap.index = static_cast<uint32_t>(i);
        heap.size_bytes = entry.number("size_bytes");
        heap.budget_bytes = entry.has("budget_bytes") ? entry.number("budget_bytes") : heap.size_bytes;
        heap.usage_bytes = entry.has("usage_bytes") ? entry.number("usage_bytes") : 0;
        heap.device_local = entry.boolean("device_local");
        if (heap.size_bytes == 0) entry.refuse("size_bytes", "is 0");
        entry.finish();
        profile.heaps.push_back(heap);
    }
    const json::array& types = object.array("memory_types");
    if (types.empty() || types.size() > kMaxTypes) {
        object.refuse("memory_types", std::format("has {} entries, expected 1 to {}", types.size(), kMaxTypes));
    }
    for (size_t i = 0; i < types.size(); ++i) {
        JsonObject entry(types[i], std::format("{}: memory_types[{}]", object.path(), i));
        gpu::MemoryTypeInfo type;
        type.index = static_cast<uint32_t>(i);
        type.heap = entry.number32("heap");
        if (type.heap >= profile.heaps.size()) {
            entry.refuse("heap", std::format("is {}, but there are {} heaps", type.heap, profile.heaps.size()));
        }
        if (entry.has("usable")) type.usable = entry.boolean("usable");
        for (const std::string& flag : entry.texts("flags")) {
            const auto* known = std::ranges::find(kTypeFlags, flag, &TypeFlag::name);
            if (known == kTypeFlags.end()) {
                entry.refuse("flags", std::format("has \"{}\"; known are device_local, host_visible, host_coherent "
                                                  "and host_cached",
                                                  flag));
            }
            type.*(known->member) = true;
        }
        entry.finish();
        if (type.host_visible) profile.heaps[type.heap].host_visible = true;
        profile.types.push_back(type);
    }
}

void read_capabilities(JsonObject& object, DeviceProfile& profile) {
    Capabilities& c = profile.capabilities;
    JsonObject limits = object.object("limits");
    for (const auto& field : kLimits64) c.*(field.member) = limits.number(field.name);
    for (const auto& field : kLimits32) c.*(field.member) = limits.number32(field.name);
    for (const auto& field : kLimits64) {
        if (c.*(field.member) == 0) limits.refuse(field.name, "is 0");
    }
    limits.finish();
    c.max_buffer_bytes = std::min(c.max_buffer_bytes, c.max_allocation_bytes);

    JsonObject compute = object.object("compute");
    for (const auto& field : kCompute32) c.*(field.member) = compute.number32(field.name);
    for (const auto& field : kComputeFlags) c.*(field.member) = compute.boolean(field.name);
    for (const std::string& text : compute.texts("coopmat")) c.coopmat_shapes.push_back(parse_coopmat(compute, text));
    compute.finish();
    if (c.subgroup_size == 0 || c.min_subgroup_size > c.subgroup_size || c.max_subgroup_size < c.subgroup_size) {
        compute.refuse("subgroup_size", std::format("is {}, outside of {} to {}", c.subgroup_size, c.min_subgroup_size,
                                                    c.max_subgroup_size));
    }
    c.compute_units_known = c.compute_units > 0;
    c.device_type = profile.info.type;
    c.vendor_id = profile.info.vendor_id;
    c.device_id = profile.info.device_id;
    c.driver_id = profile.info.driver_id;
    c.driver_version = profile.info.driver_version;
    c.api_version = profile.info.api_version;
    c.device_uuid = profile.info.uuid;
    c.unified_memory = c.device_type == gpu::DeviceType::integrated || c.device_type == gpu::DeviceType::cpu;
}

void read_system(JsonObject& object, SystemMemory& system) {
    if (!object.has("system")) return;
    JsonObject entry = object.object("system");
    for (const auto& field : kSystemFields) {
        if (entry.has(field.name)) system.*(field.member) = entry.number(field.name);
    }
    if (entry.has("amdgpu_gttsize_mib")) system.amdgpu_gttsize_mib = entry.signed_number("amdgpu_gttsize_mib");
    if (entry.has("kernel")) system.kernel = entry.text("kernel");
    if (entry.has("command_line")) system.command_line = entry.text("command_line");
    entry.finish();
}

DeviceProfile parse_profile(const json::value& value, std::string path) {
    JsonObject object(value, std::move(path));
    if (const std::string format = object.text("format"); format != kFormat) {
        object.refuse("format", std::format("is \"{}\", expected \"{}\"", format, kFormat));
    }
    if (const uint64_t version = object.number("version"); version != kVersion) {
        object.refuse("version", std::format("is {}, this program reads {}", version, kVersion));
    }
    DeviceProfile profile;
    read_info(object, profile);
    read_heaps(object, profile);
    read_capabilities(object, profile);
    read_system(object, profile.system);
    object.ignore("comment");
    object.finish();
    return profile;
}

json::object profile_json(const DeviceProfile& profile) {
    const gpu::DeviceInfo& info = profile.info;
    json::object object{{"format", kFormat},
                        {"version", kVersion},
                        {"index", info.index},
                        {"name", info.name},
                        {"type", gpu::to_string(info.type)},
                        {"uuid", info.uuid_text()},
                        {"driver_name", info.driver_name},
                        {"driver_info", info.driver_info},
                        {"driver_id", info.driver_id},
                        {"driver_version", info.driver_version},
                        {"api_version", info.api_version_text()},
                        {"vendor_id", info.vendor_id},
                        {"device_id", info.device_id}};
    if (!info.pci_address.empty()) object["pci_address"] = info.pci_address;
    object["usable"] = info.is_usable();
    json::array heaps;
    for (const gpu::HeapInfo& heap : profile.heaps) {
        heaps.push_back(json::object{{"size_bytes", heap.size_bytes},
                                     {"budget_bytes", heap.budget_bytes},
                                     {"usage_bytes", heap.usage_bytes},
                                     {"device_local", heap.device_local}});
    }
    object["heaps"] = std::move(heaps);
    json::array types;
    for (const gpu::MemoryTypeInfo& type : profile.types) {
        json::array flags;
        for (const TypeFlag& flag : kTypeFlags) {
            if (type.*(flag.member)) flags.emplace_back(flag.name);
        }
        json::object entry{{"heap", type.heap}, {"flags", std::move(flags)}};
        if (!type.usable) entry["usable"] = false;
        types.push_back(std::move(entry));
    }
    object["memory_types"] = std::move(types);
    const Capabilities& c = profile.capabilities;
    json::object limits;
    for (const auto& field : kLimits64) limits[field.name] = c.*(field.member);
    for (const auto& field : kLimits32) limits[field.name] = c.*(field.member);
    object["limits"] = std::move(limits);
    json::object compute;
    for (const auto& field : kCompute32) compute[field.name] = c.*(field.member);
    for (const auto& field : kComputeFlags) compute[field.name] = c.*(field.member);
    compute["coopmat"] = coopmat_json(c);
    object["compute"] = std::move(compute);
    json::object system;
    for (const auto& field : kSystemFields) {
        if (profile.system.*(field.member)) system[field.name] = *(profile.system.*(field.member));
    }
    if (profile.system.amdgpu_gttsize_mib) system["amdgpu_gttsize_mib"] = *profile.system.amdgpu_gttsize_mib;
    if (!profile.system.kernel.empty()) system["kernel"] = profile.system.kernel;
    if (!profile.system.command_line.empty()) system["command_line"] = profile.system.command_line;
    object["system"] = std::move(system);
    return object;
}

} // namespace

std::string to_json(const DeviceProfile& profile) {
    return pretty_json(profile_json(profile)) + "\n";
}

std::string to_json(std::span<const DeviceProfile> profiles) {
    json::array array;
    for (const DeviceProfile& profile : profiles) array.push_back(profile_json(profile));
    return pretty_json(array) + "\n";
}

std::vector<DeviceProfile> parse_profiles(std::string_view text, std::string_view file_name) {
    const json::value value = parse_json(text, file_name);
    std::vector<DeviceProfile> profiles;
    if (const json::array* array = value.if_array()) {
        for (size_t i = 0; i < array->size(); ++i) {
            profiles.push_back(parse_profile((*array)[i], std::format("{}: [{}]", file_name, i)));
        }
    } else {
        profiles.push_back(parse_profile(value, std::string(file_name)));
    }
    if (profiles.empty()) {
        throw Error(ErrorKind::invalid_input, std::format("{}: holds no device profile.", file_name));
    }
    return profiles;
}

DeviceProfile read_profile(const std::filesystem::path& path, std::string_view selector) {
    constexpr uint64_t kMaxBytes = uint64_t{1} << 20;
    std::vector<DeviceProfile> profiles = parse_profiles(read_text_file(path, kMaxBytes), path.string());
    std::vector<gpu::DeviceInfo> infos;
    for (const DeviceProfile& profile : profiles) infos.push_back(profile.info);
    return std::move(profiles[profiles.size() == 1 && selector.empty() ? 0 : gpu::select_device(infos, selector)]);
}

} // namespace vkinfer::memory
