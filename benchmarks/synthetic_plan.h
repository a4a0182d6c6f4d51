// What a synthetic model consists of: its tensors with their shapes and types, and its metadata.
#pragma once

#include "benchmarks/synthetic_model.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::benchmarks {

struct SyntheticFamily;

/// A tensor and how its random values are spread.
struct PlannedTensor {
    std::string name;
    format::TensorType type = format::TensorType::f32;
    std::vector<uint64_t> dims; ///< innermost first
    float mean = 0.0f;
    float deviation = 0.0f;
    bool takes_type = false; ///< whether options choose the type: a matrix that is no router
};

class SyntheticPlan {
public:
    /// Throws Error for options that make no model.
    explicit SyntheticPlan(const SyntheticOptions& options);

    /// In the order in which the engine needs them.
    std::span<const PlannedTensor> tensors() const { return tensors_; }
    void write_metadata(format::GgufWriter& writer) const;

private:
    void check_sizes() const;
    void settle_experts();
    void settle_norms();
    void plan_attention(const std::string& block);
    void plan_feed_forward(const std::string& block, uint32_t n_ff);
    void plan_experts(const std::string& block);

    void matrix(std::string name, std::vector<uint64_t> dims, float gain = 1.0f);
    void router(std::string name, std::vector<uint64_t> dims);
    void norm(std::string name, uint64_t size);
    void bias(std::string name, std::vector<uint64_t> dims, float deviation = 0.2f);

    SyntheticOptions options_; ///< with what is left to the architecture filled in
    const SyntheticFamily* family_ = nullptr;
    std::vector<PlannedTensor> tensors_;
};

} // namespace vkinfer::benchmarks
