#include "kernels/policy.h"

#include "base/error.h"

#include <algorithm>
#include <format>

namespace vkinfer::kernels {

namespace {

/// The f16 x f16 -> f32 shape to use: the largest that divides the GEMM's step of 32 k, square ones first.
const gpu::CoopmatShape* find_shape(const gpu::Capabilities& device) {
    using enum gpu::ComponentType;
    const gpu::CoopmatShape* best = nullptr;
    for (const gpu::CoopmatShape& shape : device.coopmat_shapes) {
        if (!shape.subgroup_scope || shape.a != f16 || shape.b != f16 || shape.c != f32 || shape.result != f32)
            continue;
        if (32 % shape.k != 0 || 32 % shape.m != 0 || 32 % shape.n != 0) continue;
        const auto rank = [](const gpu::CoopmatShape& s) {
            return std::pair(s.m == s.n && s.n == s.k, s.m * s.n * s.k);
        };
        if (best == nullptr || rank(shape) > rank(*best)) best = &shape;
    }
    return best;
}

/// Tiles per device class. Registers decide: an f32 accumulator of 32 x 32 costs 32 registers of a wave of 32.
CoopmatTiles choose_tiles(const gpu::CoopmatShape& shape, uint32_t subgroup_size) {
    CoopmatTiles tiles{.frag_m = shape.m, .frag_n = shape.n, .frag_k = shape.k, .subgroup_size = subgroup_size};
    // lavapipe: a fragment is 8 x 8, a "register" a vector of 8. A wave of 2 x 2 fragments, since every one is unrolled
    // into scalar code: with 4 x 4 the GEMMs of a tiny q3_k model took 25 s to compile, with 2 x 2 5 s.
    if (subgroup_size < 32) {
        tiles.tile_m = tiles.tile_n = 32;
        tiles.wave_m = tiles.wave_n = 16;
    }
    return tiles;
}

} // namespace

std::optional<CoopmatMode> parse_coopmat_mode(std::string_view text) {
    if (text == "auto") return CoopmatMode::automatic;
    if (text == "on") return CoopmatMode::on;
    if (text == "off") return CoopmatMode::off;
    return std::nullopt;
}

std::optional<ActivationMode> parse_activation_mode(std::string_view text) {
    if (text == "auto") return ActivationMode::automatic;
    if (text == "f32") return ActivationMode::f32;
    if (text == "f16") return ActivationMode::f16;
    if (text == "q8") return ActivationMode::q8;
    return std::nullopt;
}

Policy choose_policy(const gpu::Capabilities& device, const PolicyOptions& options) {
    Policy policy;
    policy.is_cpu = device.device_type == gpu::DeviceType::cpu;
    policy.compute_units = std::max(1u, device.compute_units);
    // Waves of 32 everywhere that offers them: fewer replicated fragments on RDNA3, finer masks; else the only size.
    policy.subgroup_size = device.subgroup_size;
    if (device.subgroup_size_control && device.min_subgroup_size <= 32 && device.max_subgroup_size >= 32) {
        policy.subgroup_size = 32;
    }
    policy.require_subgroup_size = device.subgroup_size_control;
    policy.matvec_lanes = policy.subgroup_size;
    while (policy.matvec_wide_splits * policy.subgroup_size > device.max_group_invocations)
        policy.matvec_wide_splits /= 2;
    // Where waves have 64 lanes only (GFX9), RADV spills up to 409 registers of 32 columns.
    if (policy.subgroup_size > 32) policy.matvec_max_columns = kFewColumns;

    if (policy.is_cpu) {
        // No barrier means no coroutine in lavapipe; two rows a lane halve the activation loads, measured on 2 cores:
        // mat-vec 8192 x 3072 q4_0 2.9 -> 2.2 ms, 8 columns 12.4 -> 7.8 ms. Fragments are emulated: slower than plain.
        policy.matvec_splits = policy.matvec_wide_splits = 1;
        policy.matvec_rows_per_lane = 2;
        // An 88 M llama q4_0, 2 cores, tokens a second with at most 8, 16 and 32 columns: 16 tokens 338, 378, 378; 32
        // tokens 336, 379, 302; 512 tokens 301, 298, 225.
        policy.matvec_max_columns = 16;
        policy.attention_max_splits = 1;
    }

    const gpu::CoopmatShape* shape = device.cooperative_matrix && device.float16 ? find_shape(device) : nullptr;
    if (options.coopmat == CoopmatMode::on && shape == nullptr) {
        throw Error(ErrorKind::unsupported,
                    "--coopmat on: the device has no cooperative matrices of f16 with f32 accumulation.",
                    "Use --coopmat auto, or a driver with VK_KHR_cooperative_matrix.");
    }
    const bool f16_allowed = options.act == ActivationMode::automatic || options.act == ActivationMode::f16;
    if (options.coopmat == CoopmatMode::on && !f16_allowed) {
        throw Error(ErrorKind::unsupported, "--coopmat on needs f16 activations, but --act asks for another precision.",
                    "Use --act auto or --act f16 with --coopmat on.");
    }
    policy.coopmat =
        shape != nullptr && f16_allowed &&
        (options.coopmat == CoopmatMode::on || (options.coopmat == CoopmatMode::automatic && !policy.is_cpu));
    if (policy.coopmat) {
        policy.tiles = choose_tiles(*shape, policy.subgroup_size);
        if (options.coopmat == CoopmatMode::on)
            policy.coopmat_min_columns = policy.direct_min_columns = 2; // forced: whenever there is a matrix
    }
    if (options.act == ActivationMode::q8) {
        if (!device.integer_dot_product) {
            throw Error(ErrorKind::unsupported, "--act q8: the device has no integer dot product.", "Use --act auto.");
        }
        policy.int8_activations = true;
    }
    // A third of the instructions of f32 for a weight, which decoding feels from two columns on and a battery always.
    if (options.act == ActivationMode::automatic && !policy.is_cpu) {
        policy.int8_activations = device.integer_dot_product && device.dot_4x8_signed_accelerated;
    }
    return policy;
}

std::string Policy::describe() const {
    std::string matrix = "off";
    if (coopmat) {
        matrix = std::format("{}x{}x{} from {} columns (f16 activations, f32 sums)", tiles.frag_m, tiles.frag_n,
                             tiles.frag_k, has_direct_gemm() ? direct_min_columns : coopmat_min_columns);
    }
    return std::format("coopmat {}, mat-vec activations {}, subgroups of {}", matrix,
                       int8_activations ? "q8 for quantised weights, else f32" : "f32", subgroup_size);
}

} // namespace vkinfer::kernels
