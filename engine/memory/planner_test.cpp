#include "memory/planner.h"

#include "support/support.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <set>

using namespace vkinfer;
using namespace vkinfer::memory;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kGiB = uint64_t{1} << 30;

DeviceProfile profile(const std::string& name) {
    return read_profile(test::source_dir() / "tests" / "profiles" / (name + ".json"));
}

std::vector<std::filesystem::path> all_profiles() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / "tests" / "profiles")) {
        paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    return paths;
}

Request weight(std::string name, uint64_t size_bytes, int32_t layer = -1, double read_share = 1) {
    return {.name = std::move(name), .size_bytes = size_bytes, .layer = layer, .read_share = read_share};
}

/// Tensors of `n_layers` layers that have `bytes` in all.
std::vector<Request> layers(uint32_t n_layers, uint64_t bytes) {
    std::vector<Request> requests;
    for (uint32_t i = 0; i < n_layers; ++i) {
        requests.push_back(weight("layer " + std::to_string(i), bytes / n_layers, static_cast<int32_t>(i)));
    }
    return requests;
}

void check_plan(const DeviceProfile& profile, std::span<const Request> requests, const Plan& plan) {
    REQUIRE(plan.places.size() == requests.size());
    std::vector<uint64_t> heap_bytes(profile.heaps.size(), 0);
    for (const Allocation& allocation : plan.allocations) {
        CHECK(allocation.size_bytes <= profile.capabilities.max_allocation_bytes);
        CHECK(allocation.size_bytes <= profile.capabilities.max_buffer_bytes);
        CHECK(profile.types[allocation.memory_type].heap == allocation.heap);
        CHECK(profile.types[allocation.memory_type].usable);
        heap_bytes[allocation.heap] += allocation.size_bytes;
    }
    CHECK(heap_bytes == plan.heap_bytes);
    for (const HeapRoom& heap : plan.room.heaps) {
        CHECK(heap_bytes[heap.heap] <= heap.room_bytes());
        CHECK(heap_bytes[heap.heap] <= profile.heaps[heap.heap].size_bytes);
    }
    for (const SharedLimit& limit : plan.room.limits) {
        uint64_t sum = 0;
        for (size_t h = 0; h < heap_bytes.size(); ++h) {
            if (limit.heap_mask & (1u << h)) sum += heap_bytes[h];
        }
        CHECK(sum <= limit.room_bytes);
    }
    // Nothing overlaps, everything lies inside its allocation.
    std::vector<std::vector<std::pair<uint64_t, uint64_t>>> ranges(plan.allocations.size());
    for (size_t i = 0; i < requests.size(); ++i) {
        const Place& place = plan.places[i];
        REQUIRE(place.allocation < plan.allocations.size());
        const Allocation& allocation = plan.allocations[place.allocation];
        CHECK(place.offset % requests[i].alignment == 0);
        CHECK(place.offset + requests[i].size_bytes <= allocation.size_bytes);
        CHECK(allocation.lifetime == requests[i].lifetime);
        CHECK(allocation.domain == requests[i].domain);
        ranges[place.allocation].emplace_back(place.offset, place.offset + requests[i].size_bytes);
        if (!profile.is_unified() && requests[i].domain == gpu::Domain::device &&
            requests[i].purpose != Purpose::weights) {
            CHECK(profile.types[allocation.memory_type].device_local);
        }
    }
    for (auto& list : ranges) {
        std::ranges::sort(list);
        for (size_t i = 1; i < list.size(); ++i) CHECK(list[i - 1].second <= list[i].first);
    }
}

uint64_t bytes_in(const Plan& plan, const DeviceProfile& profile, bool device_local) {
    uint64_t sum = 0;
    for (const Allocation& a : plan.allocations) {
        if (profile.types[a.memory_type].device_local == device_local) sum += a.size_bytes;
    }
    return sum;
}

} // namespace

TEST_CASE("an APU's heaps are both filled") {
    const DeviceProfile strix = profile("strix-halo-64");
    const std::vector<Request> requests = layers(60, 55 * kGiB);
    const auto plan = plan_memory(strix, requests);
    REQUIRE(plan.has_value());
    check_plan(strix, requests, *plan);
    CHECK(bytes_in(*plan, strix, true) > 38 * kGiB);
    CHECK(bytes_in(*plan, strix, false) > 14 * kGiB);
    CHECK(plan->allocations.size() <= 16); // of at most 4 GiB each
}

TEST_CASE("a discrete card never spills by itself") {
    const DeviceProfile card = profile("rx-9070-xt-16");
    const std::vector<Request> requests = layers(40, 20 * kGiB);
    const auto plan = plan_memory(card, requests);
    REQUIRE_FALSE(plan.has_value());
    const Shortfall& shortfall = plan.error();
    CHECK(shortfall.kind == ErrorKind::out_of_memory);
    CHECK(shortfall.could_spill);
    CHECK(shortfall.needed_bytes == 20 * kGiB);
    CHECK(shortfall.missing_bytes > 4 * kGiB);
    CHECK(shortfall.room_bytes + shortfall.missing_bytes == shortfall.needed_bytes);
    const Error error = shortfall.error();
    CHECK(error.message().find("weights 20.0 GiB = 20.0 GiB") != std::string::npos);
    CHECK(error.message().find("would still fit") != std::string::npos);
    CHECK(error.hint().find("--spill") != std::string::npos);
    // Half of it fits, all of it in the card's own memory.
    const auto half = plan_memory(card, std::span(requests).first(20));
    REQUIRE(half.has_value());
    CHECK(bytes_in(*half, card, false) == 0);
    CHECK(half->spill.size_bytes == 0);
}

TEST_CASE("spilling takes what is read least: embedding rows, then experts, then whole layers from the last") {
    const DeviceProfile card = profile("rx-9070-xt-16");
    std::vector<Request> requests = {weight("token_embd.weight", kGiB, -1, 0), weight("output.weight", kGiB)};
    for (int32_t i = 0; i < 32; ++i) {
        requests.push_back(weight("attention " + std::to_string(i), 128 * kMiB, i));
        requests.push_back(weight("norm " + std::to_string(i), 16 * 1024, i));
        requests.push_back(weight("experts " + std::to_string(i), 512 * kMiB, i, 8.0 / 128));
    }
    const auto plan = plan_memory(card, requests, {.allow_spill = true});
    REQUIRE(plan.has_value());
    check_plan(card, requests, *plan);
    REQUIRE(plan->spill.what.size() >= 3);
    CHECK(plan->spill.what[0] == "token_embd.weight");
    CHECK(plan->spill.what[1] == "experts of layer 31");
    CHECK(plan->spill.what[2] == "experts of layer 30");
    // 1/16 of each expert tensor is read per token; the embedding not at all.
    CHECK(plan->spill.bytes_per_token == (plan->spill.size_bytes - kGiB) / 16);
    CHECK(plan->spill.ms_per_token == doctest::Approx(static_cast<double>(plan->spill.bytes_per_token) / 20e6));
    for (size_t i = 0; i < requests.size(); ++i) {
        const bool is_local = card.types[plan->allocations[plan->places[i].allocation].memory_type].device_local;
        if (requests[i].name.starts_with("attention") || requests[i].name.starts_with("norm")) CHECK(is_local);
    }

    // With dense layers only, whole layers leave, the last first, and together.
    const std::vector<Request> dense = layers(40, 20 * kGiB);
    const auto dense_plan = plan_memory(card, dense, {.allow_spill = true});
    REQUIRE(dense_plan.has_value());
    CHECK(dense_plan->spill.what.front() == "layer 39");
    CHECK(dense_plan->spill.bytes_per_token == dense_plan->spill.size_bytes);
    CHECK(dense_plan->spill.size_bytes < 7 * kGiB);
}

namespace {

/// Ten layers of attention and 64 experts of 2 x 8 MiB each, of which the last is read for every token.
std::vector<Request> layers_of_experts() {
    std::vector<Request> requests;
    for (int32_t i = 0; i < 10; ++i) {
        requests.push_back(weight("attention " + std::to_string(i), 128 * kMiB, i));
        for (const char* name : {"gate_up ", "down "}) {
            Request experts = weight(name + std::to_string(i), 64 * 8 * kMiB, i, 4.0 / 63);
            experts.n_parts = 64;
            experts.n_fixed_parts = 1;
            experts.part_bytes = 8 * kMiB;
            requests.push_back(experts);
        }
    }
    return requests;
}

/// What a plan with splits asks of check_plan: each part as a request of its own.
void check_split_plan(const DeviceProfile& profile, std::vector<Request> requests, Plan plan) {
    for (const Split& split : plan.splits) {
        CHECK(split.near_bytes + split.far_bytes == requests[split.request].size_bytes + 2 * kSplitPaddingBytes);
        Request far = requests[split.request];
        requests[split.request].size_bytes = split.near_bytes;
        far.size_bytes = split.far_bytes;
        requests.push_back(far);
        plan.places.push_back(split.far);
        if (profile.is_unified()) continue;
        CHECK(profile.types[plan.allocations[plan.places[split.request].allocation].memory_type].device_local);
        CHECK_FALSE(profile.types[plan.allocations[split.far.allocation].memory_type].device_local);
    }
    check_plan(profile, requests, plan);
}

} // namespace

TEST_CASE("single experts are spilled: the last ones, or those that are chosen least, and no more than it takes") {
    DeviceProfile card = profile("rx-6600-8");
    const std::vector<Request> requests = layers_of_experts();
    const auto plan = plan_memory(card, requests, {.allow_spill = true});
    REQUIRE(plan.has_value());
    check_split_plan(card, requests, *plan);
    CHECK(plan->spill.size_bytes == uint64_t{plan->spill.n_experts} * 16 * kMiB);
    CHECK(plan->spill.bytes_per_token == plan->spill.size_bytes * 4 / 63);
    // All but the fixed expert of the last layers, then some of one more.
    REQUIRE(plan->splits.size() >= 4);
    CHECK(plan->splits.size() % 2 == 0);
    CHECK(plan->splits.back().far_parts.size() == 63);
    CHECK(plan->splits.back().far_parts.front() == 0);
    const std::vector<uint32_t>& some = plan->splits.front().far_parts;
    CHECK(some == plan->splits[1].far_parts); // of both matrices the same
    CHECK(some.back() == 62);
    CHECK(some.front() + some.size() == 63);
    CHECK(plan->spill.what.front() == "experts of layer 9");
    // One expert less would not have fitted.
    uint64_t room = 0;
    for (const HeapRoom& heap : plan->room.heaps)
        if (heap.device_local && heap.size_bytes > kGiB) room += heap.room_bytes() - plan->heap_bytes[heap.heap];
    CHECK(room < 17 * kMiB);

    // Those chosen least, wherever they are.
    std::vector<float> shares(size_t{10} * 63);
    for (size_t i = 0; i < shares.size(); ++i) shares[i] = i % 63 % 3 == 1 ? 0.001f : 0.1f;
    const auto least = plan_memory(card, requests, {.allow_spill = true, .part_shares = shares});
    REQUIRE(least.has_value());
    check_split_plan(card, requests, *least);
    CHECK(least->spill.n_experts >= plan->spill.n_experts); // padding
    CHECK(least->spill.n_experts <= plan->spill.n_experts + 2);
    CHECK(least->spill.bytes_per_token < plan->spill.bytes_per_token / 2);
    for (const Split& split : least->splits) {
        size_t n_rare = 0;
        for (const uint32_t part : split.far_parts) n_rare += part % 3 == 1;
        CHECK(n_rare == 21); // all of them before any other
    }

    // For tests: a number of them, wherever that is.
    for (const char* name : {"lavapipe", "gfx1201"}) {
        const DeviceProfile any = profile(name);
        std::vector<Request> few(requests.begin(), requests.begin() + 6);
        for (Request& request : few) {
            request.size_bytes /= 1024;
            request.part_bytes /= 1024;
        }
        const auto forced = plan_memory(any, few, {.least_parts = 70});
        REQUIRE(forced.has_value());
        check_split_plan(any, few, *forced);
        CHECK(forced->spill.n_experts == 70);
        REQUIRE(forced->splits.size() == 4);
        CHECK(forced->splits[0].far_parts.size() == 7);
    }
}

TEST_CASE("what the KV cache needs is never spilled") {
    const DeviceProfile card = profile("rx-6600-8");
    std::vector<Request> requests = layers(32, 4 * kGiB);
    for (int i = 0; i < 8; ++i) {
        requests.push_back({.name = "k", .size_bytes = 2 * kGiB, .purpose = Purpose::kv_cache});
    }
    const auto plan = plan_memory(card, requests, {.allow_spill = true});
    REQUIRE_FALSE(plan.has_value());
    CHECK(plan.error().kind == ErrorKind::out_of_memory);
}

TEST_CASE("200 GiB are planned in 64 bits") {
    DeviceProfile big = profile("strix-halo-128");
    for (gpu::HeapInfo& heap : big.heaps) {
        heap.size_bytes *= 2;
        heap.budget_bytes = heap.size_bytes;
    }
    big.system = {};
    const std::vector<Request> requests = layers(800, 200 * kGiB);
    const auto plan = plan_memory(big, requests);
    REQUIRE(plan.has_value());
    check_plan(big, requests, *plan);
    CHECK(plan->peak_bytes() >= 200 * kGiB);
    CHECK(plan->allocated_bytes() == plan->peak_bytes());
    CHECK(plan->allocations.size() <= 70);
    uint64_t beyond_32_bits = 0;
    for (const Allocation& allocation : plan->allocations) beyond_32_bits += allocation.size_bytes;
    CHECK(beyond_32_bits > ~uint32_t{0});
    // One device that takes huge allocations gets few.
    big.capabilities.max_allocation_bytes = big.capabilities.max_buffer_bytes = uint64_t{1} << 40;
    const auto few = plan_memory(big, requests);
    REQUIRE(few.has_value());
    check_plan(big, requests, *few);
    CHECK(few->allocations.size() == 2); // one per heap
    CHECK(std::ranges::max(few->places, {}, &Place::offset).offset > uint64_t{1} << 33);
}

TEST_CASE("limits of the device are errors of their own, whatever is free") {
    const DeviceProfile strix = profile("strix-halo-128");
    const std::vector<Request> large = {weight("output.weight", 5 * kGiB)};
    const auto no_buffer = plan_memory(strix, large);
    REQUIRE_FALSE(no_buffer.has_value());
    CHECK(no_buffer.error().kind == ErrorKind::unsupported);
    CHECK(no_buffer.error().error().message().find("output.weight has 5.0 GiB") != std::string::npos);

    // A device that allows it holds it; nothing of the arithmetic has 32 bits.
    DeviceProfile wide = strix;
    wide.capabilities.max_allocation_bytes = wide.capabilities.max_buffer_bytes = 8 * kGiB;
    const auto one_buffer = plan_memory(wide, large);
    REQUIRE(one_buffer.has_value());
    CHECK(one_buffer->allocations[0].size_bytes == 5 * kGiB);

    const DeviceProfile lavapipe = profile("lavapipe");
    std::vector<Request> bound = {{.name = "activations",
                                   .size_bytes = 512 * kMiB,
                                   .purpose = Purpose::activations,
                                   .largest_binding_bytes = 129 * kMiB}};
    const auto no_range = plan_memory(lavapipe, bound);
    REQUIRE_FALSE(no_range.has_value());
    CHECK(no_range.error().kind == ErrorKind::unsupported);
    CHECK(no_range.error().error().message().find("reads zeros beyond") != std::string::npos);
    bound[0].largest_binding_bytes = 128 * kMiB;
    CHECK(plan_memory(lavapipe, bound).has_value());
}

TEST_CASE("the kernel's limits count, not only the driver's heaps") {
    DeviceProfile strix = profile("strix-halo-64");
    const std::vector<Request> requests = layers(60, 50 * kGiB);
    REQUIRE(plan_memory(strix, requests).has_value());
    strix.system.gtt_used_bytes = 20 * kGiB;
    const auto used = plan_memory(strix, requests);
    REQUIRE_FALSE(used.has_value());
    CHECK(used.error().error().message().find("GTT: 40.0 GiB of 60.0 GiB free") != std::string::npos);
    strix.system.gtt_used_bytes = 0;
    strix.system.available_bytes = 30 * kGiB;
    CHECK_FALSE(plan_memory(strix, requests).has_value());
    // A carve-out is not part of the system's memory.
    DeviceProfile carved = profile("strix-halo-128-carve-96");
    carved.system.available_bytes = 2 * kGiB;
    CHECK(plan_memory(carved, requests).has_value());
}

TEST_CASE("lifetimes and domains do not share allocations; a reserve is counted and not allocated") {
    const DeviceProfile card = profile("r9700-32");
    const std::vector<Request> requests = {
        weight("a", 1000),
        {.name = "ring",
         .size_bytes = 64 * kMiB,
         .domain = gpu::Domain::upload,
         .purpose = Purpose::staging,
         .lifetime = Lifetime::loading},
        {.name = "step", .size_bytes = 5000, .domain = gpu::Domain::upload, .purpose = Purpose::step},
        {.name = "logits", .size_bytes = 5000, .domain = gpu::Domain::readback, .purpose = Purpose::logits},
        weight("b", 1000),
        {.name = "pipelines", .size_bytes = 64 * kMiB, .purpose = Purpose::pipelines, .is_reserve = true},
        {.name = "arena", .size_bytes = 1000, .purpose = Purpose::activations, .own_allocation = true},
        weight("c", 1000),
    };
    const auto plan = plan_memory(card, requests);
    REQUIRE(plan.has_value());
    check_plan(card, requests, *plan);
    CHECK(plan->allocations.size() == 6);
    CHECK(plan->places[0].allocation == plan->places[4].allocation);
    CHECK(plan->places[4].offset == 1024);
    CHECK(plan->places[7].offset == 2048);
    CHECK(plan->peak_bytes() == 128 * kMiB + 4096 + 8192 + 8192 + 4096);
    CHECK(plan->allocated_bytes() == 4096 + 8192 + 8192 + 4096);
    CHECK(card.types[plan->allocations[plan->places[1].allocation].memory_type].host_visible);
    CHECK(card.types[plan->allocations[plan->places[3].allocation].memory_type].host_cached);
}

TEST_CASE("any requests on any device: within every limit, without overlap, the same each time") {
    std::mt19937_64 random(7);
    const auto paths = all_profiles();
    REQUIRE(paths.size() >= 10);
    int n_planned = 0, n_refused = 0;
    for (int round = 0; round < 400; ++round) {
        DeviceProfile device = read_profile(paths[random() % paths.size()]);
        CAPTURE(device.info.name);
        CAPTURE(round);
        for (gpu::HeapInfo& heap : device.heaps) heap.usage_bytes = random() % 3 == 0 ? random() % heap.size_bytes : 0;
        uint64_t total = 0;
        for (const gpu::HeapInfo& heap : device.heaps) total += heap.size_bytes;
        std::vector<Request> requests;
        const size_t n = 1 + random() % 60;
        for (size_t i = 0; i < n; ++i) {
            Request request;
            request.name = std::to_string(i);
            request.size_bytes = 1 + random() % (2 * total / n);
            request.size_bytes = std::min(request.size_bytes, device.capabilities.max_buffer_bytes - random() % 100);
            request.alignment = uint64_t{1} << (random() % 17);
            request.purpose = static_cast<Purpose>(random() % kPurposes);
            request.lifetime = random() % 8 == 0 ? Lifetime::loading : Lifetime::always;
            request.own_allocation = random() % 10 == 0;
            request.layer = static_cast<int32_t>(random() % 5) - 1;
            request.read_share = static_cast<double>(random() % 3) / 2;
            if (random() % 10 == 0) {
                request.domain = random() % 2 == 0 ? gpu::Domain::upload : gpu::Domain::readback;
                request.size_bytes = std::min<uint64_t>(request.size_bytes, 16 * kMiB);
            }
            requests.push_back(std::move(request));
        }
        const PlannerOptions options{.allow_spill = random() % 2 == 0};
        const auto plan = plan_memory(device, requests, options);
        const auto again = plan_memory(device, requests, options);
        REQUIRE(plan.has_value() == again.has_value());
        if (!plan) {
            ++n_refused;
            CHECK_FALSE(plan.error().request.empty());
            CHECK(plan.error().error().message() == again.error().error().message());
            continue;
        }
        ++n_planned;
        check_plan(device, requests, *plan);
        for (size_t i = 0; i < n; ++i) {
            CHECK(plan->places[i].allocation == again->places[i].allocation);
            CHECK(plan->places[i].offset == again->places[i].offset);
        }
    }
    CHECK(n_planned > 50);
    CHECK(n_refused > 50);
}
