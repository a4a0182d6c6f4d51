#include "models/decoder.h"

#include "format/gguf_file.h"
#include "models/experts.h"
#include "models/products.h"
#include "models/stream.h"
#include "models/tensor_needs.h"

#include <array>
#include <format>

namespace vkinfer::models {

std::vector<TensorNeed> decoder_tensors(const ModelConfig& c, const format::GgufFile& file) {
    using Kind = TensorNeed::Kind;
    std::vector<TensorNeed> needs;
    needs.push_back({"token_embd.weight", Kind::matrix, {{"token_embd.weight", c.n_vocab}}, c.n_embd});
    needs.push_back({"output_norm.weight", Kind::vector, {{"output_norm.weight", c.n_embd}}, 0});
    if (file.find_tensor("output.weight") != nullptr) { // else the head is tied to the embedding
        needs.push_back({"output.weight", Kind::matrix, {{"output.weight", c.n_vocab}}, c.n_embd});
    }
    need_optional_vector(needs, file, "output.bias", c.n_vocab);
    if (file.find_tensor("rope_freqs.weight") != nullptr) {
        needs.push_back({"rope_freqs.weight", Kind::host_vector, {{"rope_freqs.weight", c.rope.n_rot / 2}}, 0});
    }
    for (uint32_t il = 0; il < c.n_layers; ++il) {
        needs.push_back({blk(il, "attn_norm.weight"), Kind::vector, {{blk(il, "attn_norm.weight"), c.n_embd}}, 0});
        // Some families call the norm before the feed-forward part after what stands before it.
        const bool is_post = file.find_tensor(blk(il, "ffn_norm.weight")) == nullptr;
        needs.push_back({blk(il, "ffn_norm.weight"),
                         Kind::vector,
                         {{blk(il, is_post ? "post_attention_norm.weight" : "ffn_norm.weight"), c.n_embd}},
                         0});
        need_optional_vector(needs, file, blk(il, "attn_sinks.weight"), c.n_heads);
        need_optional_vector(needs, file, blk(il, "attn_q_norm.weight"), c.head_size);
        need_optional_vector(needs, file, blk(il, "attn_k_norm.weight"), c.head_size);

        if (file.find_tensor(blk(il, "attn_qkv.weight")) != nullptr) { // fused in the file
            needs.push_back({blk(il, "qkv"), Kind::matrix, {{blk(il, "attn_qkv.weight"), c.qkv_width()}}, c.n_embd});
            need_optional_vector(needs, file, blk(il, "attn_qkv.bias"), c.qkv_width());
        } else {
            need_matrices(needs, file, blk(il, "qkv"),
                          {{blk(il, "attn_q.weight"), c.q_width()},
                           {blk(il, "attn_k.weight"), c.k_width()},
                           {blk(il, "attn_v.weight"), c.v_width()}},
                          c.n_embd);
            TensorNeed bias{blk(il, "attn_qkv.bias"), Kind::vector, {}, 0};
            bool has_bias = false;
            for (const auto& [name, width] :
                 {std::pair{"attn_q.bias", c.q_width()}, std::pair{"attn_k.bias", c.k_width()},
                  std::pair{"attn_v.bias", c.v_width()}}) {
                const bool here = file.find_tensor(blk(il, name)) != nullptr;
                has_bias = has_bias || here;
                bias.sources.push_back({here ? blk(il, name) : "", width});
            }
            if (has_bias) needs.push_back(std::move(bias));
        }
        needs.push_back({blk(il, "attn_output.weight"),
                         Kind::matrix,
                         {{blk(il, "attn_output.weight"), c.n_embd}},
                         c.attended_width()});
        need_optional_vector(needs, file, blk(il, "attn_output.bias"), c.n_embd);
        if (c.is_routed(il)) {
            expert_tensors(needs, c, file, il);
            continue;
        }
        need_matrices(needs, file, blk(il, "gate_up"),
                      {{blk(il, "ffn_gate.weight"), c.n_ff}, {blk(il, "ffn_up.weight"), c.n_ff}}, c.n_embd);
        needs.push_back({blk(il, "ffn_down.weight"), Kind::matrix, {{blk(il, "ffn_down.weight"), c.n_embd}}, c.n_ff});
        for (const auto& [name, width] : {std::pair{"ffn_gate.bias", c.n_ff}, std::pair{"ffn_up.bias", c.n_ff},
                                          std::pair{"ffn_down.bias", c.n_embd}}) {
            need_optional_vector(needs, file, blk(il, name), width);
        }
    }
    return needs;
}

namespace {

/// Builds the graph of a step, top to bottom in the order of the model. All activations are f32, one row a token.
class DecoderBuilder {
public:
    explicit DecoderBuilder(const BuildInput& input)
        : c_(input.config), w_(input.weights), kv_(input.kv), shape_(input.shape) {}

    graph::Graph build() {
        counts_ = g_.external(std::string(kExternalCounts), 64);
        tokens_ = g_.external(std::string(kExternalTokens), uint64_t{16} * shape_.n_tokens);
        tiles_ = g_.external(std::string(kExternalTiles), uint64_t{32} * shape_.n_tiles);
        pages_ = g_.external(std::string(kExternalPages), uint64_t{4} * kv_.max_pages);

        Stream x = embed();
        arrivals_.n_attention = kernels::Attention{.shape = {.n_kv_heads = c_.n_kv_heads},
                                                   .n_tiles = shape_.n_tiles,
                                                   .n_splits = shape_.n_splits}
                                    .n_arrivals();
        arrivals_.n = arrivals_.n_attention + (c_.experts.n > 0 ? 1 : 0);
        if (arrivals_.n > 0) arrivals_.tensor = g_.activation("arrivals", uint64_t{4} * arrivals_.n);
        rope_table_ = g_.activation("rope", uint64_t{8} * shape_.n_tokens * (c_.rope.n_rot / 2));
        g_.add("rope_table",
               kernels::RopeTable{.frequencies = w_.rope_frequencies,
                                  .n_tokens = shape_.n_tokens,
                                  .n_pairs = c_.rope.n_rot / 2,
                                  .magnitude = w_.rope_magnitude,
                                  .n_arrivals = arrivals_.n},
               with_arrivals({counts_, tokens_, rope_table_}, arrivals_.n));
        for (uint32_t il = 0; il < c_.n_layers; ++il) {
            x = attention_block(il, x);
            x = feed_forward_block(il, x);
        }
        if (shape_.n_outputs > 0) head(x);
        return std::move(g_);
    }

private:
    graph::TensorId activation(const std::string& name, uint32_t width) {
        return g_.activation(name, uint64_t{4} * shape_.n_tokens * width);
    }

    /// Operands with the counters behind them, for an op that uses some.
    std::vector<graph::TensorId> with_arrivals(std::vector<graph::TensorId> operands, uint32_t n_used) const {
        if (n_used > 0) operands.push_back(arrivals_.tensor);
        return operands;
    }

    /// Address of a norm's weights for the op before it, or 0 where the norm is an op of its own.
    uint64_t folded_norm(const std::string& key) const { return shape_.folds_norms ? w_.vector(key) : 0; }

    /// A new residual stream, followed by a norm with these weights, for an op whose operands it completes.
    Stream stream(const std::string& name, uint64_t next_norm, std::vector<graph::TensorId>& operands) {
        Stream made{.x = activation(name, c_.n_embd), .normed = {}};
        operands.push_back(made.x);
        if (next_norm != 0) {
            made.normed = g_.activation(name + ".normed", kernels::NormedRows::bytes(shape_.n_tokens, c_.n_embd));
            operands.push_back(*made.normed);
        }
        return made;
    }

    Stream embed() {
        const uint64_t next_norm = folded_norm(blk(0, "attn_norm.weight"));
        std::vector<graph::TensorId> operands{counts_, tokens_};
        const Stream x = stream("embd", next_norm, operands);
        g_.add("embed", kernels::Embed{w_.matrix("token_embd.weight"), shape_.n_tokens, c_.n_embd, next_norm},
               std::move(operands));
        return x;
    }

    NormedInput norm(const std::string& key, const Stream& stream) {
        if (stream.normed) return {.rows = *stream.normed, .is_folded = true, .eps = c_.norm_eps};
        const graph::TensorId y = activation(key, c_.n_embd);
        g_.add(key,
               kernels::RmsNorm{.weight = w_.vector(key),
                                .n_rows = shape_.n_tokens,
                                .n_cols = c_.n_embd,
                                .x_stride = c_.n_embd,
                                .y_stride = c_.n_embd,
                                .eps = c_.norm_eps},
               {counts_, stream.x, y});
        return {.rows = y};
    }

    Products products() { return {g_, w_, shape_, counts_}; }

    /// x + W n (+ bias), before the norm `next`.
    Stream add_linear(const std::string& key, const std::string& bias, graph::TensorId n, graph::TensorId x,
                      const std::string& next) {
        const kernels::Weight weight = w_.matrix(key);
        kernels::Linear op = products().linear(weight, c_.n_embd, c_.n_embd);
        op.bias = w_.vector(bias);
        op.has_residual = true;
        op.next_norm = folded_norm(next);
        std::vector<graph::TensorId> operands{counts_, n, x};
        const Stream y = stream(key, op.next_norm, operands);
        g_.add(key, op, std::move(operands), std::pair{2u, 3u});
        return y;
    }

    std::string norm_after(uint32_t il) const {
        return il + 1 < c_.n_layers ? blk(il + 1, "attn_norm.weight") : std::string("output_norm.weight");
    }

    Stream attention_block(uint32_t il, const Stream& x) {
        const NormedInput n = norm(blk(il, "attn_norm.weight"), x);

        const uint32_t width = c_.qkv_width();
        const graph::TensorId qkv = activation(blk(il, "qkv"), width);
        const std::array parts{blk(il, "attn_q.weight"), blk(il, "attn_k.weight"), blk(il, "attn_v.weight")};
        products().add_stack({.name = blk(il, "attn_qkv"),
                              .whole = blk(il, "qkv"),
                              .parts = parts,
                              .width = width,
                              .bias = w_.vector(blk(il, "attn_qkv.bias"))},
                             n, qkv);

        const kernels::AttentionShape shape{.n_heads = c_.n_heads,
                                            .n_kv_heads = c_.n_kv_heads,
                                            .head_size = c_.head_size,
                                            .value_size = c_.value_size,
                                            .type_k = kv_.type_k,
                                            .type_v = kv_.type_v,
                                            .page_tokens = kv_.page_tokens,
                                            .max_pages = kv_.max_pages,
                                            .k_pool = kv_.layers[il].k_pool,
                                            .v_pool = kv_.layers[il].v_pool};
        const graph::TensorId kv = g_.external(kv_external(il), kv_.layer_bytes);
        const kernels::RopeStore rope{.shape = shape,
                                      .n_tokens = shape_.n_tokens,
                                      .stride = width,
                                      .n_rot = c_.rope.n_rot,
                                      .kind = c_.rope.kind,
                                      .q_norm = w_.vector(blk(il, "attn_q_norm.weight")),
                                      .k_norm = w_.vector(blk(il, "attn_k_norm.weight")),
                                      .eps = c_.norm_eps};
        const kernels::Attention attention{.shape = shape,
                                           .n_tokens = shape_.n_tokens,
                                           .n_tiles = shape_.n_tiles,
                                           .rows_per_tile = shape_.rows_per_tile,
                                           .n_splits = shape_.n_splits,
                                           .q_stride = width,
                                           .y_stride = c_.attended_width(),
                                           .scale = c_.attention_scale,
                                           .window = c_.window(il),
                                           .sinks = w_.vector(blk(il, "attn_sinks.weight"))};
        const graph::TensorId attended = activation(blk(il, "attention"), c_.attended_width());
        if (shape_.is_decode) {
            g_.add(blk(il, "attention"), kernels::AttentionDecode{rope, attention},
                   with_arrivals({counts_, tiles_, pages_, rope_table_, qkv, attended, kv}, attention.n_arrivals()));
        } else {
            g_.add(blk(il, "rope_store"), rope, {counts_, tokens_, pages_, rope_table_, qkv, kv});
            g_.add(blk(il, "attention"), attention,
                   with_arrivals({counts_, tiles_, pages_, qkv, attended, kv}, attention.n_arrivals()));
        }
        return add_linear(blk(il, "attn_output.weight"), blk(il, "attn_output.bias"), attended, x.x,
                          blk(il, "ffn_norm.weight"));
    }

    Stream feed_forward_block(uint32_t il, const Stream& x) {
        const NormedInput n = norm(blk(il, "ffn_norm.weight"), x);
        if (c_.is_routed(il)) {
            return build_experts(g_, {.config = c_, .weights = w_, .kv = kv_, .shape = shape_}, il, counts_, arrivals_,
                                 n, x.x, folded_norm(norm_after(il)));
        }
        const graph::TensorId hidden = activation(blk(il, "ffn_hidden"), c_.n_ff);
        products().add_gated({.name = blk(il, "ffn_gate_up"),
                              .swiglu = blk(il, "swiglu"),
                              .whole = blk(il, "gate_up"),
                              .gate = blk(il, "ffn_gate.weight"),
                              .up = blk(il, "ffn_up.weight"),
                              .width = c_.n_ff,
                              .gate_bias = w_.vector(blk(il, "ffn_gate.bias")),
                              .up_bias = w_.vector(blk(il, "ffn_up.bias"))},
                             n, hidden);
        return add_linear(blk(il, "ffn_down.weight"), blk(il, "ffn_down.bias"), hidden, x.x, norm_after(il));
    }

    void head(const Stream& x) {
        const uint32_t n = shape_.n_outputs;
        const graph::TensorId outputs = g_.external(std::string(kExternalOutputs), uint64_t{4} * n);
        const graph::TensorId logits = g_.external(std::string(kExternalLogits), uint64_t{4} * n * c_.n_vocab);
        kernels::Weight weight = w_.matrix("output.weight");
        if (!weight) weight = w_.matrix("token_embd.weight");
        kernels::Linear op = products().linear(weight, c_.n_vocab, c_.n_vocab);
        op.n_columns = n;
        op.columns = kernels::RowCount::outputs;
        op.bias = w_.vector("output.bias");
        if (x.normed) {
            op.x_is_normed = op.gathers = true;
            op.eps = c_.norm_eps;
            op.x_rows = shape_.n_tokens;
            g_.add("output", op, {counts_, *x.normed, logits, logits, outputs});
            return;
        }
        const graph::TensorId rows = g_.activation("output_rows", uint64_t{4} * n * c_.n_embd);
        g_.add("gather_outputs", kernels::GatherRows{n, c_.n_embd, c_.n_embd, c_.n_embd},
               {counts_, outputs, x.x, rows});
        const graph::TensorId normed = g_.activation("output_norm", uint64_t{4} * n * c_.n_embd);
        g_.add("output_norm",
               kernels::RmsNorm{.weight = w_.vector("output_norm.weight"),
                                .n_rows = n,
                                .n_cols = c_.n_embd,
                                .x_stride = c_.n_embd,
                                .y_stride = c_.n_embd,
                                .eps = c_.norm_eps,
                                .rows = kernels::RowCount::outputs},
               {counts_, rows, normed});
        g_.add("output", op, {counts_, normed, logits, logits});
    }

    const ModelConfig& c_;
    const LoadedModel& w_;
    const KvConfig& kv_;
    const StepShape shape_;
    graph::Graph g_;
    graph::TensorId counts_ = 0, tokens_ = 0, tiles_ = 0, pages_ = 0, rope_table_ = 0;
    Arrivals arrivals_;
};

} // namespace

graph::Graph build_decoder(const BuildInput& input) {
    return DecoderBuilder(input).build();
}

} // namespace vkinfer::models
