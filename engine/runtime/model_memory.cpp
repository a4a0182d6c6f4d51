#include "runtime/model_memory.h"

#include "base/error.h"
#include "graph/plan.h"
#include "kernels/codebooks.h"
#include "kernels/ops.h"
#include "memory/advice.h"
#include "memory/expert_stats.h"
#include "runtime/device_sampler.h"
#include "runtime/model_estimate.h"

#include <algorithm>
#include <array>
#include <format>
#include <functional>
#include <set>

namespace vkinfer::runtime {

using format::TensorType;
using gpu::size_text;
using memory::Purpose;
using memory::Request;

namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
/// Pieces that are read and repacked at once: a ring that stays in a CPU's second cache is filled and repacked there.
/// On a virtual machine's disk slots of 4 to 16 MiB loaded at two thirds of the rate.
constexpr uint64_t kSlotBytes = 2 * kMiB;
/// What drivers keep for a few hundred compiled pipelines and command buffers, beside our buffers.
constexpr uint64_t kPipelineBytes = 64 * kMiB;
constexpr uint32_t kMeasuredLayers = 12;
/// -fit takes q4_0 for the cache only where q8_0 would leave less context than this.
constexpr int32_t kEnoughContext = 16384;

uint32_t pages_for(int32_t n_ctx) {
    return (static_cast<uint32_t>(n_ctx) + kPageTokens - 1) / kPageTokens;
}

uint64_t kv_bytes_per_token(const ModelMemory& model, TensorType type_k, TensorType type_v) {
    uint64_t bytes = 0;
    for (const KvLayer& layer : model.kv_layers) {
        bytes += kernels::kv_page_bytes(type_k, layer.n_heads, 1, layer.k_size) +
                 kernels::kv_page_bytes(type_v, layer.n_heads, 1, layer.v_size);
    }
    return bytes;
}

void describe_exactly(ModelMemory& model, const format::GgufFile& file, const MemoryWish& wish) {
    const models::Architecture& architecture = models::find_architecture(file.get_string("general.architecture"));
    model.config = architecture.read(file);
    model.weights = plan_weights(file, architecture.tensors(model.config, file), model.config);
    if (wish.shares_layers) share_layers(model.weights);
    model.weight_requests = weight_requests(model.weights, file);
    for (uint32_t il = 0; il < model.config.n_layers; ++il) {
        model.kv_layers.push_back({il, model.config.n_kv_heads, model.config.head_size, model.config.value_size});
    }
    model.n_ctx_train = model.config.n_ctx_train;
    model.n_vocab = model.config.n_vocab;
    if (!wish.expert_stats.empty()) {
        const memory::ExpertStats stats = memory::read_expert_stats(wish.expert_stats);
        const models::ExpertConfig& e = model.config.experts;
        if (stats.n_experts != e.n || stats.counts.size() != uint64_t{model.config.n_layers} * e.n) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: {} layers of {} experts, but {} has {} of {}.", wish.expert_stats.string(),
                                    stats.n_layers(), stats.n_experts, file.name(), model.config.n_layers, e.n),
                        "Make it with this model: vkinfer logits --stats-out.");
        }
        model.expert_shares = stats.shares();
    }
    model.architecture = &architecture;
}

void check_kv_type(const ModelMemory& model, const char* flag, TensorType type) {
    if (!kernels::is_kv_type(type)) {
        throw Error(ErrorKind::unsupported,
                    std::format("{} {}: no kernel for this type.", flag, format::to_string(type)),
                    "Use f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl.");
    }
    const uint32_t block = format::traits(type).block_elements;
    for (const KvLayer& layer : model.kv_layers) {
        for (const uint32_t size : {layer.k_size, layer.v_size}) {
            if (size % block == 0) continue;
            throw Error(ErrorKind::unsupported,
                        std::format("{} {}: heads of {} dimensions are not whole blocks of {}.", flag,
                                    format::to_string(type), size, block),
                        "Use f16.");
        }
    }
}

bool suits(const ModelMemory& model, TensorType type) {
    const uint32_t block = format::traits(type).block_elements;
    return std::ranges::all_of(
        model.kv_layers, [&](const KvLayer& layer) { return layer.k_size % block == 0 && layer.v_size % block == 0; });
}

struct Types {
    TensorType k, v;
};

/// K/V types in the order of preference: what the user gave, else f16, then smaller ones.
std::vector<Types> candidate_types(const ModelMemory& model, const MemoryWish& wish) {
    const Types first = {wish.type_k.value_or(TensorType::f16), wish.type_v.value_or(TensorType::f16)};
    check_kv_type(model, "-ctk", first.k);
    check_kv_type(model, "-ctv", first.v);
    std::vector<Types> candidates = {first};
    if (!wish.is_fit || (wish.type_k && wish.type_v)) return candidates;
    for (const TensorType smaller : {TensorType::q8_0, TensorType::q4_0}) {
        if (suits(model, smaller)) {
            candidates.push_back({wish.type_k.value_or(smaller), wish.type_v.value_or(smaller)});
        }
    }
    return candidates;
}

struct Candidate {
    Types types{};
    int32_t n_ctx = 0; ///< 0: not even a page
    RequestList list;
    std::optional<memory::Plan> plan;
    std::optional<memory::Shortfall> shortfall;
};

Candidate try_context(const ModelMemory& model, const memory::DeviceProfile& profile, const MemoryWish& wish,
                      Types types, const Activations& activations, int32_t n_ctx) {
    Candidate candidate{.types = types, .n_ctx = n_ctx};
    MemoryWish resolved = wish;
    resolved.is_staged = wish.is_staged.value_or(!profile.is_unified());
    candidate.list = memory_requests(model, resolved, activations, n_ctx, types.k, types.v);
    auto plan = memory::plan_memory(
        profile, candidate.list.requests,
        {.allow_spill = wish.allow_spill, .part_shares = model.expert_shares, .least_parts = wish.spilled_experts});
    if (plan) {
        candidate.plan = std::move(*plan);
    } else {
        candidate.shortfall = std::move(plan.error());
    }
    return candidate;
}

/// The largest context that fits with these types, in whole pages below the wanted one; without fitting, just that.
Candidate largest_context(const ModelMemory& model, const memory::DeviceProfile& profile, const MemoryWish& wish,
                          Types types, int32_t wanted) {
    const Activations activations = measure_activations(model, wish, types.k, types.v);
    Candidate best = try_context(model, profile, wish, types, activations, wanted);
    if (best.plan || !wish.is_fit) return best;
    int32_t low = 0;                                        // pages; fits, or is none
    int32_t high = static_cast<int32_t>(pages_for(wanted)); // does not fit
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        Candidate candidate =
            try_context(model, profile, wish, types, activations, middle * static_cast<int32_t>(kPageTokens));
        if (candidate.plan) {
            low = middle;
            best = std::move(candidate);
        } else {
            high = middle;
        }
    }
    if (low == 0) best.n_ctx = 0;
    return best;
}

/// What would have fitted, for the hint of an error.
std::string alternative(const ModelMemory& model, const memory::DeviceProfile& profile, MemoryWish wish,
                        int32_t wanted) {
    wish.is_fit = true;
    std::string text;
    std::set<std::pair<TensorType, TensorType>> seen;
    for (const Types types : candidate_types(model, wish)) {
        const Candidate candidate = largest_context(model, profile, wish, types, wanted);
        if (candidate.n_ctx == 0) continue;
        text += std::format("{}-c {}{} -ctk {} -ctv {}", text.empty() ? "What fits: " : ", or ", candidate.n_ctx,
                            wish.max_sequences > 1 ? std::format(" -np {}", wish.max_sequences) : "",
                            option_name(types.k), option_name(types.v));
        if (candidate.n_ctx >= wanted) break;
    }
    return text.empty() ? std::string() : text + ".";
}

[[noreturn]] void refuse(const ModelMemory& model, const memory::DeviceProfile& profile, const MemoryWish& wish,
                         const memory::Shortfall& shortfall, int32_t wanted) {
    const Error error = shortfall.error();
    std::string hint = shortfall.kind == ErrorKind::out_of_memory ? alternative(model, profile, wish, wanted) : "";
    if (hint.empty()) hint = error.hint();
    if (shortfall.could_spill && hint != error.hint()) hint += " --spill puts what is read least into host memory.";
    if (const std::string advice = memory::gtt_advice(profile, shortfall.needed_bytes); !advice.empty()) {
        hint += " " + advice;
    }
    throw Error(error.kind(), std::format("{}: {}", model.file_name, error.message()), std::move(hint));
}

std::vector<std::string> write_arithmetic(const ModelMemory& model, const MemoryWish& wish,
                                          const MemoryDecision& decision) {
    std::vector<std::string> lines;
    const auto line = [&](std::string_view label, uint64_t bytes, std::string_view note) {
        lines.push_back(std::format("{:<12} {:>10}{}{}", label, size_text(bytes), note.empty() ? "" : "  ", note));
    };
    const auto& bytes = decision.plan.purpose_bytes;
    const auto sum = [&](Purpose purpose) { return bytes[static_cast<size_t>(purpose)]; };
    line("weights", sum(Purpose::weights), model.is_estimate() ? "as in the file" : "");
    line("KV cache", sum(Purpose::kv_cache),
         std::format("{} tokens x {} sequence{}, {} per token (K {}, V {})", decision.n_ctx, wish.max_sequences,
                     wish.max_sequences == 1 ? "" : "s", size_text(decision.kv_bytes_per_token),
                     option_name(decision.type_k), option_name(decision.type_v)));
    if (sum(Purpose::state) > 0) line("state", sum(Purpose::state), "of recurrent layers");
    line("activations", sum(Purpose::activations), std::format("{} tokens at once", wish.max_batch()));
    line("step, logits", sum(Purpose::step) + sum(Purpose::logits), "");
    line("loading", sum(Purpose::staging), "until the model is loaded");
    line("pipelines", sum(Purpose::pipelines), "kept by the driver");
    line("in all", decision.plan.peak_bytes(), "");
    for (const memory::HeapRoom& heap : decision.plan.room.heaps) {
        const uint64_t used = decision.plan.heap_bytes[heap.heap];
        std::string note = std::format("of {} free, {} in all", size_text(heap.free_bytes), size_text(heap.size_bytes));
        if (heap.headroom_bytes > 0) note += std::format("; {} left to others", size_text(heap.headroom_bytes));
        line(std::format("  heap {}", heap.heap), used, note);
    }
    for (const memory::SharedLimit& limit : decision.plan.room.limits) {
        line("  at most", limit.room_bytes, limit.reason);
    }
    const memory::Spill& spill = decision.plan.spill;
    if (spill.size_bytes > 0) {
        line("spilled", spill.size_bytes,
             std::format("{}{}{} into host memory; {} read per token over PCIe, about {:.1f} ms more per token",
                         spill.what.front(), spill.what.size() > 1 ? " to " + spill.what.back() : "",
                         spill.n_experts > 0 ? std::format(", {} experts", spill.n_experts) : "",
                         size_text(spill.bytes_per_token), spill.ms_per_token));
    }
    return lines;
}

} // namespace

std::string option_name(TensorType type) {
    std::string name = format::to_string(type);
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return name;
}

uint64_t ring_slot_bytes(uint64_t file_bytes, uint64_t largest_strip_bytes) {
    const uint64_t wanted = std::max(std::min(kSlotBytes, file_bytes), largest_strip_bytes);
    // The window of whole file pages around it, and a start of the slot at a page.
    return (wanted + 4 * memory::kPageBytes - 1) / memory::kPageBytes * memory::kPageBytes;
}

ModelMemory describe_memory(const format::GgufFile& file, const kernels::Policy& policy, const MemoryWish& wish,
                            bool allow_estimate) {
    ModelMemory model;
    model.file_name = file.name();
    try {
        describe_exactly(model, file, wish);
    } catch (const Error& error) {
        if (!allow_estimate || error.kind() != ErrorKind::unsupported) throw;
        model = estimate_memory(file, wish);
        model.estimate_reason = error.message();
    }
    model.policy = policy;
    model.step.max_tokens = static_cast<uint32_t>(wish.max_batch());
    model.step.max_outputs = static_cast<uint32_t>(wish.n_logits());
    model.step.max_sequences = static_cast<uint32_t>(wish.max_sequences);
    model.step.max_samples = std::min(model.step.max_sequences, model.step.max_outputs);
    return model;
}

StepShapes step_shapes(const ModelMemory& model, const MemoryWish& wish, TensorType type_k, TensorType type_v) {
    return {model.config,
            model.policy,
            {.max_batch = static_cast<uint32_t>(wish.max_batch()),
             .max_outputs = static_cast<uint32_t>(wish.n_logits()),
             .max_sequences = static_cast<uint32_t>(wish.max_sequences),
             .page_tokens = kPageTokens},
            type_k,
            type_v};
}

Activations measure_activations(const ModelMemory& model, const MemoryWish& wish, TensorType type_k,
                                TensorType type_v) {
    Activations result;
    if (model.is_estimate()) {
        // A query row is at most a tile of its own.
        result.arena_bytes = model.estimated_arena_bytes;
        result.max_tiles = static_cast<uint32_t>(wish.max_batch() + wish.max_sequences) * 64;
        return result;
    }
    const models::LoadedModel weights = place_weights_nowhere(model.weights);
    models::KvConfig kv{.type_k = type_k, .type_v = type_v, .page_tokens = kPageTokens};
    // Activations of a layer die with it, so the arena of the first layers, with every kind among them, is that of all.
    models::ModelConfig config = model.config;
    config.n_layers = std::min(config.n_layers, kMeasuredLayers);
    kv.layers.resize(config.n_layers, {1, 1});
    kv.layer_bytes = 1;
    const StepShapes shapes = step_shapes(model, wish, type_k, type_v);
    result.max_tiles = shapes.max_tiles();
    const auto add_plan = [&](const graph::Graph& graph) {
        const graph::Plan plan = graph::compile(graph, model.policy);
        result.arena_bytes = std::max(result.arena_bytes, plan.arena_bytes);
        for (const graph::PlannedDispatch& dispatch : plan.dispatches) {
            for (const graph::BindingPlace& place : dispatch.bindings) {
                if (place.resource == graph::kArena) result.binding_bytes = std::max(result.binding_bytes, place.size);
            }
        }
    };
    for (const models::StepShape& shape : shapes.largest()) {
        add_plan(model.architecture->build({.config = config, .weights = weights, .kv = kv, .shape = shape}));
    }
    add_plan(sampling_graph(model.step.max_samples, model.config.n_vocab, model.step));
    return result;
}

RequestList memory_requests(const ModelMemory& model, const MemoryWish& wish, const Activations& activations,
                            int32_t n_ctx, TensorType type_k, TensorType type_v) {
    RequestList list{.requests = model.weight_requests};
    const auto add = [&](Request request) {
        list.requests.push_back(std::move(request));
        return list.requests.size() - 1;
    };
    const uint64_t n_pages = uint64_t{pages_for(n_ctx)} * static_cast<uint64_t>(wish.max_sequences);
    list.first_kv = list.requests.size();
    for (const KvLayer& layer : model.kv_layers) {
        const auto pool = [&](const char* name, TensorType type, uint32_t head_size) {
            if (head_size == 0) return; // a latent row serves as both
            add({.name = std::format("{} cache of layer {}", name, layer.layer),
                 .size_bytes = n_pages * kernels::kv_page_bytes(type, layer.n_heads, kPageTokens, head_size),
                 .purpose = Purpose::kv_cache});
        };
        pool("K", type_k, layer.k_size);
        pool("V", type_v, layer.v_size);
    }
    if (model.state_bytes > 0) {
        add({.name = "recurrent state", .size_bytes = model.state_bytes, .purpose = Purpose::state});
    }
    graph::StepLayout step = model.step;
    step.max_pages = pages_for(n_ctx);
    step.max_tiles = activations.max_tiles;
    list.step_layout = step;
    list.step = add({.name = "step buffer",
                     .size_bytes = step.size_bytes(),
                     .domain = gpu::Domain::upload,
                     .purpose = Purpose::step,
                     .own_allocation = true});
    list.logits = add({.name = "logits",
                       .size_bytes = uint64_t{4} * static_cast<uint64_t>(wish.n_logits()) * model.n_vocab,
                       .domain = gpu::Domain::readback,
                       .purpose = Purpose::logits,
                       .own_allocation = true});
    if (wish.samples_on_device && wish.is_staged.value_or(false)) {
        list.card_logits = add({.name = "logits on the card",
                                .size_bytes = list.requests[list.logits].size_bytes,
                                .domain = gpu::Domain::device,
                                .purpose = Purpose::logits,
                                .own_allocation = true});
    }
    list.arena = add({.name = "activations",
                      .size_bytes = std::max<uint64_t>(activations.arena_bytes, 1),
                      .purpose = Purpose::activations,
                      .largest_binding_bytes = activations.binding_bytes,
                      .own_allocation = true});
    const auto ring = [&](const char* name, gpu::Domain domain) {
        return add(
            {.name = name,
             .size_bytes = kRingSlots * ring_slot_bytes(model.weights.file_bytes, model.weights.largest_strip_bytes),
             .domain = domain,
             .purpose = Purpose::staging,
             .lifetime = memory::Lifetime::loading,
             .own_allocation = true});
    };
    list.ring = ring("loading ring", gpu::Domain::upload);
    if (wish.is_staged.value_or(false)) list.stage = ring("copy of the loading ring", gpu::Domain::device);
    add({.name = "pipelines",
         .size_bytes = kPipelineBytes,
         .purpose = Purpose::pipelines,
         .own_allocation = true,
         .is_reserve = true});
    return list;
}

MemoryDecision decide_memory(const ModelMemory& model, const memory::DeviceProfile& profile, const MemoryWish& wish) {
    const auto own = static_cast<int32_t>(model.n_ctx_train);
    const int32_t wanted = wish.n_ctx > 0 ? wish.n_ctx : own;
    const std::vector<Types> candidates = candidate_types(model, wish);
    std::optional<Candidate> best;
    if (!wish.is_fit) {
        best = largest_context(model, profile, wish, candidates[0], wanted);
    } else {
        for (const Types types : candidates) {
            // q4_0 costs quality: only for a context that would be useless otherwise.
            if (best && best->plan && types.k == TensorType::q4_0 && best->n_ctx >= std::min(kEnoughContext, wanted)) {
                break;
            }
            Candidate candidate = largest_context(model, profile, wish, types, wanted);
            if (!best || candidate.n_ctx > best->n_ctx) best = std::move(candidate);
            if (best->plan && best->n_ctx >= wanted) break;
        }
    }
    if (!best->plan) refuse(model, profile, wish, *best->shortfall, wanted);

    MemoryDecision decision;
    decision.n_ctx = best->n_ctx;
    decision.type_k = best->types.k;
    decision.type_v = best->types.v;
    decision.is_reduced = best->n_ctx < wanted || best->types.k != candidates[0].k || best->types.v != candidates[0].v;
    decision.list = std::move(best->list);
    decision.plan = std::move(*best->plan);
    decision.kv_bytes_per_token = kv_bytes_per_token(model, decision.type_k, decision.type_v);
    decision.arithmetic = write_arithmetic(model, wish, decision);
    return decision;
}

} // namespace vkinfer::runtime
