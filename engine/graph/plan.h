// A compiled graph: dispatches with their places in memory and the barriers between them. A plain value, made and
// checked without a device; the executor records it once and replays it.
#pragma once

#include "graph/graph.h"
#include "kernels/dispatch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace vkinfer::kernels {
class Tuning;
}

namespace vkinfer::graph {

/// Resource 0 is the arena, resource 1 + i the i-th external tensor of the graph.
using ResourceId = uint32_t;
inline constexpr ResourceId kArena = 0;

/// Bytes [begin, end) of a resource that a dispatch touches.
struct MemoryAccess {
    ResourceId resource = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
    bool is_read = false;
    bool is_write = false;
};

/// Whether two accesses need an order: they overlap and one of them writes.
bool conflict(const MemoryAccess& a, const MemoryAccess& b);

struct BindingPlace {
    ResourceId resource = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
};

struct PlannedDispatch {
    std::string label;
    kernels::Dispatch dispatch;
    std::vector<BindingPlace> bindings;   ///< one per binding of the shader
    std::optional<BindingPlace> indirect; ///< where the group counts stand; among `accesses` as a read
    std::vector<MemoryAccess> accesses;   ///< all memory it touches but weights, which nobody writes
    bool barrier_before = false;
};

struct External {
    std::string name;
    uint64_t size_bytes = 0;
};

struct Plan {
    uint64_t arena_bytes = 0;
    std::vector<External> externals; ///< external i is resource i + 1
    std::vector<PlannedDispatch> dispatches;

    uint32_t n_barriers() const;
};

/// Alignment of every tensor in the arena; covers minStorageBufferOffsetAlignment of all devices (at most 256).
inline constexpr uint64_t kArenaAlignment = 256;

/// Lowers every op, places activations and scratch in the arena by lifetime, and sets the barriers.
/// `tuning`: choices for products that were measured, over the policy's; may be null.
Plan compile(const Graph& graph, const kernels::Policy& policy, const kernels::Tuning* tuning = nullptr);

} // namespace vkinfer::graph
