// A bench for tests of the interpreter: registers are set, code in an assembler's bytes is run, registers are looked
// at.
#pragma once

#include "rdna/machine.h"

#include <bit>
#include <doctest/doctest.h>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace vkinfer::rdna {

inline uint32_t f(float x) {
    return std::bit_cast<uint32_t>(x);
}
inline uint32_t half(float x) {
    return std::bit_cast<uint16_t>(static_cast<_Float16>(x));
}

inline std::vector<uint32_t> words_of(std::string_view bytes) {
    std::vector<uint32_t> words;
    for (size_t i = 0; i + 8 <= bytes.size(); i += 8) {
        uint32_t word = 0;
        for (size_t b = 0; b < 4; ++b)
            word |= static_cast<uint32_t>(std::stoul(std::string(bytes.substr(i + 2 * b, 2)), nullptr, 16)) << 8 * b;
        words.push_back(word);
    }
    return words;
}

inline constexpr uint64_t kBase = 0x7000'0000'0000;

/// Rows of the table that the tests ran, by generation.
inline std::set<const Opcode*> executed[2];

/// A wave on a bench: registers are set, code is run to its end, registers are looked at.
struct Bench {
    explicit Bench(Arch arch = Arch::gfx12, uint32_t lanes = 32) : wave(std::make_unique<Wave>()), memory_bytes(4096) {
        memory.map(kBase, memory_bytes.size(), memory_bytes.data());
        group.arch = arch;
        group.memory = &memory;
        group.lds.resize(1024);
        group.lds_cells.resize(256);
        group.lds_bytes = 1024;
        group.number = 1;
        Wave& w = *wave;
        w.lanes = lanes;
        w.group = &group;
        for (auto& lane : w.v_defined) lane = 0;
        for (auto& d : w.s_defined) d = false;
        for (auto& p : w.v_pending) p = 0;
        for (auto& p : w.s_pending) p = 0;
        for (auto& s : w.s) s = kPoison;
        for (auto& v : w.v)
            for (auto& x : v) x = kPoison;
        w.set_pair(kExec, w.all_lanes());
        w.s[kNull] = 0;
    }
    template<class F>
    Bench& v(uint32_t r, F&& value) {
        for (uint32_t l = 0; l < 64; ++l) {
            if constexpr (std::is_invocable_v<F, uint32_t>)
                wave->v[r][l] = value(l);
            else
                wave->v[r][l] = value;
        }
        wave->v_defined[r] = ~uint64_t{0};
        return *this;
    }
    Bench& s(uint32_t r, uint32_t value) {
        wave->s[r] = value;
        wave->s_defined[r] = true;
        return *this;
    }
    Bench& run(std::string_view bytes) {
        const std::vector<uint32_t> words = words_of(bytes);
        for (size_t at = 0; at < words.size();) {
            const Instruction in = decode(group.arch, std::span(words).subspan(at));
            auto& seen = executed[group.arch == Arch::gfx12];
            seen.insert(in.opcode);
            if (in.pair) seen.insert(in.pair->opcode);
            wave->next_pc = 0;
            execute(*wave, in);
            at += in.dwords;
        }
        return *this;
    }
    uint32_t get(uint32_t r, uint32_t lane = 0) const { return wave->v[r][lane]; }
    uint32_t scalar(uint32_t r) const { return wave->s[r]; }

    AddressSpace memory;
    Workgroup group;
    std::unique_ptr<Wave> wave;
    std::vector<std::byte> memory_bytes;
};

inline bool faults(Bench& bench, std::string_view bytes, std::string_view text) {
    try {
        bench.run(bytes);
    } catch (const Fault& fault) {
        INFO(std::string(fault.what()));
        CHECK(std::string_view(fault.what()).find(text) != std::string_view::npos);
        return true;
    }
    return false;
}

} // namespace vkinfer::rdna
