#include "rdna/counters.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <numeric>

namespace vkinfer::rdna {

void Traffic::add(std::span<const uint64_t> addresses, uint32_t bytes) {
    ++instructions;
    requested_bytes += addresses.size() * bytes;
    // Distinct bytes and lines of up to 64 equal intervals: in order, each adds what the one before did not have.
    std::array<uint64_t, 64> sorted{};
    std::copy(addresses.begin(), addresses.end(), sorted.begin());
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(addresses.size()));
    uint64_t end = 0, last_line = ~uint64_t{0};
    for (size_t i = 0; i < addresses.size(); ++i) {
        const uint64_t from = i == 0 ? sorted[i] : std::max(sorted[i], end), to = sorted[i] + bytes;
        if (to > from) unique_bytes += to - from;
        end = i == 0 ? to : std::max(end, to);
        for (uint64_t line = sorted[i] / kLineBytes; line <= (to - 1) / kLineBytes; ++line) {
            if (last_line != ~uint64_t{0} && line <= last_line) continue;
            last_line = line;
            ++lines;
        }
    }
}

void Traffic::operator+=(const Traffic& other) {
    instructions += other.instructions;
    requested_bytes += other.requested_bytes;
    unique_bytes += other.unique_bytes;
    lines += other.lines;
}

namespace {

void scale_by(uint64_t& count, double factor) {
    count = static_cast<uint64_t>(std::llround(static_cast<double>(count) * factor));
}

} // namespace

void Traffic::scale(double factor) {
    for (uint64_t* count : {&instructions, &requested_bytes, &unique_bytes, &lines}) scale_by(*count, factor);
}

void Counters::end_sampled_group() {
    for (const uint64_t line : touched_) ++sampled_[line];
    touched_.clear();
    last_touched_ = ~uint64_t{0};
}

void Counters::extrapolate(uint64_t n_groups) {
    const auto lines_of = [&](uint32_t n) {
        return static_cast<double>(std::ranges::count(sampled_, n, [](const auto& line) { return line.second; }));
    };
    const double once = lines_of(1), twice = lines_of(2),
                 factor = static_cast<double>(n_groups) / static_cast<double>(groups);
    const double if_alone = once * (factor - 1);
    const double unseen = twice > 0 ? std::min(if_alone, once * once / (2 * twice)) : if_alone;
    earlier_lines_ += sampled_.size() + static_cast<uint64_t>(unseen);
    sampled_.clear();
    for (uint64_t& count : instructions) scale_by(count, factor);
    for (uint64_t* count :
         {&waves, &wave_clocks, &matrix_8bit, &scalar_load_bytes, &scalar_lines, &lds_cycles, &lds_ideal_cycles})
        scale_by(*count, factor);
    loads.scale(factor);
    stores.scale(factor);
    groups = n_groups;
}

uint64_t Counters::total() const {
    return std::accumulate(instructions.begin(), instructions.end(), uint64_t{0});
}

void Counters::count(const Instruction& instruction) {
    const Class cls = instruction.pair ? Class::dual : instruction.opcode->cls;
    ++instructions[static_cast<size_t>(cls)];
    if (cls == Class::matrix && instruction.opcode->is_8bit_matrix()) ++matrix_8bit;
}

void Counters::touch(uint64_t address, uint32_t bytes) {
    for (uint64_t line = address / kLineBytes; line <= (address + bytes - 1) / kLineBytes; ++line) {
        if (line == last_touched_) continue;
        last_touched_ = line;
        touched_.insert(line);
    }
}

void Counters::load(std::span<const uint64_t> addresses, uint32_t bytes) {
    loads.add(addresses, bytes);
    for (const uint64_t address : addresses) touch(address, bytes);
}

void Counters::store(std::span<const uint64_t> addresses, uint32_t bytes) {
    stores.add(addresses, bytes);
    for (const uint64_t address : addresses) touch(address, bytes);
}

void Counters::scalar_load(uint64_t address, uint32_t bytes) {
    scalar_load_bytes += bytes;
    touch(address, bytes);
    scalar_lines += (address + bytes - 1) / kLineBytes - address / kLineBytes + 1;
}

void Counters::lds(std::span<const uint32_t> addresses, uint32_t bytes) {
    // A clock serves up to kLdsBanks dwords, one per bank; equal dwords are read once. Lanes go in groups of 32 dwords:
    // 32 lanes of b32, 16 of b64, 8 of b128.
    const uint32_t dwords = std::max(bytes / 4, 1u), group = std::max(kLdsBanks / dwords, 1u);
    for (size_t first = 0; first < addresses.size(); first += group) {
        std::array<std::array<uint32_t, 64>, kLdsBanks> rows{};
        std::array<uint32_t, kLdsBanks> n{};
        const size_t last = std::min(addresses.size(), first + group);
        for (size_t i = first; i < last; ++i) {
            for (uint32_t d = 0; d < dwords; ++d) {
                const uint32_t dword = addresses[i] / 4 + d, bank = dword % kLdsBanks;
                const auto begin = rows[bank].begin(), end = begin + n[bank];
                if (std::find(begin, end, dword) == end) rows[bank][n[bank]++] = dword;
            }
        }
        lds_cycles += std::max(1u, *std::max_element(n.begin(), n.end()));
        ++lds_ideal_cycles;
    }
}

void Counters::operator+=(const Counters& other) {
    waves += other.waves;
    groups += other.groups;
    for (size_t i = 0; i < kClasses; ++i) instructions[i] += other.instructions[i];
    matrix_8bit += other.matrix_8bit;
    loads += other.loads;
    stores += other.stores;
    scalar_load_bytes += other.scalar_load_bytes;
    scalar_lines += other.scalar_lines;
    lds_cycles += other.lds_cycles;
    lds_ideal_cycles += other.lds_ideal_cycles;
    wave_clocks += other.wave_clocks;
    together_clocks += other.together_clocks;
    earlier_lines_ += other.n_touched_lines();
}

} // namespace vkinfer::rdna
