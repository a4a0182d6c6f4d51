#include "rdna/model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace vkinfer::rdna {

namespace {

constexpr Chip kChips[] = {
    {"gfx1201", "Radeon RX 9070 XT", Arch::gfx12, 64, 1536, 24, 2.97, 640, 0.90},
    {"gfx1201", "Radeon AI PRO R9700", Arch::gfx12, 64, 1536, 24, 2.92, 640, 0.90},
    {"navi31", "Radeon RX 7900 XTX", Arch::gfx11, 96, 1536, 24, 2.5, 960, 0.90},
    {"strix1", "Radeon 890M", Arch::gfx11, 16, 1024, 16, 2.9, 120, 0.83},
    {"strix1", "Radeon 8060S", Arch::gfx11, 40, 1536, 24, 2.9, 256, 0.83},
};

constexpr std::string_view kIsa = "AMD's RDNA3 and RDNA4 ISA documents", kAco = "cost model of RADV's compiler (ACO)";
constexpr ModelConstant kConstants[] = {
    {Cost::instruction, "instruction", 1, "clocks", kIsa},
    {Cost::vector_wave64, "vector instruction in waves of 64", 2, "clocks", kIsa},
    {Cost::transcendental, "transcendental, over a plain vector instruction", 4, "times", kIsa},
    {Cost::matrix_gfx11, "matrix product 16x16x16, gfx11", 32, "clocks", kAco},
    {Cost::matrix_gfx12, "matrix product 16x16x16, gfx12", 16, "clocks", kAco},
    {Cost::matrix_gfx12_8bit, "matrix product 16x16x16 of int8 or FP8, gfx12", 8, "clocks", kAco},
    {Cost::line, "128-byte line through a CU's vector cache", 1, "clocks", "assumption"},
    {Cost::lds, "LDS access of 32 dwords without conflicts", 1, "clocks", "32 banks of a dword"},
    {Cost::load_latency, "wait for a vector load", 400, "clocks", "assumption: between L2 and DRAM"},
    {Cost::scalar_latency, "wait for a scalar load", 150, "clocks", "assumption: beyond the scalar cache"},
    {Cost::lds_latency, "wait for LDS", 40, "clocks", "assumption"},
    {Cost::max_waves, "waves of a SIMD at most", 16, "waves", kIsa},
    {Cost::lds_bytes, "LDS of a pair of CUs (four SIMDs)", 131072, "bytes", kIsa},
};

constexpr uint64_t kMostPlayed = 8'000'000; ///< instructions of a replay: a second or two

constexpr double value(Cost cost) {
    return kConstants[static_cast<size_t>(cost)].value;
}

} // namespace

const Chip* find_chip(std::string_view id, std::string_view product) {
    const auto at =
        std::ranges::find_if(kChips, [&](const Chip& chip) { return chip.id == id && chip.product.contains(product); });
    return at == std::end(kChips) ? nullptr : at;
}

std::span<const ModelConstant> model_constants() {
    return kConstants;
}

uint32_t occupancy(const Dispatch& d, const Chip& chip) {
    const uint32_t halves = d.lanes == 64 ? 2 : 1;
    const uint32_t granule = chip.vgpr_granule / halves;
    const uint32_t per_wave = (std::max(d.vgprs, 1u) + granule - 1) / granule * granule;
    uint32_t waves = std::min(static_cast<uint32_t>(value(Cost::max_waves)), chip.vgprs / halves / per_wave);
    if (d.lds_bytes > 0) {
        const uint32_t pairs = d.is_wgp ? 1 : 2; // without it a group lives in one CU, which has half of the LDS
        const uint32_t groups = static_cast<uint32_t>(value(Cost::lds_bytes)) / pairs / d.lds_bytes;
        const uint32_t simds = 4 / pairs;
        waves = std::min(waves, std::max(1u, groups * d.waves_per_group() / simds));
    }
    return std::max(waves, 1u);
}

Timing timing_of(const Dispatch& d, const Chip& chip) {
    const auto clocks = [](Cost cost) { return static_cast<uint32_t>(value(cost)); };
    const bool gfx12 = chip.arch == Arch::gfx12;
    const uint32_t vector = clocks(d.lanes == 64 ? Cost::vector_wave64 : Cost::instruction);
    const uint32_t matrix = clocks(gfx12 ? Cost::matrix_gfx12 : Cost::matrix_gfx11);
    Timing timing;
    timing.issue.fill(clocks(Cost::instruction));
    const auto set = [&](Class cls, uint32_t n) { timing.issue[static_cast<size_t>(cls)] = n; };
    for (const Class cls : {Class::vector, Class::dual, Class::dot}) set(cls, vector);
    set(Class::transcendental, vector * clocks(Cost::transcendental));
    set(Class::matrix, matrix);
    for (const Class cls : {Class::wait, Class::other, Class::barrier}) set(cls, 0);
    timing.matrix_8bit = gfx12 ? clocks(Cost::matrix_gfx12_8bit) : matrix;
    const auto wait = [&](Counter counter, Cost cost) { timing.latency[static_cast<size_t>(counter)] = clocks(cost); };
    wait(Counter::load, Cost::load_latency);
    wait(Counter::scalar, Cost::scalar_latency);
    wait(Counter::ds, Cost::lds_latency);
    return timing;
}

double clocks_together(const GroupTrace& trace, const Timing& timing, const Dispatch& d, const Chip& chip,
                       uint64_t n_groups) {
    const uint32_t n_simds = d.is_wgp ? 4 : 2; // of a pair of CUs, or of one
    const auto n_waves = static_cast<uint32_t>(trace.waves.size());
    const ReplayPlace place{.n_simds = n_simds, .n_resident = std::max(1u, occupancy(d, chip) * n_simds / n_waves)};
    const uint64_t n_places = uint64_t{2} * chip.compute_units / n_simds;
    const auto n_here = static_cast<uint32_t>((n_groups + n_places - 1) / n_places);
    const auto clocks = [&](uint32_t n) { return static_cast<double>(replay(trace, timing, place, n)); };
    // Once the place has been full for a while, the rest goes on as it did.
    const uint32_t n_full = 2 * place.n_resident, n_played = std::min(n_here, n_full + place.n_resident);
    if (trace.size() * n_played > kMostPlayed) return 0;
    const double played = clocks(n_played);
    if (n_played == n_here) return played;
    return played + (n_here - n_played) * (played - clocks(n_full)) / place.n_resident;
}

Estimate estimate(const Counters& c, const Dispatch& d, const Chip& chip) {
    Estimate e;
    if (c.waves == 0) return e;
    const auto n = [&](Class cls) { return static_cast<double>(c.instructions[static_cast<size_t>(cls)]); };
    const double vector = d.lanes == 64 ? value(Cost::vector_wave64) : value(Cost::instruction);
    const double matrix = n(Class::matrix) - static_cast<double>(c.matrix_8bit);
    const double waves = static_cast<double>(c.waves);
    const double per_simd = std::ceil(waves / (2 * chip.compute_units)); // the fullest SIMD
    const double busy_cus = std::min<double>(chip.compute_units, static_cast<double>(c.groups));

    const double wave_matrix = (matrix * value(chip.arch == Arch::gfx12 ? Cost::matrix_gfx12 : Cost::matrix_gfx11) +
                                static_cast<double>(c.matrix_8bit) *
                                    value(chip.arch == Arch::gfx12 ? Cost::matrix_gfx12_8bit : Cost::matrix_gfx11)) /
                               waves;
    const double wave_vector = vector *
                                   (n(Class::vector) + n(Class::dot) + n(Class::dual) +
                                    value(Cost::transcendental) * n(Class::transcendental)) /
                                   waves +
                               wave_matrix;
    const double wave_scalar =
        value(Cost::instruction) * (n(Class::scalar) + n(Class::scalar_memory) + n(Class::branch)) / waves;
    e.issue = waves * wave_vector;
    e.vector = per_simd * wave_vector;
    e.matrix = per_simd * wave_matrix;
    e.scalar = per_simd * wave_scalar;
    e.memory = static_cast<double>(c.loads.lines + c.stores.lines) * value(Cost::line) / busy_cus;
    e.lds = static_cast<double>(c.lds_cycles) * value(Cost::lds) / busy_cus;
    e.dram = static_cast<double>(c.n_touched_lines() * kLineBytes) * chip.clock_ghz /
             (chip.memory_gb_per_s * chip.memory_share);
    e.wave = static_cast<double>(c.wave_clocks) / waves;
    e.together = c.together_clocks;
    e.latency = std::ceil(per_simd / occupancy(d, chip)) * e.wave;
    return e;
}

double Estimate::clocks() const {
    return std::max({vector, scalar, memory, lds, dram, latency, together});
}

std::string_view Estimate::bound() const {
    if (dram >= clocks()) return "DRAM";
    const std::pair<double, std::string_view> terms[] = {{vector, matrix > vector / 2 ? "matrix" : "vector"},
                                                         {scalar, "scalar"},
                                                         {memory, "memory"},
                                                         {lds, "LDS"},
                                                         {latency, "latency"}};
    return std::ranges::max_element(terms, {}, &std::pair<double, std::string_view>::first)->second;
}

void Estimate::operator+=(const Estimate& other) {
    vector += other.vector;
    matrix += other.matrix;
    scalar += other.scalar;
    memory += other.memory;
    lds += other.lds;
    dram += other.dram;
    latency += other.latency;
    together += other.together;
    wave += other.wave;
    issue += other.issue;
}

} // namespace vkinfer::rdna
