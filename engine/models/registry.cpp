// The list of architectures: one row each.
#include "base/error.h"
#include "models/architecture.h"
#include "models/families.h"

#include <array>
#include <format>

namespace vkinfer::models {

namespace {

constexpr std::array kArchitectures = {kLlama, kQwen2, kQwen3, kQwen2Moe, kQwen3Moe, kGlm4Moe, kGptOss};

} // namespace

std::span<const Architecture> architectures() {
    return kArchitectures;
}

const Architecture& find_architecture(std::string_view name) {
    std::string known;
    for (const Architecture& architecture : kArchitectures) {
        if (architecture.name == name) return architecture;
        known += std::format("{}{}", known.empty() ? "" : ", ", architecture.name);
    }
    throw Error(ErrorKind::unsupported, std::format("The model's architecture is \"{}\".", name),
                std::format("This version runs {}.", known));
}

kernels::Weight LoadedModel::matrix(std::string_view key) const {
    const auto it = matrices.find(key);
    return it == matrices.end() ? kernels::Weight{} : it->second;
}

uint64_t LoadedModel::vector(std::string_view key) const {
    const auto it = vectors.find(key);
    return it == vectors.end() ? 0 : it->second;
}

std::string kv_external(uint32_t layer) {
    return std::format("kv.{}", layer);
}

} // namespace vkinfer::models
