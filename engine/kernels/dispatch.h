// What an op becomes: dispatches of shader variants whose operands are still the op's, not yet memory.
#pragma once

#include "kernels/shader_library.h"
#include "kernels/weight_layout.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

namespace vkinfer::kernels {

/// How a dispatch touches one operand of its op. Indices from the op's operand count on name its scratch buffers.
struct OperandAccess {
    uint32_t operand = 0;
    Access access = Access::read;
};

struct Dispatch {
    const ShaderInfo* shader = nullptr;
    std::vector<uint32_t> specialization;
    std::vector<const WeightLayout*> weights; ///< what is decoded, where the shader knows every type
    uint32_t subgroup_size = 0;               ///< 0: the driver's default
    std::vector<std::byte> push;
    std::vector<uint32_t> bindings;     ///< operand of each binding of the shader
    std::vector<OperandAccess> unbound; ///< operands reached by address (KV pools)
    std::array<uint32_t, 3> groups{1, 1, 1};
    /// Group counts that an earlier dispatch writes: three words at `offset` of an operand; `groups` is then a bound.
    struct Indirect {
        uint32_t operand = 0;
        uint64_t offset = 0;
    };
    std::optional<Indirect> indirect;
    uint64_t bytes = 0; ///< memory traffic it cannot avoid
    uint64_t flops = 0;
    // Of attention, whose work depends on how long its sequences are.
    uint64_t pair_flops = 0;     ///< per query token and key that it sees
    uint64_t tile_key_bytes = 0; ///< per tile and key that it reads
    uint32_t window = 0;         ///< keys that a query sees at most; 0: all
};

/// Group counts for `rows` rows of x groups each. Every device allows 65535 in y; further rows continue in z, and
/// kernels take z * (count of y) + y as the row.
inline std::array<uint32_t, 3> row_groups(uint32_t x, uint32_t rows) {
    constexpr uint32_t kRowsInY = 32768;
    if (rows <= kRowsInY) return {x, rows, 1};
    return {x, kRowsInY, (rows + kRowsInY - 1) / kRowsInY};
}

/// The dispatches of one op, in order, with the bytes of each scratch buffer they share.
struct Lowered {
    std::vector<Dispatch> dispatches;
    std::vector<uint64_t> scratch_bytes;
};

/// The first `size` bytes of a push struct (its tail padding is not part of the shader's block).
template<class Push>
std::vector<std::byte> push_bytes(const Push& push, uint32_t size) {
    std::vector<std::byte> bytes(size);
    std::memcpy(bytes.data(), &push, size);
    return bytes;
}

template<class Spec>
std::vector<uint32_t> spec_words(const Spec& spec) {
    const auto words = spec.words();
    return {words.begin(), words.end()};
}

} // namespace vkinfer::kernels
