#include "memory/planner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <format>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

namespace vkinfer::memory {

using gpu::Domain;
using gpu::size_text;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

uint64_t align_up(uint64_t value, uint64_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

uint64_t less(uint64_t a, uint64_t b) {
    return a > b ? a - b : 0;
}

/// Left to the desktop, to other processes and to what the driver allocates by itself: 181 to 368 MB were seen on
/// discrete cards beside the buffers of an engine.
uint64_t vram_headroom(uint64_t size_bytes) {
    if (size_bytes < kGiB) return size_bytes / 8; // a small window into VRAM (BAR)
    return std::clamp(size_bytes / 32, 256 * kMiB, 768 * kMiB);
}

/// Unified memory: the rest of the machine has to live there too.
uint64_t unified_headroom(uint64_t size_bytes) {
    return std::min(std::clamp(size_bytes / 64, 256 * kMiB, kGiB), size_bytes / 8);
}

/// Of the memory that Linux calls available: below this the machine starts to swap and to drop its caches.
uint64_t system_reserve(uint64_t total_bytes) {
    return std::clamp(total_bytes / 32, 256 * kMiB, 2 * kGiB);
}

uint32_t mask_of(const std::vector<HeapRoom>& heaps, bool device_local_too) {
    uint32_t mask = 0;
    for (const HeapRoom& heap : heaps) {
        if (device_local_too || !heap.device_local) mask |= 1u << heap.heap;
    }
    return mask;
}

/// Memory types to try, best first, one per heap. Unified memory has none of its own for what is spilled.
std::vector<uint32_t> types_for(const DeviceProfile& profile, Domain domain, bool is_spilled) {
    // Spilled weights: what the GPU reads over PCIe, mapped but not cached.
    const std::vector<uint32_t> order =
        gpu::memory_types_for(is_spilled ? Domain::upload : domain, profile.info.type, profile.types);
    std::vector<uint32_t> types;
    uint32_t heaps = 0;
    for (const uint32_t type : order) {
        const gpu::MemoryTypeInfo& info = profile.types[type];
        if ((is_spilled && info.device_local) || (heaps & (1u << info.heap))) continue;
        heaps |= 1u << info.heap;
        types.push_back(type);
    }
    if (is_spilled && types.empty()) return types_for(profile, domain, false);
    return types;
}

/// Places requests one after the other; knows what is left of every heap.
class Placer {
public:
    Placer(const DeviceProfile& profile, Plan& plan) : profile_(profile), plan_(plan) {
        plan_.room = room_of(profile);
        plan_.heap_bytes.assign(profile.heaps.size(), 0);
        limit_bytes_.assign(plan_.room.limits.size(), 0);
        const gpu::Capabilities& c = profile.capabilities;
        largest_allocation_ = std::min(c.max_allocation_bytes, c.max_buffer_bytes) / kPageBytes * kPageBytes;
    }

    uint64_t largest_allocation() const { return largest_allocation_; }

    bool place(const Request& request, bool is_spilled, Place& place) {
        for (const uint32_t type : types_for(profile_, request.domain, is_spilled)) {
            if (try_type(request, type, place)) return true;
        }
        return false;
    }

    /// What one more request of this kind could have at most.
    uint64_t largest_fit(Domain domain) const {
        uint64_t largest = 0;
        for (const uint32_t type : types_for(profile_, domain, false)) {
            largest = std::max(largest, left(profile_.types[type].heap));
        }
        return std::min(largest, largest_allocation_) / kPageBytes * kPageBytes;
    }

    /// Still free of what may hold device requests.
    uint64_t left_for(Domain domain) const {
        uint64_t sum = 0;
        uint32_t mask = 0;
        for (const uint32_t type : types_for(profile_, domain, false)) {
            const uint32_t heap = profile_.types[type].heap;
            sum += less(plan_.room.heaps[heap].room_bytes(), plan_.heap_bytes[heap]);
            mask |= 1u << heap;
        }
        for (size_t i = 0; i < plan_.room.limits.size(); ++i) {
            const SharedLimit& limit = plan_.room.limits[i];
            if ((limit.heap_mask & mask) == mask) sum = std::min(sum, less(limit.room_bytes, limit_bytes_[i]));
        }
        return sum;
    }

private:
    uint64_t left(uint32_t heap) const {
        uint64_t bytes = less(plan_.room.heaps[heap].room_bytes(), plan_.heap_bytes[heap]);
        for (size_t i = 0; i < plan_.room.limits.size(); ++i) {
            const SharedLimit& limit = plan_.room.limits[i];
            if (limit.heap_mask & (1u << heap)) bytes = std::min(bytes, less(limit.room_bytes, limit_bytes_[i]));
        }
        return bytes;
    }

    void take(uint32_t heap, uint64_t bytes) {
        plan_.heap_bytes[heap] += bytes;
        for (size_t i = 0; i < plan_.room.limits.size(); ++i) {
            if (plan_.room.limits[i].heap_mask & (1u << heap)) limit_bytes_[i] += bytes;
        }
    }

    bool try_type(const Request& request, uint32_t type, Place& place) {
        const uint32_t heap = profile_.types[type].heap;
        if (!request.own_allocation) {
            for (uint32_t i = 0; i < plan_.allocations.size(); ++i) {
                if (shared_[i] && try_allocation(request, type, i, place)) return true;
            }
        }
        const uint64_t size = align_up(request.size_bytes, kPageBytes);
        if (size > largest_allocation_ || size > left(heap)) return false;
        if (plan_.allocations.size() >= profile_.capabilities.max_allocation_count) return false;
        take(heap, size);
        place = {static_cast<uint32_t>(plan_.allocations.size()), 0};
        plan_.allocations.push_back({.memory_type = type,
                                     .heap = heap,
                                     .domain = request.domain,
                                     .purpose = request.purpose,
                                     .lifetime = request.lifetime,
                                     .size_bytes = size,
                                     .is_reserve = request.is_reserve});
        shared_.push_back(!request.own_allocation);
        used_.push_back(request.size_bytes);
        return true;
    }

    /// Appends to an allocation that exists.
    bool try_allocation(const Request& request, uint32_t type, uint32_t index, Place& place) {
        Allocation& allocation = plan_.allocations[index];
        if (allocation.memory_type != type || allocation.domain != request.domain ||
            allocation.lifetime != request.lifetime || allocation.is_reserve != request.is_reserve) {
            return false;
        }
        const uint64_t offset = align_up(used_[index], request.alignment);
        if (offset > largest_allocation_ || request.size_bytes > largest_allocation_ - offset) return false;
        const uint64_t size = align_up(offset + request.size_bytes, kPageBytes);
        const uint64_t more = less(size, allocation.size_bytes);
        if (size > largest_allocation_ || more > left(allocation.heap)) return false;
        take(allocation.heap, more);
        allocation.size_bytes = std::max(allocation.size_bytes, size);
        used_[index] = offset + request.size_bytes;
        place = {index, offset};
        return true;
    }

    const DeviceProfile& profile_;
    Plan& plan_;
    std::vector<uint64_t> limit_bytes_; ///< taken of each shared limit
    std::vector<bool> shared_;          ///< per allocation: others may join
    std::vector<uint64_t> used_;        ///< per allocation, before rounding
    uint64_t largest_allocation_ = 0;
};

constexpr uint32_t kWhole = UINT32_MAX;

/// What is moved to host memory at once, cheapest first.
struct SpillUnit {
    int32_t layer = -1;
    uint32_t part = kWhole; ///< an expert of the layer
    double read_share = 1;
    uint64_t size_bytes = 0;
    std::vector<size_t> requests;
};

/// What is spilled: of each request nothing, all of it, or parts.
struct Spilled {
    std::vector<bool> whole;
    std::vector<std::vector<uint32_t>> parts; ///< ascending

    explicit Spilled(size_t n) : whole(n, false), parts(n) {}
    void add(const SpillUnit& unit, std::span<const Request> requests) {
        for (const size_t i : unit.requests) {
            if (unit.part == kWhole) {
                whole[i] = true;
                continue;
            }
            parts[i].insert(std::ranges::lower_bound(parts[i], unit.part), unit.part);
            if (parts[i].size() < requests[i].n_parts) continue;
            parts[i].clear(); // nothing stays
            whole[i] = true;
        }
    }
};

/// Units in the order in which they leave: what is read least per token first (embedding rows, then experts one by
/// one), then whole layers; of the same share the last ones.
std::vector<SpillUnit> spill_units(std::span<const Request> requests, std::span<const float> part_shares) {
    std::map<std::tuple<double, int32_t, int64_t>, SpillUnit> units; // by share, then from the last layer and part
    for (size_t i = 0; i < requests.size(); ++i) {
        const Request& request = requests[i];
        if (request.purpose != Purpose::weights || request.domain != Domain::device || request.is_reserve) continue;
        // What belongs to no layer and is read for every token (norms, the head) stays.
        if (request.layer < 0 && request.read_share >= 1) continue;
        const auto add = [&](uint32_t part, double share, uint64_t bytes) {
            SpillUnit& unit = units[{share, -request.layer, -int64_t{part}}];
            unit.layer = request.layer;
            unit.part = part;
            unit.read_share = share;
            unit.size_bytes += bytes;
            unit.requests.push_back(i);
        };
        if (request.n_parts == 0 || request.layer < 0) {
            add(kWhole, request.read_share, request.size_bytes);
            continue;
        }
        for (uint32_t part = 0; part + request.n_fixed_parts < request.n_parts; ++part) {
            const size_t at = static_cast<size_t>(request.layer) * (request.n_parts - request.n_fixed_parts) + part;
            add(part, at < part_shares.size() ? part_shares[at] : request.read_share, request.part_bytes);
        }
    }
    std::vector<SpillUnit> order;
    for (auto& [key, unit] : units) order.push_back(std::move(unit));
    return order;
}

/// A first guess of one round, or the request that found no place.
struct Attempt {
    Plan plan;
    size_t failed = std::numeric_limits<size_t>::max();
    bool is_host_full = false; ///< what failed was to be spilled
    uint64_t largest_fit = 0;
    uint64_t left = 0;
    bool is_complete() const { return failed == std::numeric_limits<size_t>::max(); }
};

Attempt attempt(const DeviceProfile& profile, std::span<const Request> requests, const Spilled& spilled) {
    Attempt result;
    Placer placer(profile, result.plan);
    result.plan.places.resize(requests.size());
    // Small buffers of the host first: without them nothing runs, and few heaps can hold them.
    std::vector<size_t> order(requests.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t i) {
        const Request& request = requests[i];
        if (request.domain != Domain::device) return 0;
        return request.purpose == Purpose::weights ? 2 : 1;
    });
    for (const size_t i : order) {
        const std::vector<uint32_t>& far_parts = spilled.parts[i];
        if (!far_parts.empty()) {
            Split split{.request = i, .far = {}, .far_parts = far_parts};
            split.far_bytes = requests[i].part_bytes * far_parts.size() + kSplitPaddingBytes;
            split.near_bytes = requests[i].part_bytes * (requests[i].n_parts - far_parts.size()) + kSplitPaddingBytes;
            Request part = requests[i];
            part.size_bytes = split.near_bytes;
            if (placer.place(part, false, result.plan.places[i])) {
                part.size_bytes = split.far_bytes;
                result.is_host_full = !placer.place(part, true, split.far);
                result.plan.splits.push_back(std::move(split));
                if (!result.is_host_full) continue;
            }
        } else {
            if (placer.place(requests[i], spilled.whole[i], result.plan.places[i])) continue;
            result.is_host_full = spilled.whole[i];
        }
        result.failed = i;
        result.largest_fit = placer.largest_fit(requests[i].domain);
        result.left = placer.left_for(Domain::device);
        return result;
    }
    return result;
}

/// What the units that were spilled come to.
Spill describe_spill(std::span<const Request> requests, std::span<const SpillUnit> units) {
    Spill spill;
    double bytes_per_token = 0;
    std::map<int32_t, uint32_t, std::greater<>> n_experts; // by layer, from the last
    std::vector<std::string> layers;
    std::set<size_t> tensors;
    for (const SpillUnit& unit : units) {
        spill.size_bytes += unit.size_bytes;
        bytes_per_token += static_cast<double>(unit.size_bytes) * unit.read_share;
        tensors.insert(unit.requests.begin(), unit.requests.end());
        if (unit.part != kWhole) {
            ++n_experts[unit.layer];
        } else if (unit.layer < 0) {
            spill.what.push_back(requests[unit.requests.front()].name);
        } else {
            layers.push_back(std::format("{} {}", unit.read_share < 1 ? "experts of layer" : "layer", unit.layer));
        }
    }
    for (const auto& [layer, n] : n_experts) {
        spill.n_experts += n;
        const auto request =
            std::ranges::find_if(requests, [&](const Request& r) { return r.layer == layer && r.n_parts > 0; });
        const bool is_all = n + request->n_fixed_parts == request->n_parts;
        spill.what.push_back(is_all ? std::format("experts of layer {}", layer)
                                    : std::format("{} expert{} of layer {}", n, n == 1 ? "" : "s", layer));
    }
    spill.what.insert(spill.what.end(), layers.begin(), layers.end());
    spill.n_tensors = static_cast<uint32_t>(tensors.size());
    spill.bytes_per_token = static_cast<uint64_t>(bytes_per_token);
    spill.ms_per_token = bytes_per_token / kPcieBytesPerSecond * 1e3;
    return spill;
}

/// A limit of the device that no amount of free memory helps against.
std::string broken_limit(const DeviceProfile& profile, const Request& request) {
    const gpu::Capabilities& c = profile.capabilities;
    const uint64_t largest = std::min(c.max_allocation_bytes, c.max_buffer_bytes);
    if (request.size_bytes > largest) {
        return std::format("{} has {}, but one buffer of {} holds at most {}", request.name,
                           size_text(request.size_bytes), profile.info.name, size_text(largest));
    }
    if (request.largest_binding_bytes > c.max_storage_range_bytes) {
        return std::format("{} binds {} at once, but {} binds at most {}, and reads zeros beyond", request.name,
                           size_text(request.largest_binding_bytes), profile.info.name,
                           size_text(c.max_storage_range_bytes));
    }
    if (types_for(profile, request.domain, false).empty()) {
        return std::format("{} has no memory type for {}", profile.info.name, gpu::to_string(request.domain));
    }
    return {};
}

} // namespace

const char* to_string(Purpose purpose) {
    constexpr std::array<const char*, kPurposes> kNames = {"weights", "KV cache", "state",   "activations",
                                                           "step",    "logits",   "staging", "pipelines"};
    return kNames[static_cast<size_t>(purpose)];
}

Room room_of(const DeviceProfile& profile) {
    Room room;
    const SystemMemory& system = profile.system;
    uint64_t free_bytes = 0;
    uint64_t size_bytes = 0;
    for (const gpu::HeapInfo& heap : profile.heaps) {
        HeapRoom entry{.heap = heap.index, .device_local = heap.device_local, .size_bytes = heap.size_bytes};
        entry.free_bytes = less(std::min(heap.size_bytes, heap.budget_bytes), heap.usage_bytes);
        if (!profile.is_unified() && heap.device_local) entry.headroom_bytes = vram_headroom(heap.size_bytes);
        free_bytes += entry.free_bytes;
        size_bytes += heap.size_bytes;
        room.heaps.push_back(entry);
    }
    const auto reserve = [&] {
        const uint64_t available = *system.available_bytes;
        return std::min(system_reserve(system.total_bytes.value_or(available)), available / 4);
    };
    if (!profile.is_unified()) {
        if (const uint32_t host = mask_of(room.heaps, false); host != 0 && system.available_bytes) {
            room.limits.push_back({host, less(*system.available_bytes, reserve()),
                                   std::format("system memory: {} available, {} left to others",
                                               size_text(*system.available_bytes), size_text(reserve()))});
        }
        return room;
    }
    const uint32_t all = mask_of(room.heaps, true);
    const uint64_t headroom = unified_headroom(size_bytes);
    room.limits.push_back(
        {all, less(free_bytes, headroom),
         std::format("all heaps: {} free, {} left to others", size_text(free_bytes), size_text(headroom))});
    const uint64_t carve_out_free = less(system.vram_total_bytes.value_or(0), system.vram_used_bytes.value_or(0));
    if (system.gtt_total_bytes) {
        // The driver's heaps are a fiction of two thirds and one third; this is what the kernel maps.
        const uint64_t gtt_free = less(*system.gtt_total_bytes, system.gtt_used_bytes.value_or(0));
        room.limits.push_back(
            {all, less(gtt_free + carve_out_free, headroom),
             std::format("GTT: {} of {} free, carve-out: {} of {} free, {} left to others", size_text(gtt_free),
                         size_text(*system.gtt_total_bytes), size_text(carve_out_free),
                         size_text(system.vram_total_bytes.value_or(0)), size_text(headroom))});
    }
    if (system.available_bytes) {
        room.limits.push_back({all, less(*system.available_bytes, reserve()) + carve_out_free,
                               std::format("system memory: {} available, {} left to others",
                                           size_text(*system.available_bytes), size_text(reserve()))});
    }
    return room;
}

uint64_t Plan::peak_bytes() const {
    return std::accumulate(heap_bytes.begin(), heap_bytes.end(), uint64_t{0});
}

uint64_t Plan::allocated_bytes() const {
    uint64_t sum = 0;
    for (const Allocation& allocation : allocations) {
        if (allocation.lifetime == Lifetime::always && !allocation.is_reserve) sum += allocation.size_bytes;
    }
    return sum;
}

std::string describe_sums(const uint64_t (&purpose_bytes)[kPurposes]) {
    std::string text;
    uint64_t sum = 0;
    for (size_t i = 0; i < kPurposes; ++i) {
        if (purpose_bytes[i] == 0) continue;
        sum += purpose_bytes[i];
        text += std::format("{}{} {}", text.empty() ? "" : " + ", to_string(static_cast<Purpose>(i)),
                            size_text(purpose_bytes[i]));
    }
    return std::format("{} = {}", text, size_text(sum));
}

std::string describe(const Room& room) {
    std::string text;
    for (const HeapRoom& heap : room.heaps) {
        text += std::format("{}heap {}{}: {} of {} free", text.empty() ? "" : "; ", heap.heap,
                            heap.device_local ? " (device)" : " (host)", size_text(heap.free_bytes),
                            size_text(heap.size_bytes));
        if (heap.headroom_bytes > 0) text += std::format(", {} left to others", size_text(heap.headroom_bytes));
    }
    for (const SharedLimit& limit : room.limits) text += "; " + limit.reason;
    return text;
}

Error Shortfall::error() const {
    if (kind == ErrorKind::unsupported) {
        return {kind, limit_text + ".", "Use a file with smaller tensors, or another device."};
    }
    std::string hint = "Use a smaller context, quantised K/V types (-ctk q8_0 -ctv q8_0), fewer sequences (-np), a "
                       "smaller model, or free memory.";
    if (could_spill) hint = "--spill puts what is read least into host memory. Or: " + hint;
    return {kind,
            std::format("Not enough memory: {}; {} may be used, {} are missing. No place for {} of {}; the largest "
                        "thing that would still fit has {}. Free: {}.",
                        sums, size_text(room_bytes), size_text(missing_bytes), request, size_text(request_bytes),
                        size_text(largest_fit_bytes), free_text),
            std::move(hint)};
}

std::expected<Plan, Shortfall> plan_memory(const DeviceProfile& profile, std::span<const Request> requests,
                                           const PlannerOptions& options) {
    Shortfall shortfall;
    uint64_t purpose_bytes[kPurposes] = {};
    uint64_t device_bytes = 0;
    for (const Request& request : requests) {
        VKINFER_ASSERT(request.size_bytes > 0 && std::has_single_bit(request.alignment));
        purpose_bytes[static_cast<size_t>(request.purpose)] += request.size_bytes;
        shortfall.needed_bytes += request.size_bytes;
        if (request.domain == Domain::device) device_bytes += request.size_bytes;
        if (const std::string limit = broken_limit(profile, request); !limit.empty()) {
            shortfall.kind = ErrorKind::unsupported;
            shortfall.request = request.name;
            shortfall.request_bytes = request.size_bytes;
            shortfall.limit_text = limit;
            return std::unexpected(shortfall);
        }
    }

    Spilled spilled(requests.size());
    Attempt result = attempt(profile, requests, spilled);
    Plan none;
    const uint64_t device_room = Placer(profile, none).left_for(Domain::device);
    const bool can_spill =
        !profile.is_unified() && !result.is_complete() && requests[result.failed].domain == Domain::device;
    if ((can_spill && options.allow_spill) || options.least_parts > 0) {
        std::vector<SpillUnit> units = spill_units(requests, options.part_shares);
        if (options.least_parts > 0) std::erase_if(units, [](const SpillUnit& u) { return u.part == kWhole; });
        uint64_t kept_bytes = device_bytes;
        size_t n = 0;
        while (n < units.size()) {
            const SpillUnit& unit = units[n++];
            spilled.add(unit, requests);
            kept_bytes -= unit.size_bytes;
            if ((kept_bytes > device_room || n < options.least_parts) && n < units.size()) continue;
            result = attempt(profile, requests, spilled);
            if (result.is_complete() || result.is_host_full) break;
        }
        result.plan.spill = describe_spill(requests, std::span(units).first(n));
        std::ranges::sort(result.plan.splits, {}, &Split::request);
    }
    if (!result.is_complete()) {
        const Request& failed = requests[result.failed];
        shortfall.request = failed.name;
        shortfall.request_bytes = failed.size_bytes;
        shortfall.room_bytes = device_room;
        shortfall.missing_bytes =
            std::max(less(device_bytes, device_room), less(failed.size_bytes, result.largest_fit));
        shortfall.largest_fit_bytes = result.largest_fit;
        shortfall.could_spill = can_spill && !options.allow_spill;
        shortfall.sums = describe_sums(purpose_bytes);
        shortfall.free_text = describe(result.plan.room);
        return std::unexpected(shortfall);
    }
    std::ranges::copy(purpose_bytes, result.plan.purpose_bytes);
    return std::move(result.plan);
}

} // namespace vkinfer::memory
