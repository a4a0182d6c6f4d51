#include "rdna/machine.h"

#include "rdna/checks.h"
#include "rdna/model.h"
#include "rdna/replay.h"

#include <algorithm>
#include <cstdio>
#include <numeric>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace vkinfer::rdna {

namespace {

constexpr size_t kMaxCodeDwords = size_t{1} << 18;

/// Flushes f32 denormals of the host as the kernel's mode says; conversions to and from f16 are not affected by it.
class DenormalMode {
public:
#if defined(__x86_64__)
    explicit DenormalMode(bool flush) : old_(_mm_getcsr()) { _mm_setcsr(flush ? old_ | 0x8040u : old_ & ~0x8040u); }
    ~DenormalMode() { _mm_setcsr(old_); }

private:
    unsigned old_;
#else
    explicit DenormalMode(bool) {}
#endif
};

/// The halves of a VOPD read before either writes.
void run_dual(Wave& w, const Instruction& in) {
    const Instruction& second = *in.pair;
    const uint32_t d = in.dst.index;
    uint32_t before[64], after[64];
    std::memcpy(before, w.v[d], sizeof before);
    in.handler(w, in);
    const auto reads_d = [&](const Operand& o) { return o.kind == OperandKind::vgpr && o.index == d; };
    if (!std::ranges::any_of(second.src, reads_d)) return second.handler(w, second);
    std::memcpy(after, w.v[d], sizeof after);
    std::memcpy(w.v[d], before, sizeof before);
    second.handler(w, second);
    std::memcpy(w.v[d], after, sizeof after);
}

} // namespace

void execute(Wave& w, const Instruction& in) {
    const bool check = w.group->check;
    const uint64_t exec = w.exec();
    const Timing* timing = w.group->timing;
    const std::array<uint32_t, kCounters> issued = timing ? w.issued : std::array<uint32_t, kCounters>{};
    GroupTrace* trace = w.group->trace;
    const TraceMark before = trace ? mark(w) : TraceMark{};
    if (check) {
        check_before(w, in);
        if (in.pair) check_before(w, *in.pair);
    }
    if (in.pair)
        run_dual(w, in);
    else
        in.handler(w, in);
    if (check) {
        mark_after(w, in, exec);
        if (in.pair) mark_after(w, *in.pair, exec);
    }
    if (w.group->counters) w.group->counters->count(in);
    if (timing) {
        for (size_t c = 0; c < kCounters; ++c)
            if (w.issued[c] != issued[c]) w.issued_at[c][w.issued[c] % 64] = w.clock;
        w.clock += timing->issue_of(in);
    }
    if (trace) record(*trace, w, in, before);
}

Program& Machine::program(uint64_t address) {
    // The code lies in one mapping; how long it is shows when it ends: at the mapping's end at the latest. The mapping
    // may be another one than last time.
    size_t dwords = 64;
    for (size_t step = kMaxCodeDwords; step > 0; step /= 2)
        if (memory_.find(address, (dwords + step) * 4) != nullptr) dwords += step;
    const auto* host = reinterpret_cast<const uint32_t*>(memory_.at(address, dwords * 4, "instruction fetch"));
    auto& slot = programs_[address];
    if (!slot || !slot->is_current(host, dwords)) slot = std::make_unique<Program>(arch_, host, dwords, executed_);
    return *slot;
}

void Machine::run(const Dispatch& dispatch) {
    Program& code = program(dispatch.code);
    const DenormalMode mode(dispatch.flush_f32_denormals);
    group_.arch = arch_;
    group_.memory = &memory_;
    group_.check = options_.check;
    group_.strict_reads = options_.strict_reads;
    group_.counters = options_.count ? &counters_ : nullptr;
    const Timing timing = options_.count && options_.chip ? timing_of(dispatch, *options_.chip) : Timing{};
    group_.timing = options_.count && options_.chip ? &timing : nullptr;
    group_.lds_bytes = dispatch.lds_bytes;
    if (group_.lds.size() < dispatch.lds_bytes + 64u) {
        group_.lds.resize(dispatch.lds_bytes + 64u);
        group_.lds_cells.resize(dispatch.lds_bytes / 4u + 16);
    }
    limit_ = n_instructions_ + options_.max_instructions;
    if (options_.trace)
        std::fprintf(stderr, "dispatch of the code at %#llx\n", static_cast<unsigned long long>(dispatch.code));
    random_ = options_.seed;
    const uint64_t n_groups = uint64_t{dispatch.groups[0]} * dispatch.groups[1] * dispatch.groups[2];
    const uint64_t waves = counters_.waves, wave_clocks = counters_.wave_clocks;
    GroupTrace trace;
    GroupTrace* const traced = group_.timing ? &trace : nullptr;
    if (options_.sampled_groups > 0 && n_groups > options_.sampled_groups) {
        run_sample(dispatch, code, n_groups, traced);
    } else {
        for (uint64_t i = 0; i < n_groups; ++i)
            run_group(dispatch, code, options_.order == WaveOrder::forward ? i : n_groups - 1 - i,
                      i == n_groups / 2 ? traced : nullptr);
    }
    if (traced == nullptr || trace.wave_clocks == 0) return;
    // Other groups may have had more to do than the one that was noted, or less.
    const double mean = static_cast<double>(counters_.wave_clocks - wave_clocks) /
                        static_cast<double>(counters_.waves - waves),
                 noted = static_cast<double>(trace.wave_clocks) / static_cast<double>(trace.waves.size());
    counters_.together_clocks += clocks_together(trace, timing, dispatch, *options_.chip, n_groups) * mean / noted;
}

/// One group out of each of n equal stretches, at a place of its own, so that no pattern of the grid is met by chance.
void Machine::run_sample(const Dispatch& dispatch, Program& code, uint64_t n_groups, GroupTrace* trace) {
    const uint64_t n = options_.sampled_groups;
    for (uint64_t i = 0; i < n; ++i) {
        random_ = random_ * 1664525u + 1013904223u;
        const uint64_t first = i * n_groups / n, length = (i + 1) * n_groups / n - first;
        run_group(dispatch, code, first + (random_ >> 8) % length, i == n / 2 ? trace : nullptr);
        if (options_.count) counters_.end_sampled_group();
    }
    if (options_.count) counters_.extrapolate(n_groups);
}

void Machine::start_wave(Wave& w, const Dispatch& dispatch, std::array<uint32_t, 3> id, std::array<uint32_t, 3> threads,
                         uint32_t index, uint32_t n_waves) {
    w.lanes = dispatch.lanes;
    w.pc = 0;
    w.scc = false;
    w.state = WaveState::running;
    w.signalled = false;
    w.index = static_cast<uint8_t>(index);
    w.group = &group_;
    w.code_address = dispatch.code;
    std::fill(std::begin(w.s), std::end(w.s), kPoison);
    std::fill(std::begin(w.v_defined), std::end(w.v_defined), 0);
    std::fill(std::begin(w.s_defined), std::end(w.s_defined), false);
    std::fill(std::begin(w.v_pending), std::end(w.v_pending), 0);
    std::fill(std::begin(w.s_pending), std::end(w.s_pending), 0);
    w.issued = w.completed = {};
    w.clock = 0;
    w.scratch_bytes = dispatch.scratch_bytes;
    w.scratch.resize(size_t{dispatch.scratch_bytes} * dispatch.lanes);
    for (size_t i = 0; i + 4 <= w.scratch.size(); i += 4) std::memcpy(w.scratch.data() + i, &kPoison, 4);

    uint32_t n = 0;
    const auto scalar = [&](uint32_t r, uint32_t value) {
        w.s[r] = value;
        w.s_defined[r] = true;
    };
    for (; n < dispatch.n_user_data; ++n) scalar(n, dispatch.user_data[n]);
    if (arch_ == Arch::gfx12) {
        scalar(kTtmp0 + 9, id[0]);
        scalar(kTtmp0 + 7, id[1] | id[2] << 16);
        scalar(kTtmp0 + 8, index << 25);
    } else {
        if (dispatch.group_id_x) scalar(n++, id[0]);
        if (dispatch.group_id_y) scalar(n++, id[1]);
        if (dispatch.group_id_z) scalar(n++, id[2]);
    }
    if (dispatch.group_size) scalar(n++, index << 20 | n_waves);

    const uint32_t n_threads = threads[0] * threads[1] * threads[2];
    uint64_t exec = 0;
    for (uint32_t l = 0; l < w.lanes; ++l) {
        const uint32_t t = index * w.lanes + l;
        if (t < n_threads) exec |= uint64_t{1} << l;
        w.v[0][l] = t % threads[0] | t / threads[0] % threads[1] << 10 | t / (threads[0] * threads[1]) << 20;
    }
    w.v_defined[0] = exec;
    w.set_pair(kExec, exec);
    w.s[kNull] = 0;
}

void Machine::run_group(const Dispatch& dispatch, Program& code, uint64_t number, GroupTrace* trace) {
    const std::array<uint32_t, 3> id{static_cast<uint32_t>(number % dispatch.groups[0]),
                                     static_cast<uint32_t>(number / dispatch.groups[0] % dispatch.groups[1]),
                                     static_cast<uint32_t>(number / dispatch.groups[0] / dispatch.groups[1])};
    std::array<uint32_t, 3> threads = dispatch.threads;
    for (size_t i = 0; i < 3; ++i)
        if (id[i] + 1 == dispatch.groups[i] && dispatch.last_threads[i] != 0) threads[i] = dispatch.last_threads[i];
    const uint32_t n_threads = threads[0] * threads[1] * threads[2];
    const uint32_t n_waves = (n_threads + dispatch.lanes - 1) / dispatch.lanes;
    if (waves_.size() < n_waves) waves_.resize(n_waves);
    ++group_.number;
    ++group_.epoch;
    if (options_.check) std::fill(group_.lds.begin(), group_.lds.end(), std::byte{0xff});
    for (uint32_t i = 0; i < n_waves; ++i) start_wave(waves_[i], dispatch, id, threads, i, n_waves);
    if (options_.count) {
        ++counters_.groups;
        counters_.waves += n_waves;
    }
    group_.trace = trace;
    if (trace) trace->waves.resize(n_waves);
    std::array<uint32_t, 64> order{};
    std::iota(order.begin(), order.end(), 0u);
    if (options_.order == WaveOrder::reverse) std::reverse(order.begin(), order.begin() + n_waves);
    for (uint32_t n_running = n_waves; n_running > 0;) {
        if (options_.order == WaveOrder::random) {
            for (uint32_t i = n_waves; i > 1; --i) {
                random_ = random_ * 1664525u + 1013904223u;
                std::swap(order[i - 1], order[(random_ >> 8) % i]);
            }
        }
        for (uint32_t i = 0; i < n_waves; ++i) {
            Wave& w = waves_[order[i]];
            if (w.state != WaveState::running) continue;
            try {
                run_wave(w, code);
            } catch (const Fault& f) {
                std::string text;
                try {
                    text = to_string(code.at(w.pc));
                } catch (const Fault&) {
                    text = "an instruction that is not decoded";
                }
                fault(
                    "{}\n  in {} at dword {} of the code at {:#x}, group {},{},{} of {},{},{}, wave {} of {} (wave{})",
                    f.what(), text, w.pc, dispatch.code, id[0], id[1], id[2], dispatch.groups[0], dispatch.groups[1],
                    dispatch.groups[2], w.index, n_waves, w.lanes);
            }
        }
        // All that are left stand at a barrier: let them go.
        n_running = 0;
        uint64_t clock = 0;
        for (uint32_t i = 0; i < n_waves; ++i)
            if (waves_[i].state == WaveState::barrier) clock = std::max(clock, waves_[i].clock);
        for (uint32_t i = 0; i < n_waves; ++i) {
            if (waves_[i].state != WaveState::barrier) continue;
            waves_[i].state = WaveState::running;
            waves_[i].clock = clock;
            ++n_running;
        }
        ++group_.epoch;
    }
    for (uint32_t i = 0; i < n_waves; ++i) {
        counters_.wave_clocks += waves_[i].clock;
        if (trace) trace->wave_clocks += waves_[i].clock;
    }
}

void Machine::run_wave(Wave& w, Program& code) {
    const bool skips = !options_.skip.empty();
    while (w.state == WaveState::running) {
        const Instruction& in = code.at(w.pc);
        w.next_pc = w.pc + in.dwords;
        if (options_.trace && w.index == 0) std::fprintf(stderr, "%5u  %s\n", w.pc, to_string(in).c_str());
        if (!skips || in.opcode->name != options_.skip) execute(w, in);
        if (++n_instructions_ > limit_) fault("more than {} instructions in one dispatch", options_.max_instructions);
        w.pc = w.next_pc;
    }
}

} // namespace vkinfer::rdna
