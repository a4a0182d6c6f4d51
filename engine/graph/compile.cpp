// Graph -> Plan: lowering, lifetimes, arena, barriers.
#include "base/error.h"
#include "graph/arena.h"
#include "graph/hazards.h"
#include "graph/plan.h"
#include "kernels/tuning.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace vkinfer::graph {

namespace {

constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();

/// A dispatch whose operands have become tensors (activations, externals and, appended, scratch).
struct Lowering {
    std::vector<Tensor> tensors;
    struct Item {
        const Node* node;
        kernels::Dispatch dispatch;
        std::vector<TensorId> operands;
    };
    std::vector<Item> items;
    std::vector<std::pair<TensorId, TensorId>> shared; ///< (input, output) pairs that may share memory
};

/// An op with the policy that measuring chose for it.
struct ChosenOp {
    kernels::Op op;
    kernels::Policy policy;
};

/// Activations that all their readers round to f16 become f16 where all their writers can do it: the same numbers in
/// half the bytes, and the loops of products, which would round each of them many times, neither do that nor wait for
/// more.
void choose_halves(std::span<const Node> nodes, std::vector<ChosenOp>& ops, std::vector<Tensor>& tensors) {
    struct Uses {
        bool is_read = false, is_written = false, is_f32 = false;
        bool is_half() const { return is_read && is_written && !is_f32; }
    };
    struct Halves {
        std::optional<uint32_t> input, output;
    };
    std::vector<Uses> uses(tensors.size());
    for (TensorId t = 0; t < tensors.size(); ++t) uses[t].is_f32 = tensors[t].is_external;
    std::vector<Halves> halves;
    for (size_t i = 0; i < nodes.size(); ++i) {
        const auto& [op, policy] = ops[i];
        halves.push_back({kernels::half_input(op, policy), kernels::half_output(op, policy)});
        for (uint32_t operand = 0; operand < nodes[i].operands.size(); ++operand) {
            Uses& of = uses[nodes[i].operands[operand]];
            if (operand == halves[i].input) {
                of.is_read = true;
            } else if (operand == halves[i].output) {
                of.is_written = true;
            } else if (kernels::uses_operand(op, operand)) {
                of.is_f32 = true;
            }
        }
    }
    for (size_t i = 0; i < nodes.size(); ++i) {
        const auto is_half = [&](std::optional<uint32_t> operand) {
            return operand && uses[nodes[i].operands[*operand]].is_half();
        };
        ops[i].op = kernels::with_halves(std::move(ops[i].op), is_half(halves[i].input), is_half(halves[i].output));
    }
    for (TensorId t = 0; t < tensors.size(); ++t) {
        if (uses[t].is_half()) tensors[t].size_bytes /= 2;
    }
}

Lowering lower_all(const Graph& graph, const kernels::Policy& policy, const kernels::Tuning* tuning) {
    Lowering result{.tensors = graph.tensors(), .items = {}, .shared = {}};
    std::vector<ChosenOp> ops;
    for (const Node& node : graph.nodes())
        ops.push_back({node.op, tuning == nullptr ? policy : tuning->apply(policy, node.op)});
    choose_halves(graph.nodes(), ops, result.tensors);
    for (size_t i = 0; i < ops.size(); ++i) {
        const Node& node = graph.nodes()[i];
        kernels::Lowered lowered =
            std::visit([&](const auto& op) { return kernels::lower(op, ops[i].policy); }, ops[i].op);
        std::vector<TensorId> operands = node.operands;
        for (const uint64_t size : lowered.scratch_bytes) {
            result.tensors.push_back({node.label + ".scratch", size, false});
            operands.push_back(static_cast<TensorId>(result.tensors.size() - 1));
        }
        // Sharing is only safe when one dispatch both reads and writes.
        if (node.in_place && lowered.dispatches.size() == 1) {
            result.shared.emplace_back(operands[node.in_place->first], operands[node.in_place->second]);
        }
        for (kernels::Dispatch& dispatch : lowered.dispatches) {
            result.items.push_back({&node, std::move(dispatch), operands});
        }
    }
    return result;
}

/// Operands a dispatch touches, with how.
std::vector<kernels::OperandAccess> accesses_of(const kernels::Dispatch& dispatch) {
    std::vector<kernels::OperandAccess> accesses = dispatch.unbound;
    for (uint32_t b = 0; b < dispatch.shader->n_bindings; ++b) {
        accesses.push_back({dispatch.bindings[b], dispatch.shader->bindings[b].access});
    }
    if (dispatch.indirect) accesses.push_back({dispatch.indirect->operand, kernels::Access::read});
    return accesses;
}

struct Lifetime {
    uint32_t first = kNever;
    uint32_t last = 0;
};

std::vector<Lifetime> lifetimes(const Lowering& lowering) {
    std::vector<Lifetime> lives(lowering.tensors.size());
    for (uint32_t i = 0; i < lowering.items.size(); ++i) {
        for (const auto& access : accesses_of(lowering.items[i].dispatch)) {
            Lifetime& life = lives[lowering.items[i].operands[access.operand]];
            life.first = std::min(life.first, i);
            life.last = std::max(life.last, i);
        }
    }
    return lives;
}

/// Offsets of all arena tensors. Tensors that share memory become one block with the union of their lives.
std::vector<uint64_t> place(const Lowering& lowering, uint64_t& arena_bytes) {
    const std::vector<Lifetime> lives = lifetimes(lowering);
    std::vector<TensorId> owner(lowering.tensors.size());
    for (TensorId t = 0; t < owner.size(); ++t) owner[t] = t;
    for (const auto& [input, output] : lowering.shared) {
        const bool both_here = !lowering.tensors[input].is_external && !lowering.tensors[output].is_external;
        const bool input_dies_where_output_begins = lives[input].last == lives[output].first;
        if (both_here && input_dies_where_output_begins &&
            lowering.tensors[input].size_bytes == lowering.tensors[output].size_bytes) {
            owner[output] = owner[input];
        }
    }
    std::vector<ArenaBlock> blocks;
    std::vector<uint32_t> block_of(lowering.tensors.size(), kNever);
    for (TensorId t = 0; t < owner.size(); ++t) {
        if (lowering.tensors[t].is_external || lives[t].first == kNever) continue;
        uint32_t& block = block_of[owner[t]];
        if (block == kNever) {
            block = static_cast<uint32_t>(blocks.size());
            blocks.push_back({.size_bytes = lowering.tensors[t].size_bytes, .first = kNever, .last = 0, .offset = 0});
        }
        blocks[block].first = std::min(blocks[block].first, lives[t].first);
        blocks[block].last = std::max(blocks[block].last, lives[t].last);
    }
    arena_bytes = place_blocks(blocks, kArenaAlignment);
    std::vector<uint64_t> offsets(lowering.tensors.size(), 0);
    for (TensorId t = 0; t < owner.size(); ++t) {
        if (block_of[owner[t]] != kNever) offsets[t] = blocks[block_of[owner[t]]].offset;
    }
    return offsets;
}

} // namespace

bool conflict(const MemoryAccess& a, const MemoryAccess& b) {
    return a.resource == b.resource && a.begin < b.end && b.begin < a.end && (a.is_write || b.is_write);
}

uint32_t Plan::n_barriers() const {
    return static_cast<uint32_t>(std::ranges::count_if(dispatches, &PlannedDispatch::barrier_before));
}

Plan compile(const Graph& graph, const kernels::Policy& policy, const kernels::Tuning* tuning) {
    Lowering lowering = lower_all(graph, policy, tuning);
    Plan plan;
    const std::vector<uint64_t> offsets = place(lowering, plan.arena_bytes);

    std::vector<ResourceId> resource(lowering.tensors.size(), kArena);
    for (TensorId t = 0; t < lowering.tensors.size(); ++t) {
        if (!lowering.tensors[t].is_external) continue;
        plan.externals.push_back({lowering.tensors[t].name, lowering.tensors[t].size_bytes});
        resource[t] = static_cast<ResourceId>(plan.externals.size());
    }

    for (Lowering::Item& item : lowering.items) {
        PlannedDispatch planned;
        planned.label = item.node->label;
        for (const uint32_t operand : item.dispatch.bindings) {
            const TensorId t = item.operands[operand];
            planned.bindings.push_back({resource[t], offsets[t], lowering.tensors[t].size_bytes});
        }
        if (item.dispatch.indirect) {
            const TensorId t = item.operands[item.dispatch.indirect->operand];
            VKINFER_ASSERT(item.dispatch.indirect->offset + 12 <= lowering.tensors[t].size_bytes);
            planned.indirect = {resource[t], offsets[t] + item.dispatch.indirect->offset, 12};
        }
        for (const auto& access : accesses_of(item.dispatch)) {
            const TensorId t = item.operands[access.operand];
            planned.accesses.push_back({.resource = resource[t],
                                        .begin = offsets[t],
                                        .end = offsets[t] + lowering.tensors[t].size_bytes,
                                        .is_read = kernels::reads(access.access),
                                        .is_write = kernels::writes(access.access)});
        }
        planned.dispatch = std::move(item.dispatch);
        plan.dispatches.push_back(std::move(planned));
    }
    place_barriers(plan);
    return plan;
}

} // namespace vkinfer::graph
