// The interpreter's instructions against values worked out by hand; encodings are an assembler's, in bytes.
#include "rdna/bench.h"
#include "rdna/float8.h"

#include <bit>
#include <doctest/doctest.h>
#include <functional>
#include <vector>

using namespace vkinfer::rdna;

TEST_CASE("vector arithmetic, with modifiers and constants") {
    CHECK(Bench().v(0, f(1.5f)).v(1, f(2.25f)).run("00030406").get(2) == f(3.75f)); // v_add_f32 v2, v0, v1
    CHECK(Bench().v(0, f(3)).v(1, f(-5)).run("020213d60003d22b").get(2) ==
          f(-26)); // v_fma_f32 v2, -v0, |v1|, 2.0 mul:2
    CHECK(Bench().v(0, 0x33221100u).v(1, 0x77665544u).run("020044d60003fe0300010607").get(2) ==
          0x33225544);                                                        // v_perm_b32
    CHECK(Bench().v(0, 0xf80u).run("020011d600092102").get(2) == 0xfffffff8); // v_bfe_i32 v2, v0, 4, 8
    CHECK(Bench().v(0, 0x12345678u).v(1, 0x9abcdef0u).run("020016d600033202").get(2) ==
          0x6789abcd); // v_alignbit_b32, 12
    CHECK(Bench().v(0, 0xffffffffu).v(1, 0xffffffffu).run("02002dd700030200").get(2) == 0xfffffffe); // v_mul_hi_u32
    CHECK(Bench().v(0, f(1.75f)).run("02001cd700070100").get(2) == f(14));                // v_ldexp_f32 v2, v0, 3
    CHECK(Bench().v(0, f(-3)).run("004b047e").get(2) == f(0.125f));                       // v_exp_f32
    CHECK(Bench().v(0, f(-1e20f)).run("0011047e").get(2) == 0x80000000);                  // v_cvt_i32_f32 saturates
    CHECK(Bench().v(0, f(0.1f)).v(1, f(0.9f)).run("020031d60003c203").get(2) == f(0.5f)); // v_med3 (gfx12)
    CHECK(Bench(Arch::gfx11).v(0, f(0.1f)).v(1, f(0.9f)).run("02001fd60003c203").get(2) == f(0.5f)); // its gfx11 number
    CHECK(Bench().v(0, f(0.1f)).v(1, 0x7fc00000u).run("020031d60003c203").get(2) == f(0.1f)); // with a NaN: the least
    // v_cvt_pk_rtz_f16_f32 of values between two halves, towards zero
    CHECK(Bench().v(0, f(1.0009f)).v(1, f(-2.0019f)).run("0003045e").get(2) == (half(1.0f) | half(-2.0f) << 16));
}

TEST_CASE("64-bit results, carries and their masks") {
    Bench b;
    b.v(0, 0xffffffffu).v(1, 0xffffffffu).run("026afed600030202"); // v_mad_u64_u32 v[2:3], vcc_lo, v0, v1, 0
    CHECK(b.get(2) == 1);
    CHECK(b.get(3) == 0xfffffffe);
    Bench c;
    c.v(0, [](uint32_t l) { return l == 3 ? 0xffffffffu : 1u; }).v(1, 1u);
    c.run("026a00d700030200"); // v_add_co_u32 v2, vcc_lo, v0, v1
    CHECK(c.scalar(kVcc) == 8);
    c.run("00030440"); // v_add_co_ci_u32 v2, vcc_lo, v0, v1, vcc_lo
    CHECK(c.get(2, 2) == 2);
    CHECK(c.get(2, 3) == 1);
    for (const auto& [arch, code] : {std::pair{Arch::gfx11, "02003cd784000200"}, std::pair{Arch::gfx12, "8400043e"}}) {
        Bench d(arch); // v_lshlrev_b64 v[2:3], 4, v[0:1]
        d.v(0, 0xf0000000u).v(1, 1u).run(code);
        CHECK(d.get(2) == 0);
        CHECK(d.get(3) == 0x1f);
    }
}

TEST_CASE("packed, mixed and dot products") {
    const uint32_t a = half(2) | half(3) << 16, b = half(10) | half(20) << 16;
    CHECK(Bench().v(0, a).v(1, b).run("02480ecc00030614").get(2) ==
          (half(40) | half(60) << 16));                                                 // lo: 3*10+10; hi: 2*20+20
    CHECK(Bench().v(0, a).run("024010cc00e90108").get(2) == (half(4) | half(6) << 16)); // v_pk_mul_f16 v2, v0, 2.0
    CHECK(Bench().v(0, a).v(1, f(0.5f)).run("020820cc0003ca0b").get(2) == f(2.5f)); // mix: 3 (f16, high) * 0.5 + 1.0
    CHECK(Bench().v(0, a).v(1, b).v(2, b).run("00030478").get(2) == (half(30) | half(80) << 16)); // v_pk_fmac_f16
    // signed times unsigned bytes: -1*1 + 2*2 + -3*3 + 4*4, plus the accumulator
    CHECK(Bench().v(0, 0x04fd02ffu).v(1, 0x04030201u).run("024016cc0003063c").get(2) == 0x04030201u + 10);
}

TEST_CASE("both halves of a VOPD read before either writes") {
    Bench b;
    b.v(0, 1u).v(1, 2u).run("010110ca00010000"); // v_dual_mov_b32 v0, v1 :: v_dual_mov_b32 v1, v0
    CHECK(b.get(0) == 2);
    CHECK(b.get(1) == 1);
    Bench c;
    c.v(0, f(2)).v(1, f(3)).v(2, f(4)).run(
        "000320c881040202"); // v_dual_fmac_f32 v2, v0, v1 :: v_dual_add_nc_u32 v3, 1, v2
    CHECK(c.get(2) == f(10));
    CHECK(c.get(3) == f(4) + 1);
}

TEST_CASE("lanes: DPP, permutes, masks") {
    const auto lane = [](uint32_t l) { return l; };
    Bench shift;
    shift.v(0, lane).v(1, 100u).v(2, 7u).run("fa02044a001101ff"); // v_add_nc_u32_dpp v2, v0, v1 row_shr:1
    CHECK(shift.get(2, 0) == 7);                                  // no lane to the left: unwritten
    CHECK(shift.get(2, 1) == 100);
    CHECK(shift.get(2, 16) == 7);
    CHECK(shift.get(2, 31) == 130);
    Bench swapped;
    swapped.v(0, [](uint32_t l) { return f(static_cast<float>(l)); }).v(1, f(0)).run("fa020406006101ff"); // row_xmask:1
    CHECK(swapped.get(2, 4) == f(5));
    CHECK(swapped.get(2, 5) == f(4));
    Bench permute;
    permute.v(0, lane).s(4, 0x76543210u).s(5, 0xfedcba98u).run("02005cd600091400"); // v_permlanex16_b32
    CHECK(permute.get(2, 0) == 16);
    CHECK(permute.get(2, 20) == 4);
    CHECK(Bench().v(0, lane).run("040060d7000b0100").scalar(4) == 5); // v_readlane_b32 s4, v0, 5
    CHECK(Bench().run("02001fd7c1000100").get(2, 9) == 9);            // v_mbcnt_lo_u32_b32 v2, -1, 0
    Bench select;
    select.v(0, f(1))
        .v(1, [](uint32_t l) { return f(l < 8 ? 2.0f : 0.0f); })
        .run("0003227c"); // v_cmp_lt_f32 vcc, v0, v1
    CHECK(select.scalar(kVcc) == 0xff);
    select.run("00030402"); // v_cndmask_b32 v2, v0, v1, vcc
    CHECK(select.get(2, 7) == f(2));
    CHECK(select.get(2, 8) == f(1));
    // The class of a signalling NaN is bit 0 of the mask, whatever the lane: v_cmp_class_f32 vcc, s4, v0
    CHECK(Bench().v(0, lane).s(4, 0x7f800001).run("0400fc7c").scalar(kVcc) == 0xaaaaaaaa);
    Bench exec;
    exec.v(0, lane).run("8200987d"); // v_cmpx_gt_u32 2, v0
    CHECK(exec.scalar(kExec) == 3);
}

TEST_CASE("scalar arithmetic and SCC") {
    CHECK(Bench().s(5, 0x12345678).run("05ff049304000800").scalar(4) == 0x67); // s_bfe_u32 s4, s5, 0x80004
    Bench carry;
    carry.s(5, 0x80000000).s(6, 1).run("05068487"); // s_lshl2_add_u32
    CHECK(carry.scalar(4) == 1);
    Bench wide;
    wide.s(6, 0xff).s(7, 0xff).s(8, 0x0f).s(9, 0xff).run("06088491"); // s_and_not1_b64
    CHECK(wide.scalar(4) == 0xf0);
    CHECK(wide.scalar(5) == 0);
    CHECK(wide.wave->scc);
    wide.run("83870498"); // s_cselect_b32 s4, 3, 7
    CHECK(wide.scalar(4) == 3);
    Bench save;
    save.s(5, 0xf0).run("052084be"); // s_and_saveexec_b32 s4, s5
    CHECK(save.scalar(4) == 0xffffffff);
    CHECK(save.scalar(kExec) == 0xf0);
    CHECK(Bench().s(5, 0x80000000).s(6, 6).run("05068496").scalar(4) == 3); // s_mul_hi_u32
    CHECK(Bench().s(4, 1).s(5, 0xffffffff).run("040502bf").wave->scc);      // s_cmp_gt_i32: 1 > -1
}

TEST_CASE("global and buffer memory, atomics") {
    for (const bool gfx12 : {false, true}) {
        Bench b(gfx12 ? Arch::gfx12 : Arch::gfx11);
        auto* words = reinterpret_cast<uint32_t*>(b.memory_bytes.data());
        for (uint32_t i = 0; i < 1024; ++i) words[i] = 0x10000 * i + i;
        b.s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32)).v(0, [](uint32_t l) {
            return 4 * l;
        });
        const char* wait = gfx12 ? "0000c0bf" : "f70389bf";
        b.run(gfx12 ? "040005ee0200000000000000" : "000052dc00000402").run(wait); // global_load_b32 v2, v0, s[4:5]
        CHECK(b.get(2, 3) == 0x30003);
        b.run(gfx12 ? "04c008ee0200000000020000" : "02008edc00000402").run(wait); // global_load_d16_hi_b16, offset 2
        CHECK(b.get(2, 5) == 0x50005);
        b.v(1, 1u);
        b.run(gfx12 ? "04400dee0200900000000000" : "0040d6dc00010402").run(wait); // global_atomic_add_u32, returning
        CHECK(b.get(2, 7) == 0x70007);
        CHECK(words[7] == 0x70008);
        b.v(2, 11u).v(3, 12u).v(0, [](uint32_t l) { return 8 * l; });
        b.run(gfx12 ? "04c006ee0000000100000000" : "00006edc00020400"); // global_store_b64
        CHECK(words[8] == 11);
        CHECK(words[9] == 12);
        // A V# of 20 bytes: lane 2 reads 4 bytes inside and 4 beyond, which read as 0.
        b.s(6, 20).s(7, 0);
        b.run(gfx12 ? "7c4005c40208804000000000" : "000054e000024180")
            .run(wait); // buffer_load_b64 v[2:3], v0, s[4:7], offen
        CHECK(b.get(2, 2) == 11);
        CHECK(b.get(3, 2) == 0);
        CHECK(b.get(2, 3) == 0);
    }
}

TEST_CASE("loads that turn a tile into a matrix operand") {
    struct AtMemory : Bench {
        explicit AtMemory(uint32_t lanes) : Bench(Arch::gfx12, lanes) {
            s(4, static_cast<uint32_t>(kBase)).s(5, static_cast<uint32_t>(kBase >> 32));
        }
    };
    const auto as_halves = [](Bench& b) { return reinterpret_cast<uint16_t*>(b.memory_bytes.data()); };
    const char *kLoad8 = "040016ee0200000000000000", *kLoad16 = "04c015ee0200000000000000", *wait = "0000c0bf";
    { // As measured on a gfx1201: lane l gives the address of eight elements, gets element l % 8 of eight lanes.
        AtMemory b(32);
        for (uint32_t i = 0; i < 256; ++i) b.memory_bytes[i] = static_cast<std::byte>(i);
        b.v(0, [](uint32_t l) { return 8 * l; }).run(kLoad8).run(wait); // global_load_tr_b64 v[2:3], v0, s[4:5]
        CHECK(b.get(2, 0) == 0x18100800);                               // bytes 0 of lanes 0 to 3
        CHECK(b.get(3, 0) == 0x58504840);                               // of lanes 8 to 11
        CHECK(b.get(2, 9) == 0x39312921);                               // bytes 1 of lanes 4 to 7
        CHECK(b.get(2, 16) == 0x98908880);                              // of lanes 16 to 19
    }
    {
        AtMemory b(32);
        for (uint32_t i = 0; i < 256; ++i) as_halves(b)[i] = static_cast<uint16_t>(i);
        b.v(0, [](uint32_t l) { return 16 * l; }).run(kLoad16).run(wait); // global_load_tr_b128 v[2:5], v0, s[4:5]
        for (const uint32_t l : {0u, 7u, 8u, 31u})
            for (uint32_t j = 0; j < 8; ++j)
                CHECK((b.get(2 + j / 2, l) >> 16 * (j % 2) & 0xffff) == 8 * (8 * (l / 8) + j) + l % 8);
    }
    // A tile of 16 rows in memory, addressed as RADV does: lane l of group g ends up with rows of its group in column
    // l % 16. The upper half of a wave of 64 needs no addresses.
    constexpr uint32_t kOrder[] = {0, 2, 1, 3};
    for (const uint32_t lanes : {32u, 64u}) {
        AtMemory b8(lanes), b16(lanes);
        for (uint32_t i = 0; i < 256; ++i) {
            b8.memory_bytes[i] = static_cast<std::byte>(i);
            as_halves(b16)[i] = static_cast<uint16_t>(1000 + i);
        }
        b8.v(0, [](uint32_t l) { return l < 32 ? (l / 8 * 4 + l % 4) * 16 + (l / 4 % 2) * 8 : ~0u; });
        b16.v(0, [](uint32_t l) { return l < 32 ? (l / 16 * 8 + l % 8) * 32 + (l / 8 % 2) * 16 : ~0u; });
        b8.wave->v_defined[0] = b16.wave->v_defined[0] = 0xffffffff;
        b8.run(kLoad8).run(wait);
        b16.run(kLoad16).run(wait);
        for (uint32_t l = 0; l < lanes; ++l) {
            for (uint32_t e = 0; e < 256 / lanes; ++e) {
                const uint32_t row = lanes == 32 ? 8 * (l / 16) + e : 4 * kOrder[l / 16] + e, at = 16 * row + l % 16;
                CHECK((b8.get(2 + e / 4, l) >> 8 * (e % 4) & 0xff) == at);
                CHECK((b16.get(2 + e / 2, l) >> 16 * (e % 2) & 0xffff) == 1000 + at);
            }
        }
        CHECK(b8.wave->v_defined[lanes == 32 ? 4 : 3] == 0);
        CHECK(b16.wave->v_defined[lanes == 32 ? 6 : 4] == 0);
    }
    AtMemory b(32);
    b.v(0, [](uint32_t l) { return 8 * l; }).run(kLoad8);
    CHECK(faults(b, "0203087e", "before its vector load was waited for")); // v_mov_b32 v4, v2
}

TEST_CASE("LDS: data, atomics, exchange through its crossbar") {
    Bench b;
    b.v(0, [](uint32_t l) { return 4 * l; }).v(1, [](uint32_t l) { return l * l; });
    b.run("000034d800010000").s(kExec, 0x7fffffff); // ds_store_b32 v0, v1; lane 31 would read what nobody wrote
    b.run("0400d8d8000000020000c6bf");              // ds_load_b32 v2, v0 offset:4; s_wait_dscnt 0
    CHECK(b.get(2, 4) == 25);
    b.s(kExec, 0xffffffff).run("000080d8000100020000c6bf"); // ds_add_rtn_u32 v2, v0, v1
    CHECK(b.get(2, 6) == 36);
    ++b.group.epoch; // an atomic and a load are ordered by a barrier alone
    b.run("0000d8d8000000020000c6bf");
    CHECK(b.get(2, 6) == 72);
    b.v(0, [](uint32_t l) { return 4 * (31 - l); }).run("0000ccda000100020000c6bf"); // ds_bpermute_b32 v2, v0, v1
    CHECK(b.get(2, 30) == 1);
}

TEST_CASE("the matrix product and its lane maps") {
    for (const bool gfx12 : {false, true}) {
        for (const uint32_t lanes : {32u, 64u}) {
            Bench b(gfx12 ? Arch::gfx12 : Arch::gfx11, lanes);
            constexpr uint32_t kOrder[] = {0, 2, 1, 3};
            const auto k_of = [&](uint32_t g, uint32_t e) {
                return !gfx12 ? e : lanes == 32 ? 8 * g + e : 4 * kOrder[g] + e;
            };
            const auto row_of = [&](uint32_t g, uint32_t e) {
                return !gfx12 ? e * (lanes / 16) + g : lanes == 32 ? 8 * g + e : 4 * kOrder[g] + e;
            };
            const uint32_t n_ab = gfx12 ? 256 / lanes : 16, n_c = 256 / lanes;
            // A[m][k] = m + k, B[k][n] = k - n, C = 100: small integers, exact in f16
            for (uint32_t r = 0; r < 32; ++r) b.v(r, 0u);
            for (uint32_t l = 0; l < lanes; ++l) {
                for (uint32_t e = 0; e < n_ab; ++e) {
                    const auto k = static_cast<float>(k_of(l / 16, e)), i = static_cast<float>(l % 16);
                    b.wave->v[e / 2][l] |= half(i + k) << 16 * (e % 2);
                    b.wave->v[8 + e / 2][l] |= half(k - i) << 16 * (e % 2);
                }
                for (uint32_t e = 0; e < n_c; ++e) b.wave->v[16 + e][l] = f(100);
            }
            b.run("184040cc0011421c"); // v_wmma_f32_16x16x16_f16 v[24:], v[0:], v[8:], v[16:]
            int wrong = 0;
            for (uint32_t l = 0; l < lanes; ++l) {
                for (uint32_t e = 0; e < n_c; ++e) {
                    const int m = static_cast<int>(row_of(l / 16, e)), n = static_cast<int>(l % 16);
                    int sum = 100;
                    for (int k = 0; k < 16; ++k) sum += (m + k) * (k - n);
                    wrong += b.get(24 + e, l) != f(static_cast<float>(sum));
                }
            }
            INFO("gfx12 ", gfx12, " lanes ", lanes);
            CHECK(wrong == 0);
            if (gfx12) continue;
            b.wave->v[0][20] ^= 1; // one copy of row 4 differs
            CHECK(faults(b, "184040cc0011421c", "copies"));
        }
    }
}

namespace {

/// A matrix product on a bench: A[m][k], B[k][n] and C as functions, encoded to `bits` each by `encode`; checks every
/// element of the result that `decode_result` reads. `code` has operands v0, v8, v16 and result v24.
struct Product {
    const char* name;
    const char* code;
    uint32_t bits;
    std::function<uint32_t(int)> encode;
    bool has_gfx11;
    bool is_int = false;
    uint32_t result_bits = 32;
    std::function<float(uint32_t)> decode16{};
};

void check_product(const Product& p, Arch arch, uint32_t lanes) {
    const bool gfx12 = arch == Arch::gfx12;
    constexpr uint32_t kOrder[] = {0, 2, 1, 3};
    const auto k_of = [&](uint32_t g, uint32_t e) { return !gfx12 ? e : lanes == 32 ? 8 * g + e : 4 * kOrder[g] + e; };
    const auto row_of = [&](uint32_t g, uint32_t e) {
        return !gfx12 ? e * (lanes / 16) + g : lanes == 32 ? 8 * g + e : 4 * kOrder[g] + e;
    };
    // Small integers of both signs, exact in every type.
    const auto a = [](uint32_t m, uint32_t k) { return static_cast<int>((3 * m + 5 * k) % 7) - 3; };
    const auto b_of = [](uint32_t k, uint32_t n) { return static_cast<int>((2 * k + 3 * n) % 5) - 2; };
    Bench b(arch, lanes);
    const uint32_t n_ab = gfx12 ? 256 / lanes : 16, n_c = 256 / lanes, per = 32 / p.bits;
    for (uint32_t r = 0; r < 32; ++r) b.v(r, 0u);
    for (uint32_t l = 0; l < lanes; ++l) {
        for (uint32_t e = 0; e < n_ab; ++e) {
            const uint32_t k = k_of(l / 16, e), i = l % 16, shift = p.bits * (e % per), mask = (1u << p.bits) - 1;
            b.wave->v[e / per][l] |= (p.encode(a(i, k)) & mask) << shift;
            b.wave->v[8 + e / per][l] |= (p.encode(b_of(k, i)) & mask) << shift;
        }
    }
    b.run(p.code);
    int wrong = 0;
    for (uint32_t l = 0; l < lanes; ++l) {
        for (uint32_t e = 0; e < n_c; ++e) {
            int sum = 0;
            for (uint32_t k = 0; k < 16; ++k) sum += a(row_of(l / 16, e), k) * b_of(k, l % 16);
            if (p.is_int)
                wrong += static_cast<int>(b.get(24 + e, l)) != sum;
            else if (p.result_bits == 32)
                wrong += b.get(24 + e, l) != f(static_cast<float>(sum));
            else
                wrong += p.decode16(gfx12 ? b.get(24 + e / 2, l) >> 16 * (e % 2) : b.get(24 + e, l) & 0xffff) !=
                         static_cast<float>(sum);
        }
    }
    INFO(std::string(p.name), gfx12 ? " gfx12" : " gfx11", " wave", lanes);
    CHECK(wrong == 0);
}

uint32_t bf16(int x) {
    return f(static_cast<float>(x)) >> 16;
}
float from_bf16(uint32_t x) {
    return std::bit_cast<float>(x << 16);
}
float from_half(uint32_t x) {
    return static_cast<float>(std::bit_cast<_Float16>(static_cast<uint16_t>(x)));
}

} // namespace

TEST_CASE("matrix products of every type, both wave sizes and generations") {
    const auto fp8 = [](int x) { return to_float8<Float8::fp8>(static_cast<float>(x)); };
    const auto bf8 = [](int x) { return to_float8<Float8::bf8>(static_cast<float>(x)); };
    const auto integer = [](int x) { return static_cast<uint32_t>(x); };
    const auto f16 = [](int x) { return half(static_cast<float>(x)); };
    const Product products[] = {
        {"f16 to f32", "184040cc0011421c", 16, f16, true},
        {"bf16 to f32", "184041cc0011421c", 16, bf16, true},
        {"f16 to f16", "184042cc0011421c", 16, f16, true, false, 16, from_half},
        {"bf16 to bf16", "184043cc0011421c", 16, bf16, true, false, 16, from_bf16},
        {"int8", "184044cc0011427c", 8, integer, true, true},
        {"int4", "184045cc0011427c", 4, integer, true, true},
        {"fp8", "184046cc0011421c", 8, fp8, false},
        {"bf8", "184049cc0011421c", 8, bf8, false},
    };
    for (const Product& p : products) {
        for (const uint32_t lanes : {32u, 64u}) {
            if (p.bits == 4 && lanes == 64) continue; // half a register: RADV offers no such matrices
            check_product(p, Arch::gfx12, lanes);
            if (p.has_gfx11) check_product(p, Arch::gfx11, lanes);
        }
    }
}

TEST_CASE("8-bit floats: every code there and back, rounding, conversions of registers") {
    for (uint32_t x = 0; x < 256; ++x) {
        INFO(x);
        const float as_fp8 = from_float8<Float8::fp8>(x), as_bf8 = from_float8<Float8::bf8>(x);
        if (as_fp8 == as_fp8) CHECK(to_float8<Float8::fp8>(as_fp8) == x);
        if (as_bf8 == as_bf8) CHECK(to_float8<Float8::bf8>(as_bf8) == x);
    }
    CHECK(from_float8<Float8::fp8>(0x7e) == 448.0f);
    CHECK(from_float8<Float8::bf8>(0x7b) == 57344.0f);
    CHECK(to_float8<Float8::fp8>(17.0f) == to_float8<Float8::fp8>(16.0f)); // between 16 and 18: to even
    CHECK(to_float8<Float8::fp8>(19.0f) == to_float8<Float8::fp8>(20.0f));
    CHECK(to_float8<Float8::fp8>(1000.0f) == 0x7f);
    CHECK(to_float8<Float8::bf8>(1e9f) == 0x7c);
    CHECK(to_float8<Float8::fp8>(0x1p-10f) == 0); // half of the smallest: to even
    CHECK(to_float8<Float8::fp8>(0x1.8p-10f) == 1);

    const uint32_t two = to_float8<Float8::fp8>(2), minus3 = to_float8<Float8::fp8>(-3);
    Bench b;
    b.v(0, two | minus3 << 16).run("00d9047e"); // v_cvt_f32_fp8 v2, v0
    CHECK(b.get(2) == f(2));
    b.run("0208ecd500010000"); // byte_sel:2
    CHECK(b.get(2) == f(-3));
    b.v(0, (two | minus3 << 8) << 16).run("0208eed500010000"); // v_cvt_pk_f32_fp8 v[2:3], v0 of the upper half
    CHECK(b.get(2) == f(2));
    CHECK(b.get(3) == f(-3));
    b.v(0, f(2)).v(1, f(-3)).v(2, 0x12345678u).run("020069d700030200"); // v_cvt_pk_fp8_f32 v2, v0, v1
    CHECK(b.get(2) == (0x12340000 | two | minus3 << 8));
    b.run("024069d700030200"); // into the upper half
    CHECK(b.get(2) == ((two | minus3 << 8) << 16 | two | minus3 << 8));
    // 17 lies half way between 16 and 18; adding nearly half of a step rounds it up, adding nothing leaves the tie
    b.v(0, f(17)).v(1, 0u).v(2, 0xffffffffu).run("02006bd700030200"); // v_cvt_sr_fp8_f32
    CHECK(b.get(2) == (0xffffff00 | to_float8<Float8::fp8>(16)));
    b.v(1, 0x40000000u).run("02006bd700030200");
    CHECK(b.get(2) == (0xffffff00 | to_float8<Float8::fp8>(18)));
    b.v(0, two | minus3 << 8).v(1, two | two << 8).v(3, f(10)).run("024026cc00030e1c"); // v_dot4_f32_fp8_fp8
    CHECK(b.get(2) == f(10 + 4 - 6));
    CHECK(faults(b, "0208a5d500010000", "op_sel")); // v_exp_f32 with op_sel, which means nothing there
}

TEST_CASE("scratch: each lane its own, and no further than it goes") {
    for (const bool gfx12 : {false, true}) {
        Bench b(gfx12 ? Arch::gfx12 : Arch::gfx11);
        b.wave->scratch_bytes = 32;
        b.wave->scratch.resize(32 * 32);
        b.v(0, [](uint32_t l) { return 4 * (l % 4); }).v(1, [](uint32_t l) { return 100 + l; }).v(2, 7u).s(4, 16);
        const char* wait = gfx12 ? "0000c0bf" : "f70389bf";
        b.run(gfx12 ? "7c8006ed0000800000080000" : "080069dc00017c00"); // scratch_store_b32 off, v1, off offset:8
        b.run(gfx12 ? "7c0005ed0200000000080000" : "080051dc00007c02")
            .run(wait); // scratch_load_b32 v2, off, off offset:8
        CHECK(b.get(2, 5) == 105);
        b.v(2, [](uint32_t l) { return 200 + l; });
        b.run(gfx12 ? "7cc006ed0000820000000000" : "00006ddc0001fc00"); // scratch_store_b64 v0, v[1:2], off
        b.run(gfx12 ? "7c0005ed0200020000080000" : "080051dc0000fc02")
            .run(wait);                                                 // scratch_load_b32 v2, v0, off offset:8
        CHECK(b.get(2, 4) == 104);                                      // what the first store left at 8
        b.run(gfx12 ? "044006ed0000800000000000" : "000065dc00010400"); // scratch_store_b16 off, v1, s4
        CHECK(static_cast<uint32_t>(b.wave->scratch[9 * 32 + 16]) == 109);
        b.v(0, 32u);
        CHECK(faults(b, gfx12 ? "7c0005ed0200020000080000" : "080051dc0000fc02", "of scratch"));
    }
}
