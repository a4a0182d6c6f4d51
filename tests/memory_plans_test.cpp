// Models of every size on every recorded device, from headers alone: what fits, where, and what is said when it does
// not.
#include "tests/model_headers.h"

#include "base/error.h"
#include "memory/advice.h"
#include "runtime/plan_model.h"
#include "support/support.h"

#include <algorithm>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::runtime;
using format::TensorType;
using memory::Purpose;

namespace {

constexpr uint64_t kGiB = uint64_t{1} << 30;

memory::DeviceProfile profile(const std::string& name) {
    return memory::read_profile(test::source_dir() / "tests" / "profiles" / (name + ".json"));
}

/// A folder of headers that goes with the object.
class Headers {
public:
    Headers() : folder_(std::filesystem::temp_directory_path() / "vkinfer_memory_plans_test") {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        write("7b", {});
        write("8b", {.n_ff = 14336, .n_kv_heads = 8, .n_vocab = 128256, .n_ctx = 131072, .type = TensorType::q4_k});
        write("70b", {.n_layers = 80,
                      .n_embd = 8192,
                      .n_ff = 28672,
                      .n_heads = 64,
                      .n_kv_heads = 8,
                      .n_vocab = 128256,
                      .n_ctx = 131072,
                      .type = TensorType::q4_k});
        const test::HeaderShape hybrid{.architecture = "qwen35moe",
                                       .n_layers = 48,
                                       .n_embd = 3072,
                                       .n_ff = 1024,
                                       .n_heads = 32,
                                       .n_kv_heads = 2,
                                       .head_size = 256,
                                       .n_vocab = 248320,
                                       .n_ctx = 262144,
                                       .n_experts = 256,
                                       .attention_interval = 4};
        test::HeaderShape q4 = hybrid, q6 = hybrid;
        q4.type = TensorType::q4_k;
        q6.type = TensorType::q6_k;
        write("122b-q4", q4);
        write("122b-q6", q6);
        write("30b-a3b", test::shape_30b_a3b());
        write("large-stacks", {.architecture = "qwen3moe",
                               .n_layers = 2,
                               .n_embd = 5120,
                               .n_ff = 1536,
                               .n_kv_heads = 8,
                               .n_experts = 160,
                               .type = TensorType::f16});
        write("235b", {.architecture = "qwen3moe",
                       .n_layers = 94,
                       .n_embd = 4096,
                       .n_ff = 1536,
                       .n_heads = 64,
                       .n_kv_heads = 4,
                       .n_vocab = 151936,
                       .n_ctx = 262144,
                       .n_experts = 128,
                       .type = TensorType::q4_k,
                       .n_parts = 3});
    }
    ~Headers() { std::filesystem::remove_all(folder_); }

    PlannedModel plan(const std::string& name, const memory::DeviceProfile& device, EngineOptions options = {}) const {
        options.model = paths_.at(name);
        return plan_model(options, device);
    }

private:
    void write(const std::string& name, const test::HeaderShape& shape) {
        paths_[name] = test::write_header(folder_, name, shape);
        CHECK(std::filesystem::file_size(paths_[name]) < uint64_t{1} << 20);
    }
    std::filesystem::path folder_;
    std::map<std::string, std::filesystem::path> paths_;
};

uint64_t purpose(const PlannedModel& planned, Purpose which) {
    return planned.decision.plan.purpose_bytes[static_cast<size_t>(which)];
}

/// The context that fits, or 0 when not even a page does.
int32_t context(const Headers& headers, const std::string& name, const memory::DeviceProfile& device,
                int32_t n_parallel = 1) {
    EngineOptions options;
    options.n_parallel = n_parallel;
    try {
        const PlannedModel planned = headers.plan(name, device, options);
        const memory::Plan& plan = planned.decision.plan;
        for (const memory::HeapRoom& heap : plan.room.heaps) {
            CHECK(plan.heap_bytes[heap.heap] <= heap.room_bytes());
        }
        if (!device.is_unified()) {
            for (const memory::Allocation& a : plan.allocations) {
                if (a.domain == gpu::Domain::device) CHECK(device.types[a.memory_type].device_local);
            }
        }
        return planned.decision.n_ctx;
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::out_of_memory);
        CHECK(error.message().find("Not enough memory: weights") != std::string::npos);
        return 0;
    }
}

} // namespace

TEST_CASE("what fits where") {
    const Headers headers;
    struct Row {
        const char* device;
        bool fits[6]; // 7b, 8b, 70b, 122b-q4, 122b-q6, 235b
    };
    constexpr const char* kModels[] = {"7b", "8b", "70b", "122b-q4", "122b-q6", "235b"};
    constexpr Row kRows[] = {
        {"strix-halo-64", {true, true, true, false, false, false}},
        {"strix-halo-128", {true, true, true, true, true, false}},
        {"strix-halo-128-default", {true, true, true, false, false, false}},
        {"strix-halo-128-carve-32", {true, true, true, true, false, false}},
        {"strix-halo-128-carve-96", {true, true, true, true, true, false}},
        {"strix1", {true, true, false, false, false, false}},
        {"phoenix", {true, true, false, false, false, false}},
        {"gfx1201", {true, true, false, false, false, false}},
        {"r9700-32", {true, true, false, false, false, false}},
        {"rx-9070-xt-16", {true, true, false, false, false, false}},
        {"rx-6600-8", {true, true, false, false, false, false}},
        {"rx-6600-8-no-rebar", {true, true, false, false, false, false}},
        {"vega-igpu-2", {false, false, false, false, false, false}},
        {"lavapipe", {true, true, false, false, false, false}},
        {"nvidia-80", {true, true, true, true, false, false}},
    };
    for (const Row& row : kRows) {
        const memory::DeviceProfile device = profile(row.device);
        for (size_t i = 0; i < std::size(kModels); ++i) {
            const int32_t n_ctx = context(headers, kModels[i], device);
            CHECK_MESSAGE((n_ctx > 0) == row.fits[i], row.device, " ", kModels[i], " ", n_ctx);
        }
    }
}

TEST_CASE("sizes of the large models are right") {
    const Headers headers;
    const memory::DeviceProfile halo = profile("strix-halo-128");
    const PlannedModel q4 = headers.plan("122b-q4", halo);
    CHECK(q4.model.is_estimate() == (q4.model.architecture == nullptr));
    CHECK(purpose(q4, Purpose::weights) > 60 * kGiB);
    CHECK(purpose(q4, Purpose::weights) < 76 * kGiB);
    // 12 of 48 layers attend: 2 heads of 256, K and V, f16.
    if (q4.model.is_estimate()) CHECK(q4.decision.kv_bytes_per_token == 12 * 2 * 2 * 256 * 2);
    CHECK(q4.decision.n_ctx == 262144);
    CHECK_FALSE(q4.decision.is_reduced);
    const PlannedModel q6 = headers.plan("122b-q6", halo);
    CHECK(purpose(q6, Purpose::weights) > 92 * kGiB);
    CHECK(purpose(q6, Purpose::weights) < 105 * kGiB);
    const PlannedModel dense = headers.plan("70b", halo);
    CHECK_FALSE(dense.model.is_estimate());
    CHECK(dense.decision.kv_bytes_per_token == 80 * 2 * 8 * 128 * 2);
    CHECK(purpose(dense, Purpose::kv_cache) == dense.decision.kv_bytes_per_token * 131072);
}

TEST_CASE("fitting takes the model's own context, then smaller types, then less context") {
    const Headers headers;
    const PlannedModel roomy = headers.plan("8b", profile("r9700-32"));
    CHECK(roomy.decision.n_ctx == 131072);
    CHECK(roomy.decision.type_k == TensorType::f16);
    CHECK_FALSE(roomy.decision.is_reduced);
    const PlannedModel tight = headers.plan("8b", profile("rx-9070-xt-16"));
    CHECK(tight.decision.n_ctx == 131072);
    CHECK(tight.decision.type_k == TensorType::q8_0);
    CHECK(tight.decision.is_reduced);
    const PlannedModel small = headers.plan("8b", profile("rx-6600-8"));
    CHECK(small.decision.n_ctx < 131072);
    CHECK(small.decision.n_ctx >= 8192);
    CHECK(small.decision.n_ctx % 64 == 0);
    // One page more would not fit.
    EngineOptions more;
    more.n_ctx = small.decision.n_ctx + 64;
    more.type_k = option_name(small.decision.type_k);
    more.type_v = option_name(small.decision.type_v);
    CHECK_THROWS_AS(headers.plan("8b", profile("rx-6600-8"), more), Error);
    more.n_ctx -= 64;
    CHECK(headers.plan("8b", profile("rx-6600-8"), more).decision.n_ctx == small.decision.n_ctx);
    // Types that the user gave stay.
    EngineOptions fixed;
    fixed.type_k = fixed.type_v = "f16";
    const PlannedModel f16 = headers.plan("8b", profile("rx-9070-xt-16"), fixed);
    CHECK(f16.decision.type_k == TensorType::f16);
    CHECK(f16.decision.n_ctx < 131072);
    // An explicit context is taken or refused, unless --fit says otherwise.
    EngineOptions given;
    given.n_ctx = 131072;
    CHECK_THROWS_AS(headers.plan("8b", profile("rx-6600-8"), given), Error);
    given.fit = true;
    CHECK(headers.plan("8b", profile("rx-6600-8"), given).decision.n_ctx == small.decision.n_ctx);
    // Several sequences share what is there.
    CHECK(context(headers, "8b", profile("rx-9070-xt-16"), 4) < 131072 / 2);
}

TEST_CASE("a refusal names the sums, what would fit, and the kernel's limit where that is what stops it") {
    const Headers headers;
    EngineOptions options;
    options.n_ctx = 131072;
    options.n_parallel = 2;
    try {
        (void)headers.plan("8b", profile("rx-9070-xt-16"), options);
        FAIL("it fits");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::out_of_memory);
        CHECK(error.message().find("KV cache 32.0 GiB") != std::string::npos);
        CHECK(error.message().find("are missing") != std::string::npos);
        CHECK(error.hint().find("What fits: -c ") != std::string::npos);
        CHECK(error.hint().find("-ctk q8_0 -ctv q8_0") != std::string::npos);
        CHECK(error.hint().find("pages_limit") == std::string::npos);
    }
    try {
        (void)headers.plan("122b-q4", profile("strix-halo-128-default"));
        FAIL("it fits");
    } catch (const Error& error) {
        CHECK_MESSAGE(error.hint().find("ttm.pages_limit=") != std::string::npos, error.hint());
        CHECK(error.hint().find("/etc/default/grub") != std::string::npos);
    }
}

TEST_CASE("spilling makes a large mixture run on a small card, and says what it costs") {
    const Headers headers;
    EngineOptions options;
    options.allow_spill = true;
    options.n_ctx = 8192;
    const memory::DeviceProfile card = profile("r9700-32");
    const PlannedModel planned = headers.plan("70b", card, options);
    CHECK(planned.decision.plan.spill.size_bytes > 0);
    CHECK(planned.decision.plan.spill.ms_per_token > 100);
    const auto& lines = planned.decision.arithmetic;
    CHECK(std::ranges::any_of(lines, [](const std::string& line) { return line.starts_with("spilled"); }));
}

TEST_CASE("30B-A3B: real sizes on recorded devices") {
    const Headers headers;
    struct Row {
        const char* device;
        bool fits; // 40960 tokens in f16
    };
    for (const auto [device, fits] : {Row{"strix-halo-64", true},
                                      {"strix-halo-128", true},
                                      {"r9700-32", true},
                                      {"nvidia-80", true},
                                      {"rx-9070-xt-16", false},
                                      {"rx-6600-8", false}}) {
        CAPTURE(device);
        EngineOptions options;
        options.n_ctx = 40960;
        if (!fits) {
            CHECK_THROWS_AS(headers.plan("30b-a3b", profile(device), options), Error);
            continue;
        }
        const PlannedModel planned = headers.plan("30b-a3b", profile(device), options);
        CHECK_FALSE(planned.model.is_estimate());
        // 48 layers of 128 x 3 x 768 x 2048 weights in experts, 18 bytes for 32 of them.
        const uint64_t experts = uint64_t{48} * 128 * 3 * 768 * 2048 / 32 * 18;
        const uint64_t attention = uint64_t{48} * (2 * 4096 + 2 * 512) * 2048 / 32 * 18;
        const uint64_t routers = uint64_t{48} * 128 * 2048 * 4;
        const uint64_t vocabulary = uint64_t{2} * 151936 * 2048 / 256 * 210;
        const uint64_t weights = purpose(planned, Purpose::weights);
        CHECK(weights >= experts + attention + routers + vocabulary);
        CHECK(weights < (experts + attention + routers + vocabulary) / 1000 * 1005); // norms, alignment
        CHECK(purpose(planned, Purpose::kv_cache) == uint64_t{48} * 2 * 4 * 128 * 2 * 40960);
        CHECK(planned.decision.plan.spill.size_bytes == 0);
    }
}

TEST_CASE("gate and up experts that are too large for one allocation stay apart") {
    const Headers headers;
    const PlannedModel planned = headers.plan("large-stacks", profile("strix-halo-128"));
    CHECK_FALSE(planned.model.is_estimate());
    uint64_t largest = 0;
    for (const memory::Request& request : planned.decision.list.requests) {
        largest = std::max(largest, request.size_bytes);
        CHECK(request.name.find("gate_up_exps") == std::string::npos);
    }
    CHECK(largest == uint64_t{160} * 1536 * 5120 * 2); // 2.3 GiB; both are 4.7
}

TEST_CASE("spilling a mixture: embedding rows, then experts from the last layer on, and nothing dense") {
    const Headers headers;
    for (const char* device : {"rx-9070-xt-16", "rx-6600-8"}) {
        CAPTURE(device);
        EngineOptions options;
        options.n_ctx = 8192;
        try {
            (void)headers.plan("30b-a3b", profile(device), options);
            FAIL("it fits");
        } catch (const Error& error) {
            CHECK(error.hint().find("--spill") != std::string::npos);
        }
        options.allow_spill = true;
        const memory::DeviceProfile card = profile(device);
        const PlannedModel planned = headers.plan("30b-a3b", card, options);
        const memory::Spill& spill = planned.decision.plan.spill;
        REQUIRE(spill.what.size() >= 2);
        CHECK(spill.what[0] == "token_embd.weight");
        const uint32_t n_last = spill.n_experts % 128; // of the layer that keeps some
        for (size_t i = 1; i < spill.what.size(); ++i) {
            CHECK(spill.what[i].ends_with(std::format("layer {}", 48 - i)));
            CHECK(spill.what[i].starts_with(i + 1 < spill.what.size() || n_last == 0 ? "experts of"
                                                                                     : std::to_string(n_last)));
        }
        // A token reads 8 of 128 experts of each layer.
        const uint64_t expert = uint64_t{3} * 768 * 2048 / 32 * 18;
        const uint64_t embedding = uint64_t{151936} * 2048 / 256 * 210;
        CHECK(spill.size_bytes == spill.n_experts * expert + embedding);
        CHECK(spill.bytes_per_token == spill.n_experts * (expert / 16));
        CHECK(spill.ms_per_token == doctest::Approx(static_cast<double>(spill.bytes_per_token) / 20e9 * 1e3));
        // What was spilled lies in host memory, and nothing else of the weights does.
        uint64_t host_bytes = 0;
        const RequestList& list = planned.decision.list;
        for (size_t i = 0; i < list.first_kv; ++i) {
            const memory::Place& place = planned.decision.plan.places[i];
            const bool is_local =
                card.types[planned.decision.plan.allocations[place.allocation].memory_type].device_local;
            const std::string& name = list.requests[i].name;
            const bool may_leave = name == "token_embd.weight" || name.find("_exps") != std::string::npos;
            CHECK_MESSAGE((is_local || may_leave), name);
            if (!is_local) host_bytes += list.requests[i].size_bytes;
        }
        for (const memory::Split& split : planned.decision.plan.splits) {
            CHECK_FALSE(card.types[planned.decision.plan.allocations[split.far.allocation].memory_type].device_local);
            host_bytes += split.far_bytes - memory::kSplitPaddingBytes;
        }
        CHECK(host_bytes == spill.size_bytes);
        // One expert less would not have fitted.
        uint64_t room = 0;
        for (const memory::HeapRoom& heap : planned.decision.plan.room.heaps) {
            if (heap.device_local && heap.size_bytes > kGiB)
                room += heap.room_bytes() - planned.decision.plan.heap_bytes[heap.heap];
        }
        CHECK(room < expert + (1 << 20));
        const auto& lines = planned.decision.arithmetic;
        const auto line = std::ranges::find_if(lines, [](const std::string& l) { return l.starts_with("spilled"); });
        REQUIRE(line != lines.end());
        CHECK(line->find(std::format("{} experts", spill.n_experts)) != std::string::npos);
        CHECK(line->find("ms more per token") != std::string::npos);
    }
    // Where everything fits, nothing leaves.
    EngineOptions options;
    options.allow_spill = true;
    options.n_ctx = 8192;
    CHECK(headers.plan("30b-a3b", profile("r9700-32"), options).decision.plan.spill.size_bytes == 0);
    CHECK(headers.plan("30b-a3b", profile("strix-halo-64"), options).decision.plan.spill.size_bytes == 0);
}

TEST_CASE("advice for the GTT limit") {
    using memory::gtt_advice;
    const memory::DeviceProfile stock = profile("strix-halo-128-default");
    CHECK(gtt_advice(stock, 40 * kGiB).empty()); // fits under the limit
    const std::string advice = gtt_advice(stock, 80 * kGiB);
    // 80 GiB less the carve-out of 0.5, one more, rounded up: 81 GiB in pages of 4 KiB and in MiB.
    CHECK_MESSAGE(advice.find("ttm.pages_limit=21233664") != std::string::npos, advice);
    CHECK(advice.find("amdgpu.gttsize=82944") != std::string::npos);
    CHECK(advice.find("/etc/modprobe.d/ttm.conf") != std::string::npos);
    CHECK(gtt_advice(stock, 200 * kGiB).find("no kernel parameter helps") != std::string::npos);
    CHECK(gtt_advice(profile("r9700-32"), 80 * kGiB).empty());
    CHECK(gtt_advice(profile("lavapipe"), 80 * kGiB).empty());
    const auto findings = memory::examine(stock, {.render_node = "/dev/dri/renderD128", .can_open_render_node = false});
    const auto has = [&](memory::Severity severity, std::string_view what, std::string_view part) {
        return std::ranges::any_of(findings, [&](const memory::Finding& f) {
            return f.severity == severity && f.what == what && f.text.find(part) != std::string::npos;
        });
    };
    CHECK(has(memory::Severity::note, "GTT limit", "ttm.pages_limit="));
    CHECK(has(memory::Severity::warning, "render node", "usermod -aG render"));
    CHECK(has(memory::Severity::ok, "driver", "radv"));
}
