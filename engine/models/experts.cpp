#include "models/experts.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "models/products.h"
#include "models/tensor_needs.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <format>

namespace vkinfer::models {

namespace {

/// What shaders/expert_route.comp holds in registers of the narrowest subgroup.
constexpr uint32_t kMaxExperts = 512;
constexpr uint32_t kMaxUsed = 32;
/// A matrix lies in one allocation, which holds 4 GiB on most drivers; larger stacks stay apart.
constexpr uint64_t kLargestStackBytes = (uint64_t{4} << 30) - (uint64_t{64} << 20);

/// The name of a layer's tensor of all experts, or "" when the file has one per expert (old Mixtral files).
std::string stack_name(const format::GgufFile& file, uint32_t il, const char* part) {
    std::string name = blk(il, std::format("{}_exps.weight", part));
    return file.find_tensor(name) != nullptr || file.find_tensor(blk(il, std::format("{}.0.weight", part))) == nullptr
               ? name
               : std::string();
}

void add_sources(std::vector<TensorNeed::Source>& sources, const format::GgufFile& file, uint32_t il, const char* part,
                 uint32_t n_experts, uint32_t rows) {
    const std::string stack = stack_name(file, il, part);
    if (!stack.empty()) {
        sources.push_back({stack, n_experts * rows});
        return;
    }
    for (uint32_t e = 0; e < n_experts; ++e) sources.push_back({blk(il, std::format("{}.{}.weight", part, e)), rows});
}

uint64_t file_bytes(const format::GgufFile& file, const std::vector<TensorNeed::Source>& sources) {
    uint64_t bytes = 0;
    for (const auto& source : sources) bytes += file.tensor(source.name).size_bytes;
    return bytes;
}

[[noreturn]] void refuse(const format::GgufFile& file, const std::string& what, const char* hint) {
    throw Error(ErrorKind::unsupported, std::format("{}: {}", file.name(), what), hint);
}

/// As how many experts the shared one can stand behind the others: one as wide as n of them is n, which take columns of
/// its down matrix each, since hidden values do not depend on each other. 0 where widths or types do not allow it.
uint32_t n_joined(const format::GgufFile& file, const ExpertConfig& e, uint32_t il, uint32_t n_embd) {
    if (e.n_ff_shared == 0 || e.n_ff_shared % e.n_ff != 0) return 0;
    if (e.n + e.n_ff_shared / e.n_ff > kMaxExperts || e.n_used + e.n_ff_shared / e.n_ff > kMaxUsed) return 0;
    if (file.find_tensor(blk(il, "ffn_gate_up_exps.weight")) != nullptr) return 0;
    std::vector<TensorNeed::Source> in, out;
    for (const char* part : {"ffn_gate", "ffn_up"}) {
        add_sources(in, file, il, part, e.n, e.n_ff);
        in.push_back({blk(il, std::format("{}_shexp.weight", part)), e.n_ff_shared});
    }
    add_sources(out, file, il, "ffn_down", e.n, n_embd);
    out.push_back({blk(il, "ffn_down_shexp.weight"), n_embd});
    // Biases are read by expert: there are none for these.
    const bool joins =
        can_stack(file, in) && can_stack(file, out) && file.find_tensor(blk(il, "ffn_down_exps.bias")) == nullptr;
    return joins ? e.n_ff_shared / e.n_ff : 0;
}

} // namespace

ExpertConfig read_experts(const format::GgufFile& file, const ModelConfig& config, const ExpertConfig& defaults) {
    const auto key = [&](const char* name) { return config.architecture + "." + name; };
    ExpertConfig e = defaults;
    e.n = file.get_or<uint32_t>(key("expert_count"), 0);
    if (e.n == 0) return e;
    e.n = file.get_u32_in(key("expert_count"), 1, kMaxExperts);
    e.n_used = file.get_u32_in(key("expert_used_count"), 1, std::min(e.n, kMaxUsed));
    e.n_ff = file.get_or<uint32_t>(key("expert_feed_forward_length"), defaults.n_ff != 0 ? defaults.n_ff : config.n_ff);
    if (e.n_ff == 0 || e.n_ff > (1u << 20) || e.n_ff % kernels::kBlockElements != 0) {
        refuse(file, std::format("experts are {} wide.", e.n_ff), "Widths must be multiples of 32.");
    }
    e.n_ff_shared = file.get_or<uint32_t>(key("expert_shared_feed_forward_length"), 0);
    if (e.n_ff_shared == 0) {
        const uint32_t n_shared = file.get_or<uint32_t>(key("expert_shared_count"), 0);
        if (n_shared > 64) refuse(file, std::format("{} shared experts.", n_shared), "At most 64 are expected.");
        e.n_ff_shared = e.n_ff * n_shared;
    }
    if (e.n_ff_shared > (1u << 20) || e.n_ff_shared % kernels::kBlockElements != 0) {
        refuse(file, std::format("shared experts are {} wide.", e.n_ff_shared), "Widths must be multiples of 32.");
    }
    e.first_layer = file.get_or<uint32_t>(key("leading_dense_block_count"), 0);
    const uint32_t gating = file.get_or<uint32_t>(key("expert_gating_func"), 0);
    if (gating > 4) refuse(file, std::format("expert_gating_func is {}.", gating), "Known are 1 to 4.");
    if (gating != 0) e.gating = static_cast<kernels::Gating>(gating);
    e.normalises = defaults.normalises || file.get_or<bool>(key("expert_weights_norm"), false);
    const float scale = file.get_or<float>(key("expert_weights_scale"), 0.0f);
    if (!std::isfinite(scale)) refuse(file, std::format("expert_weights_scale is {}.", scale), "");
    if (scale != 0.0f) e.scale = scale;
    e.n_groups = std::max(1u, file.get_or<uint32_t>(key("expert_group_count"), 1));
    e.n_groups_used = std::max(1u, file.get_or<uint32_t>(key("expert_group_used_count"), e.n_groups));
    if (e.n % e.n_groups != 0 || e.n_groups_used > e.n_groups || e.n / e.n_groups * e.n_groups_used < e.n_used) {
        refuse(file,
               std::format("{} experts in {} groups of which {} may be used by {} choices.", e.n, e.n_groups,
                           e.n_groups_used, e.n_used),
               "");
    }
    return e;
}

void expert_tensors(std::vector<TensorNeed>& needs, const ModelConfig& c, const format::GgufFile& file, uint32_t il) {
    using Kind = TensorNeed::Kind;
    const ExpertConfig& e = c.experts;
    const auto key = [&](const char* name) { return blk(il, name); };
    for (const char* name : {"ffn_gate_exps", "ffn_up_exps", "ffn_gate_up_exps", "ffn_down_exps"}) {
        const format::TensorInfo* weight = file.find_tensor(key(name) + ".weight");
        // Factors that belong to a type (NVFP4) come with the weights; others are part of an architecture.
        const bool is_of_type = weight != nullptr && format::traits(weight->type).has_outer_factor;
        if (!is_of_type && file.find_tensor(key(name) + ".scale") != nullptr)
            refuse(file, std::format("tensor {}.scale scales experts, which is not supported yet.", key(name)), "");
    }

    // The gate of the shared expert is one more row of the router.
    TensorNeed router{key("ffn_gate_inp.weight"), Kind::matrix, {{key("ffn_gate_inp.weight"), e.n}}, c.n_embd};
    TensorNeed router_bias{key("ffn_gate_inp.bias"), Kind::vector, {{key("ffn_gate_inp.bias"), e.n}}, 0};
    const std::string shared_gate = key("ffn_gate_inp_shexp.weight");
    if (e.n_ff_shared != 0 && e.shared_is_gated) {
        const format::TensorInfo* all = file.find_tensor(router.key);
        const format::TensorInfo* one = file.find_tensor(shared_gate);
        if (all != nullptr && one != nullptr && all->type == one->type) {
            router.sources.push_back({shared_gate, 1});
            router_bias.sources.push_back({"", 1});
        } else {
            needs.push_back({shared_gate, Kind::matrix, {{shared_gate, 1}}, c.n_embd});
        }
    }
    needs.push_back(std::move(router));
    if (file.find_tensor(router_bias.key) != nullptr) needs.push_back(std::move(router_bias));
    need_optional_vector(needs, file, key("exp_probs_b.bias"), e.n);

    const uint32_t joined = n_joined(file, e, il, c.n_embd);
    const auto set_parts = [&](TensorNeed& need, uint32_t part_rows) {
        if (part_rows % kernels::kStripRows != 0) return;
        need.n_parts = e.n + joined;
        need.part_rows = part_rows;
        need.n_fixed_parts = joined;
    };
    if (file.find_tensor(key("ffn_gate_up_exps.weight")) != nullptr) {
        TensorNeed fused{
            key("gate_up_exps.fused"), Kind::matrix, {{key("ffn_gate_up_exps.weight"), 2 * e.n * e.n_ff}}, c.n_embd};
        set_parts(fused, 2 * e.n_ff);
        needs.push_back(std::move(fused));
        if (file.find_tensor(key("ffn_gate_up_exps.bias")) != nullptr)
            refuse(file, std::format("tensor {} is not supported yet.", key("ffn_gate_up_exps.bias")), "");
    } else {
        TensorNeed need{key("gate_up_exps"), Kind::matrix, {}, c.n_embd};
        add_sources(need.sources, file, il, "ffn_gate", e.n, e.n_ff);
        if (joined != 0) need.sources.push_back({key("ffn_gate_shexp.weight"), e.n_ff_shared});
        add_sources(need.sources, file, il, "ffn_up", e.n, e.n_ff);
        if (joined != 0) need.sources.push_back({key("ffn_up_shexp.weight"), e.n_ff_shared});
        // Mixes of types may give the two different ones: each is then a matrix of its own. So it is where both
        // together are too large.
        const auto middle = need.sources.begin() + static_cast<std::ptrdiff_t>(need.sources.size() / 2);
        const std::vector gate(need.sources.begin(), middle), up(middle, need.sources.end());
        const bool are_one = can_stack(file, need.sources) && file_bytes(file, need.sources) <= kLargestStackBytes;
        if (!are_one && can_stack(file, gate) && can_stack(file, up)) {
            for (const auto& [name, sources] : {std::pair{"gate_exps", gate}, {"up_exps", up}}) {
                TensorNeed half{key(name), Kind::matrix, sources, c.n_embd};
                set_parts(half, e.n_ff);
                needs.push_back(std::move(half));
            }
        } else {
            set_parts(need, e.n_ff);
            needs.push_back(std::move(need));
        }
    }
    TensorNeed down{key("down_exps"), Kind::matrix, {}, e.n_ff};
    add_sources(down.sources, file, il, "ffn_down", e.n, c.n_embd);
    for (uint32_t i = 0; i < joined; ++i) {
        TensorNeed::Source columns{key("ffn_down_shexp.weight"), c.n_embd};
        columns.first_col = i * e.n_ff;
        columns.all_cols = e.n_ff_shared;
        down.sources.push_back(std::move(columns));
    }
    set_parts(down, c.n_embd);
    needs.push_back(std::move(down));
    need_optional_vector(needs, file, key("ffn_gate_exps.bias"), e.n * e.n_ff);
    need_optional_vector(needs, file, key("ffn_up_exps.bias"), e.n * e.n_ff);
    need_optional_vector(needs, file, key("ffn_down_exps.bias"), e.n * c.n_embd);

    if (e.n_ff_shared == 0 || joined != 0) return;
    need_matrices(needs, file, key("gate_up_shexp"),
                  {{key("ffn_gate_shexp.weight"), e.n_ff_shared}, {key("ffn_up_shexp.weight"), e.n_ff_shared}},
                  c.n_embd);
    needs.push_back(
        {key("ffn_down_shexp.weight"), Kind::matrix, {{key("ffn_down_shexp.weight"), c.n_embd}}, e.n_ff_shared});
}

namespace {

class ExpertBuilder {
public:
    ExpertBuilder(graph::Graph& graph, const BuildInput& input, uint32_t layer, graph::TensorId counts,
                  const Arrivals& arrivals)
        : g_(graph), c_(input.config), e_(input.config.experts), w_(input.weights),
          products_(graph, input.weights, input.shape, counts), n_tokens_(input.shape.n_tokens), il_(layer),
          counts_(counts), arrivals_(arrivals),
          n_joined_(e_.n_ff_shared == 0 || w_.matrix(key("ffn_down_shexp.weight")) ? 0 : e_.n_ff_shared / e_.n_ff),
          shape_{.n_tokens = n_tokens_,
                 .n_experts = e_.n + n_joined_,
                 .n_used = e_.n_used + n_joined_,
                 .n_embd = c_.n_embd,
                 .n_ff = e_.n_ff,
                 .n_shared = n_joined_,
                 .has_shared_gate = e_.n_ff_shared != 0 && e_.shared_is_gated} {}

    Stream build(const NormedInput& n, graph::TensorId x, uint64_t next_norm) {
        kernels::ExpertRoute route{.shape = shape_,
                                   .gating = e_.gating,
                                   .selection_bias = w_.vector(key("exp_probs_b.bias")),
                                   .load = w_.expert_load == 0 ? 0 : w_.expert_load + uint64_t{4} * il_ * e_.n,
                                   .homes = homes(),
                                   .logits_stride = logits_stride(),
                                   .n_groups = e_.n_groups,
                                   .n_groups_used = e_.n_groups_used,
                                   .normalises = e_.normalises,
                                   .scale = e_.scale};
        const kernels::Weight router_weight = w_.matrix(key("ffn_gate_inp.weight"));
        const bool routes_itself =
            kernels::ExpertRoute::routes_itself(router_weight, shape_) && router_weight.n_rows == logits_stride();
        const graph::TensorId logits = routes_itself ? n.rows : router(n);
        // What a shared expert of its own computes stands beside the steps of routing, in the router's dispatch if that
        // can be, and beside the first product of the others.
        const bool is_apart = e_.n_ff_shared != 0 && n_joined_ == 0;
        kernels::Weight shared_weight = w_.matrix(key("gate_up_shexp")), shared_up;
        if (!shared_weight) {
            shared_weight = w_.matrix(key("ffn_gate_shexp.weight"));
            shared_up = w_.matrix(key("ffn_up_shexp.weight"));
        }
        const bool routes_with_shared =
            is_apart && routes_itself && kernels::ExpertRoute::takes_shared(router_weight, shared_weight, shared_up);
        graph::TensorId shared_hidden = 0;
        if (routes_with_shared) {
            shared_hidden = rows("ffn_hidden_shexp", e_.n_ff_shared);
        } else if (is_apart) {
            shared_hidden = shared_gate_up(n);
        }
        const graph::TensorId choices = g_.activation(key("choices"), shape_.choices_bytes());
        const graph::TensorId tiles = g_.activation(key("tiles"), shape_.tiles_bytes());
        const graph::TensorId slots = g_.activation(key("slots"), shape_.slots_bytes());
        std::vector<graph::TensorId> routed{counts_, logits, choices, tiles, slots};
        if (routes_itself) {
            route.router = router_weight;
            route.router_bias = w_.vector(key("ffn_gate_inp.bias"));
            route.x_is_normed = n.is_folded;
            route.eps = n.eps;
            route.arrival_at = arrivals_.n_attention;
            routed.push_back(arrivals_.tensor);
        }
        if (routes_with_shared) {
            route.shared = shared_weight;
            route.shared_up = shared_up;
            routed.push_back(shared_hidden);
        }
        g_.add(key("ffn_route"), route, std::move(routed));
        graph::TensorId residual = x, shared = x;
        if (is_apart) (e_.shared_is_gated ? shared : residual) = shared_down(shared_hidden, x);

        const graph::TensorId hidden = g_.activation(key("ffn_hidden"), uint64_t{4} * shape_.n_slots() * e_.n_ff);
        g_.add(key("ffn_gate_up_exps"),
               kernels::ExpertHidden{.shape = shape_,
                                     .weight = gate_up(),
                                     .up = up(),
                                     .activation = e_.activation,
                                     .x_is_normed = n.is_folded,
                                     .eps = n.eps},
               {counts_, tiles, slots, n.rows, hidden});
        Stream y{.x = rows("ffn_down_exps", c_.n_embd), .normed = {}};
        std::vector<graph::TensorId> operands{counts_, choices, tiles, slots, hidden, residual, shared, y.x};
        if (next_norm != 0) {
            y.normed = g_.activation(key("ffn_down_exps.normed"), kernels::NormedRows::bytes(n_tokens_, c_.n_embd));
            operands.push_back(*y.normed);
        }
        g_.add(key("ffn_down_exps"), kernels::ExpertOutput{.shape = shape_, .weight = down(), .next_norm = next_norm},
               std::move(operands), std::pair{5u, 7u});
        return y;
    }

private:
    std::string key(std::string_view name) const { return blk(il_, name); }
    graph::TensorId rows(std::string_view name, uint32_t width) {
        return g_.activation(key(name), uint64_t{4} * n_tokens_ * width);
    }
    uint32_t logits_stride() const { return e_.n + shape_.has_shared_gate; }

    graph::TensorId router(const NormedInput& n) {
        const graph::TensorId logits = rows("router_logits", logits_stride());
        const kernels::Weight weight = w_.matrix(key("ffn_gate_inp.weight"));
        kernels::Linear op = products_.linear(weight, weight.n_rows, logits_stride(), n);
        op.bias = w_.vector(key("ffn_gate_inp.bias"));
        op.keeps_f32 = true;
        g_.add(key("ffn_gate_inp"), op, {counts_, n.rows, logits, logits});
        if (weight.n_rows < logits_stride()) {
            kernels::Linear gate = products_.linear(w_.matrix(key("ffn_gate_inp_shexp.weight")), 1, logits_stride(), n);
            gate.y_offset = e_.n;
            gate.keeps_f32 = true;
            g_.add(key("ffn_gate_inp_shexp"), gate, {counts_, n.rows, logits, logits});
        }
        return logits;
    }

    graph::TensorId shared_gate_up(const NormedInput& n) {
        const uint32_t width = e_.n_ff_shared;
        const graph::TensorId hidden = rows("ffn_hidden_shexp", width);
        products_.add_gated({.name = key("ffn_gate_up_shexp"),
                             .swiglu = key("swiglu_shexp"),
                             .whole = key("gate_up_shexp"),
                             .gate = key("ffn_gate_shexp.weight"),
                             .up = key("ffn_up_shexp.weight"),
                             .width = width},
                            n, hidden);
        return hidden;
    }

    /// x + shared(n), or shared(n) alone where a gate is still to come.
    graph::TensorId shared_down(graph::TensorId hidden, graph::TensorId x) {
        const graph::TensorId y = rows("ffn_down_shexp", c_.n_embd);
        kernels::Linear op = products_.linear(w_.matrix(key("ffn_down_shexp.weight")), c_.n_embd, c_.n_embd);
        op.has_residual = !e_.shared_is_gated;
        g_.add(key("ffn_down_shexp"), op, {counts_, hidden, op.has_residual ? x : y, y},
               op.has_residual ? std::optional(std::pair{2u, 3u}) : std::nullopt);
        return y;
    }

    kernels::ExpertWeight gate_up() const {
        const uint32_t strips = e_.n_ff / kernels::kStripRows;
        kernels::ExpertWeight weight{.weight = w_.matrix(key("gate_up_exps")),
                                     .expert_strips = strips,
                                     .up_strips = shape_.n_experts * strips,
                                     .bias = w_.vector(key("ffn_gate_exps.bias")),
                                     .up_bias = w_.vector(key("ffn_up_exps.bias"))};
        if (const kernels::Weight gate = w_.matrix(key("gate_exps"))) {
            weight.weight = gate;
            weight.up_strips = 0;
            weight.up_bias = 0;
        } else if (!weight.weight) { // an expert's up rows behind its gate rows
            weight.weight = w_.matrix(key("gate_up_exps.fused"));
            weight.expert_strips = 2 * strips;
            weight.up_strips = strips;
            set_far(weight, "gate_up_exps.fused");
            return weight;
        }
        set_far(weight, weight.up_strips == 0 ? "gate_exps" : "gate_up_exps");
        if (weight.far != 0 && weight.up_strips != 0) weight.up_strips = weight.n_near * strips;
        return weight;
    }

    /// Of another type than gate, or nothing.
    kernels::ExpertWeight up() const {
        kernels::ExpertWeight weight{.weight = w_.matrix(key("up_exps")),
                                     .expert_strips = e_.n_ff / kernels::kStripRows,
                                     .bias = w_.vector(key("ffn_up_exps.bias"))};
        set_far(weight, "up_exps");
        return weight;
    }

    kernels::ExpertWeight down() const {
        kernels::ExpertWeight weight{.weight = w_.matrix(key("down_exps")),
                                     .expert_strips = c_.n_embd / kernels::kStripRows,
                                     .bias = w_.vector(key("ffn_down_exps.bias"))};
        set_far(weight, "down_exps");
        return weight;
    }

    /// Where experts of the matrix were spilled.
    void set_far(kernels::ExpertWeight& weight, std::string_view name) const {
        const auto found = w_.far.find(key(name));
        if (found == w_.far.end()) return;
        weight.far = found->second.address;
        weight.n_near = found->second.n_near;
    }

    uint64_t homes() const {
        const auto found = w_.expert_homes.find(il_);
        return found == w_.expert_homes.end() ? 0 : found->second;
    }

    graph::Graph& g_;
    const ModelConfig& c_;
    const ExpertConfig& e_;
    const LoadedModel& w_;
    const Products products_;
    const uint32_t n_tokens_;
    const uint32_t il_;
    const graph::TensorId counts_;
    const Arrivals arrivals_;
    const uint32_t n_joined_; ///< experts behind the routed ones that are together the shared one
    const kernels::ExpertShape shape_;
};

} // namespace

Stream build_experts(graph::Graph& graph, const BuildInput& input, uint32_t layer, graph::TensorId counts,
                     const Arrivals& arrivals, const NormedInput& n, graph::TensorId x, uint64_t next_norm) {
    return ExpertBuilder(graph, input, layer, counts, arrivals).build(n, x, next_norm);
}

} // namespace vkinfer::models
