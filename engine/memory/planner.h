// Where every byte goes, decided before anything is allocated: a pure function of a device profile and of requests.
//
// On unified memory all heaps are the same DRAM and are filled one after the other; on a discrete card what shaders
// read stays in the card's own memory, and only weights may leave it, when the user allows spilling. Requests of one
// kind share few large allocations. The same plan makes the real allocations and answers `vkinfer plan`.
#pragma once

#include "base/error.h"
#include "memory/profile.h"

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::memory {

enum class Purpose : uint8_t { weights, kv_cache, state, activations, step, logits, staging, pipelines };
inline constexpr size_t kPurposes = 8;
const char* to_string(Purpose purpose);

enum class Lifetime : uint8_t {
    always,  ///< as long as the model is loaded
    loading, ///< only while it is loaded; in use at the same time as everything else
};

struct Request {
    std::string name; ///< for messages
    uint64_t size_bytes = 0;
    uint64_t alignment = 256; ///< power of two
    gpu::Domain domain = gpu::Domain::device;
    Purpose purpose = Purpose::weights;
    Lifetime lifetime = Lifetime::always;
    uint64_t largest_binding_bytes = 0; ///< largest part that is bound by descriptor; 0: reached by address only
    bool own_allocation = false;        ///< shares its allocation with nothing
    // For spilling weights: what goes together, and what it costs to read it over PCIe.
    int32_t layer = -1;    ///< -1: belongs to no layer
    double read_share = 1; ///< of its bytes, per token: 1 for dense weights, used / all for experts
    /// Experts that may be spilled one by one, the same of all requests of a layer; 0: it goes as a whole.
    uint32_t n_parts = 0;
    uint32_t n_fixed_parts = 0; ///< of them, the last ones, which every token reads and which stay
    uint64_t part_bytes = 0;    ///< of one, without padding
    bool is_reserve = false;    ///< counted, but never allocated by us: what the driver takes for pipelines
};

/// What may be used of a heap.
struct HeapRoom {
    uint32_t heap = 0;
    bool device_local = false;
    uint64_t size_bytes = 0;
    uint64_t free_bytes = 0;     ///< budget less what is in use
    uint64_t headroom_bytes = 0; ///< of the free bytes, left to others
    uint64_t room_bytes() const { return free_bytes > headroom_bytes ? free_bytes - headroom_bytes : 0; }
};

/// A limit over several heaps that are the same memory.
struct SharedLimit {
    uint32_t heap_mask = 0;
    uint64_t room_bytes = 0;
    std::string reason; ///< "GTT and carve-out: 60.5 GiB, 0.4 GiB in use, 0.9 GiB left to others"
};

struct Room {
    std::vector<HeapRoom> heaps;
    std::vector<SharedLimit> limits;
};

/// What is free now, by heap and over heaps that share memory.
Room room_of(const DeviceProfile& profile);

struct Allocation {
    uint32_t memory_type = 0;
    uint32_t heap = 0;
    gpu::Domain domain = gpu::Domain::device;
    Purpose purpose = Purpose::weights; ///< of its first request
    Lifetime lifetime = Lifetime::always;
    uint64_t size_bytes = 0;
    bool is_reserve = false;
};

struct Place {
    uint32_t allocation = 0;
    uint64_t offset = 0;
};

/// A request of which some parts were spilled: the others lie at its place, these at another.
struct Split {
    size_t request = 0;
    Place far;
    uint64_t near_bytes = 0;
    uint64_t far_bytes = 0;
    std::vector<uint32_t> far_parts; ///< ascending; the same of all requests of a layer
};

/// Weights that were put into host memory.
struct Spill {
    uint64_t size_bytes = 0;
    uint64_t bytes_per_token = 0; ///< read over PCIe for every token
    double ms_per_token = 0;      ///< at kPcieBytesPerSecond
    uint32_t n_tensors = 0;
    uint32_t n_experts = 0;        ///< of all layers
    std::vector<std::string> what; ///< "token_embd.weight", "experts of layer 47", "12 experts of layer 46", "layer 45"
};

struct Plan {
    std::vector<Allocation> allocations;
    std::vector<Place> places; ///< one per request
    std::vector<Split> splits; ///< in the order of their requests
    Room room;
    std::vector<uint64_t> heap_bytes;       ///< planned per heap, at the peak
    uint64_t purpose_bytes[kPurposes] = {}; ///< as requested
    Spill spill;

    uint64_t peak_bytes() const;
    /// After loading: without what only loading needs, and without what the driver takes.
    uint64_t allocated_bytes() const;
};

/// Why there is no plan.
struct Shortfall {
    ErrorKind kind = ErrorKind::out_of_memory; ///< or unsupported: a device limit, whatever is free
    std::string request;                       ///< the first that found no place
    uint64_t request_bytes = 0;
    uint64_t needed_bytes = 0;
    uint64_t room_bytes = 0; ///< of the heaps that may hold what shaders read
    uint64_t missing_bytes = 0;
    uint64_t largest_fit_bytes = 0; ///< the largest single thing that would have found a place instead
    bool could_spill = false;
    std::string limit_text; ///< for a device limit: which
    std::string sums;       ///< "weights 71.2 GiB + KV cache 8.0 GiB + ... = 80.1 GiB"
    std::string free_text;  ///< what is free, heap by heap

    Error error() const;
};

struct PlannerOptions {
    bool allow_spill = false;
    /// How large a share of the tokens reads each part of each layer's requests, [layer * n_parts + part]; empty: their
    /// read_share. The least read leaves first.
    std::span<const float> part_shares;
    uint32_t least_parts = 0; ///< for tests: so many are spilled at least, on any device
};

/// Parts of a split request are a matrix of their own: this much is added for their alignment.
inline constexpr uint64_t kSplitPaddingBytes = 1024;

/// What a spilled byte costs: PCIe 4.0 x16 moves about this much in practice.
inline constexpr double kPcieBytesPerSecond = 20e9;
/// Allocations are rounded up to this, as kernels do.
inline constexpr uint64_t kPageBytes = 4096;

/// Deterministic; the places are in the order of `requests`.
std::expected<Plan, Shortfall> plan_memory(const DeviceProfile& profile, std::span<const Request> requests,
                                           const PlannerOptions& options = {});

/// "weights 71.2 GiB + KV cache 8.0 GiB = 79.2 GiB"
std::string describe_sums(const uint64_t (&purpose_bytes)[kPurposes]);
/// "heap 1: 40.0 of 41.3 GiB free; heap 0: ..."
std::string describe(const Room& room);

} // namespace vkinfer::memory
