// Norm per head, rotation, paged store and attention against float64: head sizes, K/V type pairs, page borders, tiles
// of any height, splits, several sequences in one step. Limits: f16 K/V round to 2^-11 (NMSE some 1e-7), q8_0 to 1/254
// of a block's peak (1e-5 on attention outputs), q4_0 to 1/16 (5e-3). The reference attends to unrounded K and V.
#include "ops/harness.h"
#include "support/support.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <functional>

using namespace vkinfer;
using namespace vkinfer::test;
using format::TensorType;

namespace {

struct Geometry {
    uint32_t n_heads, n_kv_heads, head_size, n_rot;
    kernels::RopeKind rope;
    bool qk_norm;
    uint32_t window = 0; ///< 0: none
    bool sinks = false;
    uint32_t value_size = 0; ///< 0: as head_size
    bool latent = false;     ///< V is the front of K
    uint32_t rot_first = 0;

    uint32_t v_size() const { return value_size == 0 ? head_size : value_size; }
    uint32_t v_heads() const { return latent ? 0 : n_kv_heads; } ///< in qkv
    uint32_t width() const { return (n_heads + n_kv_heads) * head_size + v_heads() * v_size(); }
};

/// A step: chunks of several sequences with what their caches hold already.
struct Chunk {
    uint32_t sequence, first_position, n_tokens;
};

double limit_of(TensorType type) {
    switch (type) {
    case TensorType::f32:
        return 1e-10;
    case TensorType::f16:
        return 1e-6;
    case TensorType::bf16:
        return 5e-5;
    case TensorType::q8_0:
        return 2e-4;
    case TensorType::q5_0:
    case TensorType::q5_1:
        return 8e-3;
    default:
        return 3e-2;
    }
}

constexpr float kEps = 1e-6f;
constexpr uint32_t kPageTokens = 64;
constexpr uint32_t kPrefillRows = 0; ///< as many rows a tile as the policy gives a prefill

/// Store and attention one after the other, that once more with results in f16, or both in one dispatch (chunks of one
/// token only).
enum class Kernel : uint8_t { two_steps, two_steps_and_halves, decode };

/// Rotated and normalised heads in float64.
struct Reference {
    std::vector<double> q, k, v; ///< (tokens, heads, size of a head)
};

Reference reference_heads(const Geometry& g, const std::vector<float>& qkv, const std::vector<uint32_t>& positions,
                          const std::vector<float>& q_norm, const std::vector<float>& k_norm) {
    Reference r;
    const uint32_t heads = g.n_heads + g.n_kv_heads + g.v_heads();
    for (size_t t = 0; t < positions.size(); ++t) {
        const float* from = &qkv[t * g.width()];
        for (uint32_t h = 0; h < heads; ++h) {
            const bool is_q = h < g.n_heads, is_v = h >= g.n_heads + g.n_kv_heads;
            std::vector<double> x(from, from + (is_v ? g.v_size() : g.head_size));
            from += x.size();
            if (g.qk_norm && !is_v) {
                double sum = 0;
                for (const double e : x) sum += e * e;
                const double scale = 1.0 / std::sqrt(sum / g.head_size + kEps);
                for (uint32_t d = 0; d < g.head_size; ++d) x[d] *= scale * (is_q ? q_norm : k_norm)[d];
            }
            if (g.rope != kernels::RopeKind::none && !is_v) {
                for (uint32_t i = 0; i < g.n_rot / 2; ++i) {
                    const double angle = positions[t] * std::pow(10000.0, -2.0 * i / g.n_rot);
                    const bool is_neox = g.rope == kernels::RopeKind::neox;
                    const uint32_t a = g.rot_first + (is_neox ? i : 2 * i);
                    const uint32_t b = g.rot_first + (is_neox ? i + g.n_rot / 2 : 2 * i + 1);
                    const double xa = x[a], xb = x[b];
                    x[a] = xa * std::cos(angle) - xb * std::sin(angle);
                    x[b] = xa * std::sin(angle) + xb * std::cos(angle);
                }
            }
            auto& to = is_q ? r.q : is_v ? r.v : r.k;
            to.insert(to.end(), x.begin(), x.end());
            if (g.latent && !is_q) r.v.insert(r.v.end(), x.begin(), x.begin() + g.v_size());
        }
    }
    return r;
}

using Plant = std::function<void(kernels::Policy&)>;

/// Runs the chunks' tokens through rope_table, rope_store and attention in two steps: first everything before the
/// chunks' positions (to fill the caches), then the chunks. Returns the NMSE of the second step.
double run(const Geometry& g, TensorType type_k, TensorType type_v, const std::vector<Chunk>& chunks,
           uint32_t rows_per_tile, uint32_t n_splits, Kernel kernel = Kernel::two_steps, const Plant& plant = {}) {
    OpHarness& h = harness();
    const uint32_t width = g.width();
    const uint32_t group = g.n_heads / g.n_kv_heads;
    uint32_t n_sequences = 0, longest = 0;
    for (const Chunk& c : chunks) {
        n_sequences = std::max(n_sequences, c.sequence + 1);
        longest = std::max(longest, c.first_position + c.n_tokens);
    }
    const uint32_t max_pages = (longest + kPageTokens - 1) / kPageTokens + 1;
    // Pages of the sequences are dealt out in turns and backwards, so that neither order nor neighbours can be assumed.
    const uint32_t n_pages = n_sequences * max_pages;
    std::vector<uint32_t> table(n_pages);
    for (uint32_t s = 0; s < n_sequences; ++s)
        for (uint32_t p = 0; p < max_pages; ++p) table[s * max_pages + p] = n_pages - 1 - (p * n_sequences + s);
    const gpu::Buffer pages = h.buffer(table);
    const gpu::Buffer k_pool =
        h.buffer(n_pages * kernels::kv_page_bytes(type_k, g.n_kv_heads, kPageTokens, g.head_size));
    const gpu::Buffer v_pool =
        h.buffer(n_pages * kernels::kv_page_bytes(type_v, g.n_kv_heads, kPageTokens, g.v_size()));
    std::vector<uint64_t> frequencies;
    for (uint32_t i = 0; i < g.n_rot / 2; ++i)
        frequencies.push_back(static_cast<uint64_t>(std::pow(10000.0, -2.0 * i / g.n_rot) / (2 * M_PI) * 0x1p64));
    const gpu::Buffer frequency_buffer = h.buffer(frequencies);
    const std::vector<float> q_norm = random_floats(g.head_size, 7), k_norm = random_floats(g.head_size, 8);
    const gpu::Buffer q_norm_buffer = h.buffer(q_norm), k_norm_buffer = h.buffer(k_norm);
    const std::vector<float> sinks = random_floats(g.n_heads, 9, 2.0f);
    const gpu::Buffer sink_buffer = h.buffer(sinks);
    const kernels::AttentionShape shape{.n_heads = g.n_heads,
                                        .n_kv_heads = g.n_kv_heads,
                                        .head_size = g.head_size,
                                        .value_size = g.value_size,
                                        .is_latent = g.latent,
                                        .type_k = type_k,
                                        .type_v = type_v,
                                        .page_tokens = kPageTokens,
                                        .max_pages = max_pages,
                                        .k_pool = k_pool.address(),
                                        .v_pool = g.latent ? k_pool.address() : v_pool.address()};
    const float scale = 1.0f / std::sqrt(static_cast<float>(g.head_size));
    kernels::Policy policy = h.policy();
    if (plant) plant(policy);
    if (rows_per_tile == kPrefillRows) rows_per_tile = kernels::attention_rows(shape, 1u << 16, policy);

    // Per sequence all K and V so far, in float64.
    std::vector<std::vector<double>> all_k(n_sequences), all_v(n_sequences);
    double result = -1;
    for (int pass = 0; pass < 2; ++pass) {
        std::vector<uint32_t> tokens, positions, tiles, sequences;
        uint32_t n_tiles = 0;
        for (const Chunk& c : chunks) {
            const uint32_t n = pass == 0 ? c.first_position : c.n_tokens;
            const uint32_t first = pass == 0 ? 0 : c.first_position;
            for (uint32_t row = 0; row < n * group; row += rows_per_tile, ++n_tiles) {
                for (const uint32_t word :
                     {c.sequence, static_cast<uint32_t>(positions.size()), n, first, row, 0u, 0u, 0u})
                    tiles.push_back(word);
            }
            for (uint32_t i = 0; i < n; ++i) {
                for (const uint32_t word : {0u, first + i, c.sequence, 0u}) tokens.push_back(word);
                positions.push_back(first + i);
                sequences.push_back(c.sequence);
            }
        }
        const auto n_tokens = static_cast<uint32_t>(positions.size());
        if (n_tokens == 0) continue;
        const std::vector<float> qkv = random_floats(uint64_t{n_tokens} * width, 20 + static_cast<uint32_t>(pass));
        const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n_tokens, 0, n_tiles, 0});
        const gpu::Buffer token_buffer = h.buffer(tokens), tile_buffer = h.buffer(tiles);
        const gpu::Buffer qkv_buffer = h.buffer(qkv);
        const gpu::Buffer rope = h.buffer(uint64_t{8} * n_tokens * (g.n_rot / 2));
        const gpu::Buffer y = h.buffer(uint64_t{4} * n_tokens * shape.y_width());
        const kernels::RopeStore store{.shape = shape,
                                       .n_tokens = n_tokens,
                                       .stride = width,
                                       .n_rot = g.n_rot,
                                       .rot_first = g.rot_first,
                                       .kind = g.rope,
                                       .q_norm = g.qk_norm ? q_norm_buffer.address() : 0,
                                       .k_norm = g.qk_norm ? k_norm_buffer.address() : 0,
                                       .eps = kEps};
        kernels::Attention attention{.shape = shape,
                                     .n_tokens = n_tokens,
                                     .n_tiles = n_tiles + 1, // one more than there are: it must do nothing
                                     .rows_per_tile = rows_per_tile,
                                     .n_splits = n_splits,
                                     .q_stride = width,
                                     .y_stride = shape.y_width(),
                                     .scale = scale,
                                     .window = g.window,
                                     .sinks = g.sinks ? sink_buffer.address() : 0};
        const gpu::Buffer arrivals = h.buffer(std::vector<uint32_t>(attention.n_arrivals() + 1, 77));
        const auto with_arrivals = [&](std::vector<const gpu::Buffer*> operands) {
            if (n_splits > 1) operands.push_back(&arrivals);
            return operands;
        };
        h.run(kernels::RopeTable{frequency_buffer.address(), n_tokens, g.n_rot / 2, 1.0f, attention.n_arrivals()},
              with_arrivals({&counts, &token_buffer, &rope}), policy);
        if (pass == 1 && kernel == Kernel::decode) {
            h.run(kernels::AttentionDecode{store, attention},
                  with_arrivals({&counts, &tile_buffer, &pages, &rope, &qkv_buffer, &y, nullptr}), policy);
        } else {
            h.run(store, {&counts, &token_buffer, &pages, &rope, &qkv_buffer, nullptr}, policy);
            h.run(attention, with_arrivals({&counts, &tile_buffer, &pages, &qkv_buffer, &y, nullptr}), policy);
        }

        // Zero for the next layer's attention, and nothing beyond.
        auto left = h.read<uint32_t>(arrivals, attention.n_arrivals() + 1);
        CHECK(left.back() == 77);
        left.pop_back();
        CHECK(std::ranges::count(left, 0u) == std::ssize(left));

        const Reference r = reference_heads(g, qkv, positions, q_norm, k_norm);
        const uint32_t k_width = g.n_kv_heads * g.head_size, v_width = g.n_kv_heads * g.v_size();
        for (uint32_t t = 0; t < n_tokens; ++t) {
            auto& k = all_k[sequences[t]];
            auto& v = all_v[sequences[t]];
            k.insert(k.end(), r.k.begin() + t * k_width, r.k.begin() + (t + 1) * k_width);
            v.insert(v.end(), r.v.begin() + t * v_width, r.v.begin() + (t + 1) * v_width);
        }
        if (pass == 0) continue;
        std::vector<double> expected;
        for (uint32_t t = 0; t < n_tokens; ++t) {
            for (uint32_t head = 0; head < g.n_heads; ++head) {
                const double* q = &r.q[(uint64_t{t} * g.n_heads + head) * g.head_size];
                std::vector<double> p(positions[t] + 1);
                double largest = g.sinks ? sinks[head] : -1e300;
                const uint32_t first = g.window == 0 || positions[t] < g.window ? 0 : positions[t] - g.window + 1;
                for (uint32_t j = first; j < p.size(); ++j) {
                    const double* k = &all_k[sequences[t]][(uint64_t{j} * g.n_kv_heads + head / group) * g.head_size];
                    p[j] = 0;
                    for (uint32_t d = 0; d < g.head_size; ++d) p[j] += q[d] * k[d] * scale;
                    largest = std::max(largest, p[j]);
                }
                double total = g.sinks ? std::exp(sinks[head] - largest) : 0;
                for (uint32_t j = first; j < p.size(); ++j) total += p[j] = std::exp(p[j] - largest);
                for (uint32_t d = 0; d < g.v_size(); ++d) {
                    double sum = 0;
                    for (uint32_t j = first; j < p.size(); ++j)
                        sum += p[j] / total *
                               all_v[sequences[t]][(uint64_t{j} * g.n_kv_heads + head / group) * g.v_size() + d];
                    expected.push_back(sum);
                }
            }
        }
        const auto got = h.read<float>(y, expected.size());
        result = nmse(got, expected);
        if (kernel != Kernel::two_steps_and_halves) continue;
        attention.y_is_half = true;
        h.run(attention, with_arrivals({&counts, &tile_buffer, &pages, &qkv_buffer, &y, nullptr}), policy);
        CHECK(h.read<uint16_t>(y, got.size()) == rounded_to_halves(got));
    }
    return result;
}

} // namespace

TEST_CASE("attention over head sizes, groups, rotations and norms") {
    using enum kernels::RopeKind;
    for (const Geometry& g : {Geometry{1, 1, 64, 64, neox, false}, Geometry{6, 2, 64, 64, norm, false},
                              Geometry{4, 1, 128, 128, neox, true}, Geometry{3, 3, 80, 80, neox, false},
                              Geometry{4, 2, 96, 48, norm, true}, Geometry{2, 1, 112, 112, none, false},
                              Geometry{4, 4, 192, 64, neox, false}, Geometry{2, 1, 256, 256, norm, true}}) {
        INFO("heads ", g.n_heads, "/", g.n_kv_heads, " of ", g.head_size);
        CHECK(run(g, TensorType::f32, TensorType::f32, {{0, 0, 5}}, 4, 1) < limit_of(TensorType::f32));
        CHECK(run(g, TensorType::f16, TensorType::f16, {{0, 70, 3}}, 2, 1) < limit_of(TensorType::f16));
    }
}

TEST_CASE("an f16 cache holds K and V rounded to nearest") {
    OpHarness& h = harness();
    const uint32_t head_size = 64;
    const uint64_t page_bytes = kernels::kv_page_bytes(TensorType::f16, 1, kPageTokens, head_size);
    const gpu::Buffer k_pool = h.buffer(page_bytes), v_pool = h.buffer(page_bytes);
    const kernels::AttentionShape shape{.n_heads = 1,
                                        .n_kv_heads = 1,
                                        .head_size = head_size,
                                        .page_tokens = kPageTokens,
                                        .max_pages = 1,
                                        .k_pool = k_pool.address(),
                                        .v_pool = v_pool.address()};
    const std::vector<float> qkv = random_floats(3 * head_size, 1);
    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{1, 0, 0, 0});
    const gpu::Buffer tokens = h.buffer(std::vector<uint32_t>{0, 0, 0, 0}), pages = h.buffer(std::vector<uint32_t>{0});
    const gpu::Buffer table = h.buffer(uint64_t{8} * head_size), qkv_buffer = h.buffer(qkv);
    h.run(
        kernels::RopeStore{
            .shape = shape, .n_tokens = 1, .stride = 3 * head_size, .n_rot = 0, .kind = kernels::RopeKind::none},
        {&counts, &tokens, &pages, &table, &qkv_buffer, nullptr}, h.policy());
    const auto expected = rounded_to_halves(qkv);
    const auto k = h.read<uint16_t>(k_pool, page_bytes / 2), v = h.read<uint16_t>(v_pool, page_bytes / 2);
    for (uint32_t d = 0; d < head_size; ++d) { // the layout of include/kv.glsl: K by 16 bytes, V by 4 tokens
        CHECK(k[d / 8 * kPageTokens * 8 + d % 8] == expected[head_size + d]);
        CHECK(v[d / 2 * 8 + d % 2] == expected[2 * head_size + d]);
    }
}

TEST_CASE("attention with every pair of K and V types") {
    const Geometry g{6, 2, 64, 64, kernels::RopeKind::neox, false};
    using enum TensorType;
    constexpr std::array kTypes{f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl};
    for (const auto k : kTypes) {
        for (const auto v : kTypes) {
            INFO(format::to_string(k), " ", format::to_string(v));
            CHECK(run(g, k, v, {{0, 130, 2}}, 3, 1) < std::max(limit_of(k), limit_of(v)));
        }
    }
}

TEST_CASE("attention at page borders, with tiles of any height and any number of splits") {
    const Geometry g{4, 2, 64, 64, kernels::RopeKind::neox, false};
    for (const uint32_t before : {0u, 1u, 62u, 63u, 64u, 65u, 127u, 128u, 200u}) {
        for (const uint32_t rows : {1u, 3u, 8u, 16u}) {
            for (const uint32_t splits : {1u, 2u, 5u, 8u}) {
                INFO("before ", before, " rows ", rows, " splits ", splits);
                CHECK(run(g, TensorType::f16, TensorType::f16, {{0, before, 5}}, rows, splits) <
                      limit_of(TensorType::f16));
            }
        }
    }
}

TEST_CASE("sliding windows and sinks, at window and page borders and over splits") {
    for (const uint32_t window : {0u, 1u, 2u, 31u, 32u, 64u, 65u, 128u}) {
        for (const bool sinks : {false, true}) {
            for (const uint32_t splits : {1u, 3u}) {
                INFO("window ", window, " sinks ", sinks, " splits ", splits);
                const Geometry g{4, 2, 64, 64, kernels::RopeKind::neox, false, window, sinks};
                const Kernel kernel = window == 31 ? Kernel::two_steps_and_halves : Kernel::two_steps;
                CHECK(run(g, TensorType::f16, TensorType::f16, {{0, 0, 70}, {1, 126, 9}, {2, 30, 1}}, 8, splits,
                          kernel) < limit_of(TensorType::f16));
            }
        }
    }
}

// What a prefill runs: cooperative matrices where the device's fragment map is known, else the plain kernel.
TEST_CASE("tiles of a prefill: head sizes, types, windows, sinks, splits, page borders") {
    using enum TensorType;
    using enum kernels::RopeKind;
    const auto limit = [](TensorType k, TensorType v) { return std::max({limit_of(k), limit_of(v), 2e-6}); };
    for (const uint32_t head_size : {64u, 80u, 96u, 112u, 128u}) {
        const Geometry g{6, 2, head_size, head_size, neox, false};
        INFO("head size ", head_size);
        CHECK(run(g, f16, f16, {{0, 0, 40}}, kPrefillRows, 1) < limit(f16, f16));
        CHECK(run(g, f16, f16, {{0, 100, 7}}, kPrefillRows, 2) < limit(f16, f16));
    }
    const Geometry small{4, 1, 64, 64, norm, false};
    constexpr std::array kTypes{f16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl};
    for (const auto type : kTypes) {
        INFO(format::to_string(type));
        CHECK(run(small, type, f16, {{0, 70, 5}}, kPrefillRows, 1) < limit(type, f16));
        CHECK(run(small, f16, type, {{0, 70, 5}}, kPrefillRows, 1) < limit(f16, type));
        const Geometry large{2, 1, 128, 128, neox, false};
        CHECK(run(large, type, type, {{0, 37, 9}}, kPrefillRows, 1) < limit(type, type));
        const Geometry odd{2, 2, 96, 96, neox, false};
        CHECK(run(odd, type, type, {{0, 5, 30}}, kPrefillRows, 1) < limit(type, type));
    }
    for (const uint32_t window : {1u, 31u, 33u, 65u}) {
        for (const uint32_t splits : {1u, 3u}) {
            INFO("window ", window, " splits ", splits);
            const Geometry g{4, 2, 64, 64, neox, false, window, true};
            const Kernel kernel = window == 33 ? Kernel::two_steps_and_halves : Kernel::two_steps;
            CHECK(run(g, f16, f16, {{0, 90, 35}}, kPrefillRows, splits, kernel) < limit(f16, f16));
        }
    }
    CHECK(run(small, f16, q8_0, {{0, 90, 1}, {1, 0, 33}, {2, 63, 2}, {3, 31, 17}}, kPrefillRows, 1) < limit(f16, q8_0));
}

// The same where the device's fragment map is not known, or is said not to be.
TEST_CASE("tiles of a prefill on fragments from shared memory: head sizes, types, windows, sinks, splits") {
    using enum TensorType;
    using enum kernels::RopeKind;
    if (!harness().capabilities().cooperative_matrix) return;
    const auto error = [](const Geometry& g, TensorType k, TensorType v, const std::vector<Chunk>& chunks,
                          uint32_t splits) {
        return run(g, k, v, chunks, kPrefillRows, splits, Kernel::two_steps, [](kernels::Policy& policy) {
            policy = harness().policy(kernels::CoopmatMode::on);
            policy.fragments = {};
        });
    };
    const auto limit = [](TensorType k, TensorType v) { return std::max({limit_of(k), limit_of(v), 2e-6}); };
    const Geometry small{6, 2, 64, 64, neox, false};
    for (const auto type : {f16, q8_0, q5_1, q4_0, iq4_nl}) {
        INFO(std::string(format::to_string(type)));
        CHECK(error(small, type, type, {{0, 70, 9}}, 1) < limit(type, type));
    }
    CHECK(error(small, f16, q4_1, {{0, 90, 1}, {1, 0, 33}, {2, 63, 2}, {3, 31, 17}}, 1) < limit(f16, q4_1));
    CHECK(error({3, 3, 80, 80, none, false}, f16, f16, {{0, 100, 7}}, 2) < limit(f16, f16));
    CHECK(error({2, 1, 128, 128, norm, true}, q8_0, f16, {{0, 37, 20}}, 1) < limit(q8_0, f16));
    for (const uint32_t window : {1u, 33u}) {
        for (const uint32_t splits : {1u, 3u}) {
            INFO("window ", window, " splits ", splits);
            CHECK(error({4, 2, 64, 64, neox, false, window, true}, f16, f16, {{0, 90, 35}}, splits) < limit(f16, f16));
        }
    }
    // V of another size (on GPUs it takes K's place in shared memory), and V that is the front of K.
    CHECK(error({2, 1, 192, 64, norm, false, 0, false, 128}, f16, q8_0, {{0, 33, 5}}, 1) < limit(f16, q8_0));
    CHECK(error({4, 1, 96, 32, norm, false, 0, false, 64, true, 64}, q8_0, q8_0, {{0, 70, 5}}, 1) < limit(q8_0, q8_0));
}

namespace {

/// Heads beyond 128, heads with V of another size than K, and MLA's, whose V is the front of K.
constexpr uint32_t kLatentRot = 64;
Geometry large_head(uint32_t head_size, uint32_t value_size = 0, uint32_t window = 0, bool sinks = false) {
    return {4, 2, head_size, 64, kernels::RopeKind::neox, true, window, sinks, value_size};
}
Geometry latent_head(uint32_t value_size, uint32_t window = 0) {
    return {
        6,    1,         value_size + kLatentRot, kLatentRot, kernels::RopeKind::norm, false, window, false, value_size,
        true, value_size};
}

} // namespace

TEST_CASE("large heads, V of another size than K, and V that is the front of K") {
    using enum TensorType;
    constexpr std::array kTypes{f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl};
    const auto limit = [](TensorType k, TensorType v) { return std::max({limit_of(k), limit_of(v), 2e-6}); };
    const std::vector<Chunk> chunks{{0, 70, 5}}, one{{0, 70, 1}, {1, 31, 1}};
    const auto check = [&](const Geometry& g, TensorType type) {
        INFO("heads of ", g.head_size, " and ", g.v_size(), ", ", std::string(format::to_string(type)));
        CHECK(run(g, type, type, chunks, kPrefillRows, 1) < limit(type, type));
        CHECK(run(g, type, type, one, 2, 2, Kernel::decode) < limit(type, type));
    };
    for (const auto type : kTypes) {
        for (const Geometry& g : {large_head(192, 128), latent_head(64)}) check(g, type);
    }
    for (const auto type : {f16, q8_0, q4_0}) {
        for (const Geometry& g :
             {large_head(192), large_head(256), large_head(64, 192), large_head(512), latent_head(512)})
            check(g, type);
    }
    for (const auto type : {q5_1, q4_1, iq4_nl}) // a wave of a team begins within a block of K
        CHECK(run(latent_head(512), type, type, {{0, 70, 20}}, kPrefillRows, 2) < limit(type, type));
    for (const Geometry& g : {large_head(192, 128), large_head(256)}) {
        CHECK(run(g, f16, q4_0, chunks, kPrefillRows, 1) < limit(f16, q4_0));
        CHECK(run(g, q5_1, f16, chunks, kPrefillRows, 1) < limit(q5_1, f16));
        CHECK(run(g, q8_0, bf16, one, 2, 1, Kernel::decode) < limit(q8_0, bf16));
    }
}

TEST_CASE("tiles of a prefill with large heads: windows, sinks, splits, page borders, several sequences") {
    using enum TensorType;
    for (const Geometry& g : {large_head(256), large_head(192, 128, 33, true), large_head(512, 0, 65, true),
                              latent_head(512), latent_head(512, 31)}) {
        INFO("heads of ", g.head_size, " and ", g.v_size(), " window ", g.window);
        for (const uint32_t splits : {1u, 3u}) {
            CHECK(run(g, f16, f16, {{0, 90, 35}}, kPrefillRows, splits) < 2e-6);
            CHECK(run(g, f16, f16, {{0, 63, 2}, {1, 0, 20}, {2, 31, 17}, {3, 128, 1}}, kPrefillRows, splits) < 2e-6);
        }
    }
}

TEST_CASE("a decode in one dispatch: head sizes, types, windows, splits, page borders, several sequences") {
    using enum TensorType;
    using enum kernels::RopeKind;
    for (const Geometry& g : {Geometry{1, 1, 64, 64, neox, false}, Geometry{6, 2, 64, 64, norm, true},
                              Geometry{4, 1, 128, 128, neox, true}, Geometry{3, 3, 80, 80, neox, false},
                              Geometry{4, 2, 96, 48, norm, true}, Geometry{2, 1, 112, 112, none, false},
                              Geometry{2, 1, 256, 256, norm, true}, Geometry{10, 1, 64, 32, neox, false}}) {
        INFO("heads ", g.n_heads, "/", g.n_kv_heads, " of ", g.head_size);
        const uint32_t rows = std::min(8u, g.n_heads / g.n_kv_heads); // a group of ten takes two tiles
        for (const uint32_t splits : {1u, 3u}) {
            CHECK(run(g, f32, f32, {{0, 70, 1}, {1, 0, 1}}, rows, splits, Kernel::decode) < limit_of(f32));
        }
    }
    const Geometry small{6, 2, 64, 64, neox, false};
    for (const auto type : {f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0, iq4_nl}) {
        INFO(format::to_string(type));
        CHECK(run(small, type, f16, {{0, 130, 1}}, 3, 2, Kernel::decode) < std::max(limit_of(type), limit_of(f16)));
        CHECK(run(small, f16, type, {{0, 130, 1}}, 3, 2, Kernel::decode) < std::max(limit_of(type), limit_of(f16)));
    }
    for (const uint32_t before : {0u, 1u, 62u, 63u, 64u, 65u, 127u, 128u, 200u}) {
        for (const uint32_t splits : {1u, 2u, 5u, 16u}) {
            INFO("before ", before, " splits ", splits);
            CHECK(run(small, f16, f16, {{0, before, 1}, {2, 63, 1}, {1, 5, 1}}, 3, splits, Kernel::decode) <
                  limit_of(f16));
        }
    }
    for (const uint32_t window : {1u, 31u, 64u, 65u}) {
        for (const bool sinks : {false, true}) {
            INFO("window ", window, " sinks ", sinks);
            const Geometry g{4, 2, 64, 64, neox, false, window, sinks};
            CHECK(run(g, f16, f16, {{0, 126, 1}, {1, 30, 1}}, 2, 3, Kernel::decode) < limit_of(f16));
        }
    }
}

TEST_CASE("planted faults: V rows in the other chip's order, and its lane map") {
    using enum TensorType;
    const kernels::FragmentMap map = harness().policy().fragments;
    const Geometry g{4, 1, 64, 64, kernels::RopeKind::norm, false};
    const std::vector<Chunk> chunks{{0, 37, 40}};
    CHECK(run(g, f16, f16, chunks, kPrefillRows, 1) < 2e-6);
    if (!map.is_known()) return;
    const auto is_found = [&](const kernels::FragmentMap& planted) {
        OpHarness::take_rig_faults();
        const double error = run(g, f16, f16, chunks, kPrefillRows, 1, Kernel::two_steps,
                                 [&](kernels::Policy& policy) { policy.fragments = planted; });
        // On RDNA3 the copies of an operand differ too, which the rig reports.
        return OpHarness::take_rig_faults() > 0 || error > 1e-2;
    };
    kernels::FragmentMap rows = map; // the operands as they are, rows of scores and values in the other order
    rows.accumulator_rows = other_chips(map).accumulator_rows;
    CHECK(is_found(rows));
    CHECK(is_found(other_chips(map)));
}

TEST_CASE("several sequences in one step do not see each other") {
    const Geometry g{6, 2, 64, 64, kernels::RopeKind::norm, true};
    for (const uint32_t splits : {1u, 3u})
        CHECK(run(g, TensorType::f16, TensorType::q8_0, {{0, 90, 1}, {1, 0, 17}, {2, 63, 2}, {3, 5, 1}}, 5, splits) <
              limit_of(TensorType::q8_0));
}

TEST_CASE("angles stay exact at positions of a million") {
    OpHarness& h = harness();
    const uint32_t n_pairs = 64;
    std::vector<uint64_t> frequencies;
    for (uint32_t i = 0; i < n_pairs; ++i)
        frequencies.push_back(static_cast<uint64_t>(std::pow(10000.0, -2.0 * i / 128) / (2 * M_PI) * 0x1p64));
    const gpu::Buffer f = h.buffer(frequencies);
    const std::vector<uint32_t> positions{0, 1, 4095, 131071, 262143, 1048575};
    std::vector<uint32_t> tokens;
    for (const uint32_t p : positions) tokens.insert(tokens.end(), {0u, p, 0u, 0u});
    const auto n = static_cast<uint32_t>(positions.size());
    const gpu::Buffer counts = h.buffer(std::vector<uint32_t>{n, 0, 0, 0});
    const gpu::Buffer token_buffer = h.buffer(tokens);
    const gpu::Buffer table = h.buffer(uint64_t{8} * n * n_pairs);
    h.run(kernels::RopeTable{f.address(), n, n_pairs, 1.0f}, {&counts, &token_buffer, &table}, h.policy());
    const auto got = h.read<float>(table, 2 * n * n_pairs);
    double worst = 0;
    for (uint32_t t = 0; t < n; ++t) {
        for (uint32_t i = 0; i < n_pairs; ++i) {
            const double angle = positions[t] * std::pow(10000.0, -2.0 * i / 128);
            worst = std::max({worst, std::abs(got[2 * (t * n_pairs + i)] - std::cos(angle)),
                              std::abs(got[2 * (t * n_pairs + i) + 1] - std::sin(angle))});
        }
    }
    CHECK(worst < 2e-6); // f32 rounding of the angle alone is 4e-7; an f32 product would be off by 0.06 at a million
}
