#include "kernels/tuning.h"

#include <algorithm>
#include <format>
#include <limits>
#include <sstream>

namespace vkinfer::kernels {

namespace {

constexpr std::string_view kFirstLine = "vkinfer products 1";
constexpr uint32_t kNever = std::numeric_limits<uint32_t>::max();
/// Staged tiles of the GEMM by where registers and shared memory run out; wave tiles of whole fragments.
constexpr uint32_t kTiles[][4] = {{64, 64, 32, 32},  {128, 64, 32, 32}, {128, 128, 32, 64}, {128, 128, 64, 32},
                                  {64, 128, 32, 32}, {32, 64, 16, 32},  {64, 32, 32, 16}};

bool is_power_of_two_up_to(uint32_t value, uint32_t most) {
    return value > 0 && value <= most && (value & (value - 1)) == 0;
}

/// What kernels can be specialised to, whatever a file says.
bool is_sound(const ProductChoice& c) {
    const bool has_tiles = c.tile_m > 0;
    return c.uses_coopmat <= 1 && is_power_of_two_up_to(c.splits, 16) && is_power_of_two_up_to(c.rows_per_lane, 4) &&
           is_power_of_two_up_to(c.max_columns, 32) &&
           (!has_tiles || (is_power_of_two_up_to(c.tile_m, 256) && is_power_of_two_up_to(c.tile_n, 256) &&
                           is_power_of_two_up_to(c.wave_m, c.tile_m) && is_power_of_two_up_to(c.wave_n, c.tile_n)));
}

} // namespace

std::optional<ProductKey> product_key(const Op& op) {
    const auto* linear = std::get_if<Linear>(&op);
    if (linear == nullptr || linear->keeps_f32) return std::nullopt;
    return ProductKey{.type = linear->weight.type,
                      .n_rows = linear->weight.n_rows,
                      .n_cols = linear->weight.n_cols,
                      .is_glu = linear->is_glu,
                      .n_columns = linear->n_columns};
}

ProductChoice choice_of(const Policy& policy, const ProductKey& key) {
    const bool is_wide = std::min(key.n_columns, policy.matvec_max_columns) > kFewColumns;
    const bool is_prefill = key.n_columns > kFoldedNormTokens;
    return {.uses_coopmat = policy.uses_gemm(key.n_columns),
            .splits = is_wide && !is_prefill ? policy.matvec_wide_splits : policy.matvec_splits,
            .rows_per_lane = is_wide ? policy.matvec_wide_rows_per_lane : policy.matvec_rows_per_lane,
            .max_columns = policy.matvec_max_columns,
            .tile_m = policy.tiles.tile_m,
            .tile_n = policy.tiles.tile_n,
            .wave_m = policy.tiles.wave_m,
            .wave_n = policy.tiles.wave_n};
}

Policy with_choice(Policy policy, const ProductChoice& choice) {
    policy.coopmat_min_columns = policy.direct_min_columns = choice.uses_coopmat != 0 ? 1 : kNever;
    policy.matvec_splits = policy.matvec_wide_splits = choice.splits;
    policy.matvec_rows_per_lane = policy.matvec_wide_rows_per_lane = choice.rows_per_lane;
    policy.matvec_max_columns = choice.max_columns;
    if (choice.tile_m > 0) {
        policy.tiles.tile_m = choice.tile_m;
        policy.tiles.tile_n = choice.tile_n;
        policy.tiles.wave_m = choice.wave_m;
        policy.tiles.wave_n = choice.wave_n;
    }
    return policy;
}

std::string describe(const ProductChoice& choice) {
    if (choice.uses_coopmat != 0) {
        return std::format("GEMM of {} x {} in waves of {} x {}", choice.tile_m, choice.tile_n, choice.wave_m,
                           choice.wave_n);
    }
    return std::format("mat-vec of {} split{}, {} row{} a lane, {} column{}", choice.splits,
                       choice.splits == 1 ? "" : "s", choice.rows_per_lane, choice.rows_per_lane == 1 ? "" : "s",
                       choice.max_columns, choice.max_columns == 1 ? "" : "s");
}

std::vector<ProductChoice> candidates(const Policy& policy, const ProductKey& key) {
    const ProductChoice own = choice_of(policy, key);
    std::vector<ProductChoice> all = {own};
    const auto add = [&](const ProductChoice& choice) {
        if (std::ranges::find(all, choice) == all.end()) all.push_back(choice);
    };
    if (key.n_columns <= 128 || !policy.coopmat) { // beyond, a GEMM wins
        ProductChoice choice = own;
        choice.uses_coopmat = 0;
        for (const uint32_t splits : {1u, 2u, 4u, 8u}) {
            // A barrier is a coroutine there, and one of a subgroup waits for the others, which need not come.
            if (policy.is_cpu && splits > (policy.int8_activations ? 1 : 2)) continue;
            for (const uint32_t rows : {1u, 2u}) {
                // Parts of normed rows, see Tuning::apply.
                const bool is_wide = key.n_columns > kFewColumns;
                if (policy.folds_norms(key.n_columns) &&
                    (is_wide ? rows < policy.matvec_rows_per_lane : rows != own.rows_per_lane))
                    continue;
                for (const uint32_t columns : {4u, 8u, 16u, 32u}) {
                    if (columns < policy.matvec_max_columns && key.n_columns <= columns) continue; // the same kernel
                    if (is_wide && columns < kFewColumns) continue;
                    choice.splits = splits;
                    choice.rows_per_lane = rows;
                    choice.max_columns = columns;
                    add(choice);
                }
            }
        }
    }
    // Steps that fold norms need products that can.
    if (policy.coopmat && (!policy.folds_norms(key.n_columns) || policy.gemm_folds_norms())) {
        ProductChoice choice = own;
        choice.uses_coopmat = 1;
        add(choice);
        // Tiles of GEMMs that decode into registers follow from the shape.
        if (!policy.has_direct_gemm() && policy.tiles.subgroup_size >= 32) {
            for (const auto& [tile_m, tile_n, wave_m, wave_n] : kTiles) {
                if (wave_m < policy.tiles.frag_m || wave_n < policy.tiles.frag_n) continue;
                choice.tile_m = tile_m;
                choice.tile_n = tile_n;
                choice.wave_m = wave_m;
                choice.wave_n = wave_n;
                add(choice);
            }
        }
    }
    return all;
}

Policy Tuning::apply(const Policy& policy, const Op& op) const {
    if (choices_.empty()) return policy;
    const std::optional<ProductKey> key = product_key(op);
    if (!key) return policy;
    const auto same_shape = [&](const ProductKey& other) {
        ProductKey copy = other;
        copy.n_columns = key->n_columns;
        return copy == *key;
    };
    auto found = choices_.lower_bound(*key);
    if (found == choices_.end() || !same_shape(found->first)) {
        if (found == choices_.begin() || !same_shape((--found)->first)) return policy;
    }
    const ProductChoice& choice = found->second;
    // Writers and readers of NormedRows agree on the parts of a row by the rows of a workgroup.
    const auto& linear = std::get<Linear>(op);
    Policy chosen = with_choice(policy, choice);
    if (linear.x_is_normed || linear.next_norm != 0) chosen.matvec_rows_per_lane = policy.matvec_rows_per_lane;
    return chosen;
}

std::string Tuning::text() const {
    std::string text = std::format("{}\n", kFirstLine);
    for (const auto& [k, c] : choices_) {
        text += std::format("{} {} {} {} {}  {} {} {} {} {} {} {} {}\n", static_cast<uint32_t>(k.type), k.n_rows,
                            k.n_cols, k.is_glu, k.n_columns, c.uses_coopmat, c.splits, c.rows_per_lane, c.max_columns,
                            c.tile_m, c.tile_n, c.wave_m, c.wave_n);
    }
    return text;
}

std::optional<Tuning> Tuning::parse(std::string_view text) {
    std::istringstream lines{std::string(text)};
    std::string line;
    if (!std::getline(lines, line) || line != kFirstLine) return std::nullopt;
    Tuning tuning;
    while (std::getline(lines, line)) {
        std::istringstream fields(line);
        uint32_t type = 0;
        ProductKey k;
        ProductChoice c;
        fields >> type >> k.n_rows >> k.n_cols >> k.is_glu >> k.n_columns >> c.uses_coopmat >> c.splits >>
            c.rows_per_lane >> c.max_columns >> c.tile_m >> c.tile_n >> c.wave_m >> c.wave_n;
        if (!fields || !is_sound(c) || format::find_traits(type) == nullptr) return std::nullopt;
        k.type = static_cast<format::TensorType>(type);
        tuning.set(k, c);
    }
    return tuning;
}

} // namespace vkinfer::kernels
