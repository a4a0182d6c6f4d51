#include "rdna/replay.h"

#include "rdna/counters.h"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>
#include <utility>

namespace vkinfer::rdna {

namespace {

struct PlayedWave {
    const std::vector<TraceEvent>* events = nullptr;
    size_t next = 0;
    uint32_t simd = 0, group = 0;
    std::array<uint32_t, kCounters> started{};
    std::array<std::array<uint64_t, 64>, kCounters> done_at{}; ///< of the last 64 operations
};

struct PlayedGroup {
    uint32_t n_running = 0;
    std::vector<uint32_t> at_barrier;
};

/// The clock from which on each unit is free; LDS and cache by CU.
struct Units {
    std::array<uint64_t, 4> vector{}, scalar{};
    std::array<uint64_t, 2> lds{}, cache{};

    uint64_t* of(Unit unit, uint32_t simd) {
        switch (unit) {
        case Unit::vector:
            return &vector[simd];
        case Unit::scalar:
            return &scalar[simd];
        case Unit::lds:
            return &lds[simd / 2];
        case Unit::cache:
            return &cache[simd / 2];
        case Unit::none:
            break;
        }
        return nullptr;
    }
};

Unit unit_of(Class cls, uint64_t lds_cycles, uint64_t lines) {
    if (lds_cycles > 0) return Unit::lds;
    if (lines > 0) return Unit::cache;
    switch (cls) {
    case Class::vector:
    case Class::dual:
    case Class::dot:
    case Class::transcendental:
    case Class::matrix:
        return Unit::vector;
    case Class::scalar:
    case Class::scalar_memory:
    case Class::branch:
        return Unit::scalar;
    default:
        return Unit::none;
    }
}

class Player {
public:
    Player(const GroupTrace& trace, const Timing& timing, const ReplayPlace& place, uint32_t n_groups)
        : trace_(trace), timing_(timing), n_simds_(place.n_simds), n_waves_(static_cast<uint32_t>(trace.waves.size())),
          waves_(size_t{n_waves_} * n_groups), groups_(n_groups) {
        for (uint32_t i = 0; i < std::min(place.n_resident, n_groups); ++i) start_group(0);
    }

    uint64_t run() {
        uint64_t end = 0;
        while (!ready_.empty()) {
            const auto [clock, number] = ready_.top();
            ready_.pop();
            end = std::max(end, clock);
            step(clock, number);
        }
        return end;
    }

private:
    void start_group(uint64_t clock) {
        if (n_started_ == groups_.size()) return;
        groups_[n_started_].n_running = n_waves_;
        for (uint32_t i = 0; i < n_waves_; ++i) {
            const uint32_t number = n_started_ * n_waves_ + i;
            waves_[number].events = &trace_.waves[i];
            waves_[number].simd = next_simd_++ % n_simds_;
            waves_[number].group = n_started_;
            ready_.emplace(clock, number);
        }
        ++n_started_;
    }

    void end_wave(uint64_t clock, PlayedGroup& group) {
        if (--group.n_running == 0) return start_group(clock);
        open_barrier(clock, group);
    }

    void open_barrier(uint64_t clock, PlayedGroup& group) {
        if (group.at_barrier.size() < group.n_running) return;
        for (const uint32_t other : group.at_barrier) ready_.emplace(clock, other);
        group.at_barrier.clear();
    }

    void step(uint64_t clock, uint32_t number) {
        PlayedWave& w = waves_[number];
        PlayedGroup& group = groups_[w.group];
        if (w.next == w.events->size()) return end_wave(clock, group);
        const TraceEvent& e = (*w.events)[w.next];
        const auto c = static_cast<size_t>(e.counter);
        if (e.kind == TraceEvent::Kind::wait) {
            ++w.next;
            ready_.emplace(std::max(clock, w.done_at[c][e.operation % 64]), number);
            return;
        }
        if (e.kind == TraceEvent::Kind::barrier) {
            ++w.next;
            group.at_barrier.push_back(number);
            return open_barrier(clock, group); // who comes last has the latest clock
        }
        uint64_t begin = clock;
        if (uint64_t* free = units_.of(e.unit, w.simd)) {
            // Operations of memory queue up at their unit; a wave whose arithmetic finds it taken comes again, the
            // oldest wave first.
            if (*free > clock && !e.starts) {
                ready_.emplace(*free, number);
                return;
            }
            begin = std::max(clock, *free);
            *free = begin + e.unit_clocks;
        }
        if (e.starts) {
            const uint32_t n = ++w.started[c];
            const uint64_t before = n > 1 ? w.done_at[c][(n - 1) % 64] : 0;
            w.done_at[c][n % 64] = std::max(before, begin + e.unit_clocks + timing_.latency[c]);
        }
        ++w.next;
        ready_.emplace(clock + e.issue_clocks, number);
    }

    const GroupTrace& trace_;
    const Timing& timing_;
    uint32_t n_simds_, n_waves_, n_started_ = 0, next_simd_ = 0;
    std::vector<PlayedWave> waves_;
    std::vector<PlayedGroup> groups_;
    Units units_;
    using Entry = std::pair<uint64_t, uint32_t>; ///< clock, wave
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> ready_;
};

} // namespace

size_t GroupTrace::size() const {
    size_t n = 0;
    for (const auto& wave : waves) n += wave.size();
    return n;
}

TraceMark mark(const Wave& w) {
    const Counters& c = *w.group->counters;
    return {w.issued, w.completed, c.lds_cycles, c.loads.lines + c.stores.lines};
}

void record(GroupTrace& trace, const Wave& w, const Instruction& in, const TraceMark& before) {
    auto& events = trace.waves[w.index];
    const TraceMark now = mark(w);
    for (size_t c = 0; c < kCounters; ++c) {
        if (now.completed[c] == before.completed[c]) continue;
        events.push_back(
            {.kind = TraceEvent::Kind::wait, .counter = static_cast<Counter>(c), .operation = now.completed[c]});
    }
    if (w.state == WaveState::barrier) {
        events.push_back({.kind = TraceEvent::Kind::barrier});
        return;
    }
    const uint64_t lds = now.lds_cycles - before.lds_cycles, lines = now.lines - before.lines;
    const Class cls = in.pair ? Class::dual : in.opcode->cls;
    const uint32_t issue = w.group->timing->issue_of(in);
    TraceEvent e{.unit = unit_of(cls, lds, lines), .issue_clocks = static_cast<uint8_t>(issue)};
    e.unit_clocks = static_cast<uint16_t>(e.unit == Unit::lds ? lds : e.unit == Unit::cache ? lines : issue);
    for (size_t c = 0; c < kCounters; ++c) {
        if (now.issued[c] == before.issued[c]) continue;
        e.starts = true;
        e.counter = static_cast<Counter>(c);
    }
    if (issue > 0 || e.starts) events.push_back(e);
}

uint64_t replay(const GroupTrace& trace, const Timing& timing, const ReplayPlace& place, uint32_t n_groups) {
    return Player(trace, timing, place, n_groups).run();
}

} // namespace vkinfer::rdna
