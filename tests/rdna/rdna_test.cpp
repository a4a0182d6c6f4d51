// Whole groups on the interpreter, its clocks, and its checks: each must find the fault it is there for, and nothing
// when the fault is mended.
#include "rdna/bench.h"
#include "rdna/command_processor.h"
#include "rdna/coverage.h"
#include "rdna/machine.h"
#include "rdna/model.h"
#include "rdna/replay.h"

#include <cstdlib>
#include <doctest/doctest.h>
#include <string_view>
#include <vector>

using namespace vkinfer::rdna;

TEST_CASE("the two halves of a barrier") {
    // Two waves exchange a value through LDS: the address of the other wave's is v0 ^ 128.
    //   v_lshlrev_b32 v0, 2, v0; ds_store_b32 v0, v0; s_wait_dscnt 0; s_barrier_signal -1; s_barrier_wait -1;
    //   v_xor_b32 v1, 128, v0; ds_load_b32 v2, v1; s_wait_dscnt 0; global_store_b32 v0, v2, s[0:1]; s_endpgm
    const std::string_view before = "82000030"
                                    "000034d800000000"
                                    "0000c6bf",
                           signal = "c14e80be", wait = "ffff94bf",
                           after = "ff00023a80000000"
                                   "0000d8d801000002"
                                   "0000c6bf"
                                   "008006ee0000000100000000"
                                   "0000b0bf";
    const auto run = [&](std::string_view middle, WaveOrder order) {
        std::vector<uint32_t> code = words_of(std::string(before) + std::string(middle) + std::string(after));
        code.resize(512);
        std::vector<uint32_t> data(64);
        AddressSpace memory;
        memory.map(kBase, code.size() * 4, reinterpret_cast<std::byte*>(code.data()));
        memory.map(kBase + 0x10000, data.size() * 4, reinterpret_cast<std::byte*>(data.data()));
        Machine machine(Arch::gfx12, memory);
        machine.options().order = order;
        Dispatch d;
        d.code = kBase;
        d.threads = {64, 1, 1};
        d.lanes = 32;
        d.lds_bytes = 512;
        d.n_user_data = 2;
        d.user_data[0] = static_cast<uint32_t>(kBase + 0x10000);
        d.user_data[1] = static_cast<uint32_t>((kBase + 0x10000) >> 32);
        machine.run(d);
        for (const Opcode* row : machine.executed()) executed[1].insert(row);
        return data;
    };
    const std::string both = std::string(signal) + std::string(wait);
    for (const WaveOrder order : {WaveOrder::forward, WaveOrder::reverse, WaveOrder::random}) {
        const std::vector<uint32_t> data = run(both, order);
        CHECK(data[0] == 128);
        CHECK(data[33] == 4);
        CHECK_THROWS_AS(run("", order), Fault);                             // no barrier: a race, whatever the order
        CHECK_THROWS_AS(run(signal, order), Fault);                         // LDS between the halves
        CHECK_THROWS_AS(run(wait, order), Fault);                           // nobody signalled
        CHECK_THROWS_AS(run(std::string(signal) + both, order), Fault);     // signalled twice
        CHECK_THROWS_AS(run("814e80be" + std::string(wait), order), Fault); // a named barrier
    }
}

TEST_CASE("clocks of waves, and a sample of groups") {
    //   v_lshlrev_b32 v0, 2, v0; global_load_b32 v1, v0, s[0:1]; global_load_b32 v2, v0, s[0:1] offset:128;
    //   s_wait_loadcnt 1; v_add_nc_u32 v1, v1, v1; s_wait_loadcnt 0; v_add_nc_u32 v2, v2, v2;
    //   global_store_b32 v0, v2, s[0:1] offset:256; s_endpgm
    std::vector<uint32_t> code = words_of("82000030"
                                          "000005ee0100000000000000"
                                          "000005ee0200000000800000"
                                          "0100c0bf"
                                          "0103024a"
                                          "0000c0bf"
                                          "0205044a"
                                          "008006ee0000000100000100"
                                          "0000b0bf");
    code.resize(512);
    std::vector<uint32_t> data(128);
    AddressSpace memory;
    memory.map(kBase, code.size() * 4, reinterpret_cast<std::byte*>(code.data()));
    memory.map(kBase + 0x10000, data.size() * 4, reinterpret_cast<std::byte*>(data.data()));
    const auto run = [&](uint32_t n_groups, uint32_t sampled) {
        Machine machine(Arch::gfx12, memory);
        machine.options().count = true;
        machine.options().chip = find_chip("gfx1201");
        machine.options().sampled_groups = sampled;
        Dispatch d;
        d.code = kBase;
        d.groups = {n_groups, 1, 1};
        d.threads = {32, 1, 1};
        d.lanes = 32;
        d.n_user_data = 2;
        d.user_data[0] = static_cast<uint32_t>(kBase + 0x10000);
        d.user_data[1] = static_cast<uint32_t>((kBase + 0x10000) >> 32);
        machine.run(d);
        return machine.counters();
    };
    const Counters one = run(1, 0);
    // Both loads are on their way while the wave waits for the first: one latency (400) and not two.
    CHECK(one.wave_clocks >= 400);
    CHECK(one.wave_clocks < 420);
    const Counters all = run(1000, 0), sample = run(1000, 16);
    CHECK(sample.groups == all.groups);
    CHECK(sample.waves == all.waves);
    CHECK(sample.instructions == all.instructions);
    CHECK(sample.wave_clocks == all.wave_clocks);
    CHECK(sample.loads.lines == all.loads.lines);
    CHECK(sample.n_touched_lines() == 3); // every group has the same three lines
    CHECK(all.n_touched_lines() == 3);
    // 64 CUs, groups of a wave: one for each CU takes as long as one, and 1000 no longer than one after the other.
    CHECK(one.together_clocks >= 400);
    CHECK(one.together_clocks < 420);
    CHECK(all.together_clocks >= one.together_clocks);
    CHECK(all.together_clocks < 16 * one.together_clocks);
    CHECK(sample.together_clocks == doctest::Approx(all.together_clocks));
    CHECK(find_chip("strix1", "8060S")->compute_units == 40);
    CHECK(find_chip("strix1", "Voodoo") == nullptr);
}

TEST_CASE("groups side by side") {
    Timing timing;
    timing.latency[static_cast<size_t>(Counter::load)] = 400;
    const TraceEvent vector{.unit = Unit::vector, .issue_clocks = 1, .unit_clocks = 1};
    const TraceEvent lds{
        .unit = Unit::lds, .issue_clocks = 1, .starts = true, .counter = Counter::ds, .unit_clocks = 4};
    const TraceEvent load{.unit = Unit::cache, .issue_clocks = 1, .starts = true, .unit_clocks = 1};
    const TraceEvent wait{.kind = TraceEvent::Kind::wait, .operation = 1};
    const TraceEvent barrier{.kind = TraceEvent::Kind::barrier};
    const auto play = [&](std::vector<std::vector<TraceEvent>> waves, ReplayPlace place, uint32_t n_groups) {
        GroupTrace trace;
        trace.waves = std::move(waves);
        return replay(trace, timing, place, n_groups);
    };
    const std::vector<TraceEvent> work(100, vector);
    // Waves share a SIMD's pipe, and two SIMDs do not.
    CHECK(play({work}, {2, 1}, 1) == 100);
    CHECK(play({work, work}, {2, 1}, 1) == 100);
    CHECK(play({work, work, work, work}, {2, 1}, 1) == 200);
    CHECK(play({work}, {2, 2}, 4) == 200);
    // A load's latency is hidden by another group only where that one fits as well.
    std::vector<TraceEvent> loads{load, wait};
    loads.insert(loads.end(), work.begin(), work.end());
    CHECK(play({loads}, {2, 1}, 1) == 1 + 400 + 100);
    CHECK(play({loads}, {2, 1}, 2) == 2 * (1 + 400 + 100));
    CHECK(play({loads}, {2, 2}, 2) == 1 + 1 + 400 + 100); // on the other SIMD, behind the first in the cache
    // Waves meet at a barrier, and one that ends does not keep the others there.
    CHECK(play({{vector, barrier, vector}, {vector, vector, vector, barrier, vector}}, {2, 1}, 1) == 4);
    CHECK(play({{vector, barrier, vector}, {vector, vector, vector}}, {2, 1}, 1) == 4);
    // LDS of a CU serves one access after the other, that of another CU is free.
    const TraceEvent lds_wait{.kind = TraceEvent::Kind::wait, .counter = Counter::ds, .operation = 1};
    CHECK(play({{lds, lds_wait}, {lds, lds_wait}}, {2, 1}, 1) == 8);
    CHECK(play({{lds, lds_wait}, {}, {lds, lds_wait}, {}}, {4, 1}, 1) == 4);
}

TEST_CASE("registers of an indirect dispatch come out of memory, and packets that are not known are named") {
    constexpr uint32_t kPgmLo = 0x20c, kRsrc2 = 0x213, kNumThreadX = 0x207, kUserData0 = 0x240; // from 0xb000 on
    constexpr uint64_t kSizes = kBase + 0x10000, kResult = kBase + 0x10100;
    const auto packet = [](uint32_t opcode, std::initializer_list<uint32_t> body) {
        std::vector<uint32_t> words{3u << 30 | static_cast<uint32_t>(body.size() - 1) << 16 | opcode << 8};
        words.insert(words.end(), body);
        return words;
    };
    const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
    const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
    for (const Arch arch : {Arch::gfx11, Arch::gfx12}) {
        std::vector<uint32_t> code; // stores the group counts in s[2:4] to s[0:1]
        for (uint32_t i = 0; i < 3; ++i) {
            code.push_back(0x7e020202 + i); // v_mov_b32 v1, s2 + i
            if (arch == Arch::gfx12)        // global_store_b32 v0, v1, s[0:1] offset:4 * i
                code.insert(code.end(), {0xee068000, 0x00800000, 4 * i << 8});
            else
                code.insert(code.end(), {0xdc6a0000 | 4 * i, 0x00000100});
        }
        code.push_back(0xbfb00000); // s_endpgm
        code.resize(512);
        std::vector<uint32_t> data(128), commands;
        AddressSpace memory;
        memory.map(kBase, code.size() * 4, reinterpret_cast<std::byte*>(code.data()));
        memory.map(kSizes, data.size() * 4, reinterpret_cast<std::byte*>(data.data()));
        CommandProcessor processor(arch, memory);
        const auto run = [&](std::initializer_list<std::vector<uint32_t>> packets) {
            commands.clear();
            for (const auto& words : packets) commands.insert(commands.end(), words.begin(), words.end());
            memory.map(kBase + 0x20000, commands.size() * 4, reinterpret_cast<std::byte*>(commands.data()));
            processor.run(kBase + 0x20000, static_cast<uint32_t>(commands.size()) * 4);
        };
        run({packet(0x76, {kPgmLo, low(kBase >> 8), high(kBase >> 8)}), packet(0x76, {kNumThreadX, 1, 1, 1}),
             packet(0x76, {kRsrc2, 5 << 1}), packet(0x76, {kUserData0, low(kResult), high(kResult)}),
             packet(0x37, {5 << 8, low(kSizes), high(kSizes), 2, 3, 4}), // WRITE_DATA
             packet(0x63, {low(kSizes), high(kSizes), kUserData0 + 2, 3}),
             packet(0x16, {low(kSizes), high(kSizes), 0x8005})}); // DISPATCH_INDIRECT
        const size_t at = (kResult - kSizes) / 4;
        CHECK(data[at] == 2);
        CHECK(data[at + 1] == 3);
        CHECK(data[at + 2] == 4);
        for (const auto& [words, text] :
             {std::pair{packet(0x64, {0}), "packet opcode 0x64 is not handled"},
              std::pair{packet(0x63, {low(kSizes) | 1, high(kSizes), kUserData0, 3}), "LOAD_SH_REG_INDEX"},
              std::pair{packet(0x63, {low(kSizes), high(kSizes), 0x3ff, 3}), "LOAD_SH_REG_INDEX"}}) {
            std::string message;
            try {
                run({words});
            } catch (const Fault& fault) {
                message = fault.what();
            }
            CHECK_MESSAGE(message.find(text) != std::string::npos, message);
        }
    }
}

TEST_CASE("a register that nobody wrote, or whose load was not waited for, is not read unseen") {
    Bench unwritten;
    unwritten.v(0, 1u);
    CHECK(faults(unwritten, "00030406", "v1 is read")); // v_add_f32 v2, v0, v1
    Bench partial;
    partial.v(0, 1u).v(1, 1u).wave->v_defined[1] = 0xf;
    CHECK(faults(partial, "00030406", "v1 is read"));
    partial.s(kExec, 0xf);
    CHECK_FALSE(faults(partial, "00030406", ""));
    // Exchanges between lanes read others than they write: v_readlane_b32 s4, v1, 5; v_mov_b32 v2, v1 row_shr:1
    for (const char* code : {"040060d7010b0100", "fa02047e011101ff"}) {
        INFO(std::string(code));
        Bench lanes;
        lanes.v(1, 1u).wave->v_defined[1] = ~uint64_t{1 << 5};
        CHECK(faults(lanes, code, "v1 is read"));
        lanes.wave->v_defined[1] = ~uint64_t{0};
        CHECK_FALSE(faults(lanes, code, ""));
    }

    for (const bool waits : {false, true}) {
        Bench b;
        b.s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32)).v(0, 0u).v(1, 0u);
        b.run("040005ee0200000000000000"); // global_load_b32 v2
        if (waits) b.run("0000c0bf");
        CHECK(faults(b, "0203047e", "waited for") != waits); // v_mov_b32 v2, v2
        Bench s;
        s.s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32));
        s.run("022200f4040000f8"); // s_load_b64 s[8:9], s[4:5], 4
        if (waits) s.run("0000c7bf");
        CHECK(faults(s, "080084be", "waited for") != waits); // s_mov_b32 s4, s8
    }
}

TEST_CASE("accesses outside a buffer and outside every mapping") {
    Bench b;
    b.s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32)).v(0, 4096u).v(2, 0u).v(3, 0u);
    CHECK(faults(b, "04c006ee0000000100000000", "nothing is mapped"));
    Bench strict;
    strict.group.strict_reads = true;
    strict.s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32)).s(6, 20).s(7, 0).v(0, 16u);
    CHECK(faults(strict, "7c4005c40208804000000000", "beyond the end"));
}

TEST_CASE("LDS that was not written, and waves that meet there without a barrier") {
    Bench b;
    b.v(0, 0u).v(1, 1u);
    CHECK(faults(b, "0000d8d800000002", "before anything was written"));
    b.run("000034d800010000");
    CHECK_FALSE(faults(b, "0000d8d800000002", ""));
    b.wave->index = 1; // another wave reads it in the same epoch
    b.wave->completed = b.wave->issued;
    CHECK(faults(b, "0000d8d800000002", "without a barrier"));
    ++b.group.epoch;
    b.wave->completed = b.wave->issued;
    CHECK_FALSE(faults(b, "0000d8d800000002", ""));
    b.wave->index = 0; // and the first writes again while the other may still be reading
    CHECK(faults(b, "000034d800010000", "without a barrier"));
}

TEST_CASE("an opcode that is not in the table is named by its number") {
    Bench b;
    CHECK(faults(b, "0000e0d70000000000000000", "VOP3 opcode"));
}

TEST_CASE("the table has no two rows with one number, and every row can run") {
    for (const Opcode* op : all_opcodes()) {
        INFO(std::string(op->name));
        CHECK(op->handler != nullptr);
        CHECK((op->op11 >= 0 || op->op12 >= 0));
    }
    CHECK(all_opcodes().size() > 450);
}

// The last case of the program: what tests/rdna/sweep.py adds to what kernels ran.
TEST_CASE("how much of the opcode table ran here") {
    const std::string_view options = std::getenv("VKINFER_RDNA") ? std::getenv("VKINFER_RDNA") : "";
    constexpr std::string_view kKey = "opcodes=";
    for (const Arch arch : {Arch::gfx11, Arch::gfx12}) {
        print_coverage(arch, executed[arch == Arch::gfx12]);
        if (options.starts_with(kKey))
            append_coverage(std::string(options.substr(kKey.size())), arch, executed[arch == Arch::gfx12], "tested");
    }
    CHECK(executed[0].size() > 15);
    CHECK(executed[1].size() > 70);
}
