// What measuring chose for matrix products of one type and shape, in place of the policy's table. Made on the device by
// runtime/tuner.h (`vkinfer-bench --tune`) and kept in a file per device, driver and set of shaders.
#pragma once

#include "format/tensor_type.h"
#include "kernels/ops.h"
#include "kernels/policy.h"

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::kernels {

struct ProductKey {
    format::TensorType type = format::TensorType::f32;
    uint32_t n_rows = 0; ///< of the weight, gate and up together
    uint32_t n_cols = 0;
    uint32_t is_glu = 0;
    uint32_t n_columns = 0; ///< last, so that the numbers of columns of one shape are neighbours

    auto operator<=>(const ProductKey&) const = default;
};

/// Nothing for ops that are no tunable product: routers keep the policy's exact path.
std::optional<ProductKey> product_key(const Op& op);

/// Fields of Policy that decide a product.
struct ProductChoice {
    uint32_t uses_coopmat = 0;
    uint32_t splits = 0, rows_per_lane = 0, max_columns = 0; ///< of mat-vec
    uint32_t tile_m = 0, tile_n = 0, wave_m = 0, wave_n = 0; ///< of the staged GEMM

    bool operator==(const ProductChoice&) const = default;
};

ProductChoice choice_of(const Policy& policy, const ProductKey& key);
Policy with_choice(Policy policy, const ProductChoice& choice);
/// "mat-vec of 2 splits, 1 row a lane, 8 columns"
std::string describe(const ProductChoice& choice);

/// Everything worth trying on this device, the policy's own choice first.
std::vector<ProductChoice> candidates(const Policy& policy, const ProductKey& key);

class Tuning {
public:
    void set(const ProductKey& key, const ProductChoice& choice) { choices_[key] = choice; }
    /// Takes over what `newer` has.
    void merge(const Tuning& newer) {
        for (const auto& [key, choice] : newer.choices_) choices_[key] = choice;
    }
    bool empty() const { return choices_.empty(); }
    size_t size() const { return choices_.size(); }

    /// The policy for an op: with the choice of the nearest number of columns that was measured for its shape, from
    /// above if there is one; unchanged for a shape that was not measured.
    Policy apply(const Policy& policy, const Op& op) const;

    /// One line per shape. parse() gives nothing for a text of another version or with a line that makes no sense.
    std::string text() const;
    static std::optional<Tuning> parse(std::string_view text);

private:
    std::map<ProductKey, ProductChoice> choices_;
};

} // namespace vkinfer::kernels
