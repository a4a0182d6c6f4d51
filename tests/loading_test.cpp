// Loading: from a split file, over a copy of the ring in device memory, and with the weights of all layers in the
// memory of one. Whatever the way, the logits are the same. Runs on lavapipe and on the shim's AMD GPUs, whose answers
// are all 0 but whose allocations and recorded commands are real.
#include "base/error.h"
#include "benchmarks/synthetic_model.h"
#include "format/gguf_file.h"
#include "format/gguf_writer.h"
#include "gpu/device.h"
#include "memory/expert_stats.h"
#include "runtime/model_memory.h"
#include "runtime/vulkan_runner.h"
#include "support/support.h"
#include "tests/model_headers.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <format>
#include <fstream>
#include <unistd.h>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::runtime;

namespace {

/// A folder that goes with the object.
class Folder {
public:
    Folder() : path_(std::filesystem::temp_directory_path() / std::format("vkinfer_loading_{}", ::getpid())) {
        std::filesystem::create_directories(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

/// The same tensors in n files; returns the first.
std::filesystem::path split(const std::filesystem::path& whole, const std::filesystem::path& stem, size_t n_parts) {
    const format::GgufFile file(whole);
    const auto tensors = file.tensors();
    const auto path_of = [&](size_t part) {
        return std::filesystem::path(std::format("{}-{:05}-of-{:05}.gguf", stem.string(), part, n_parts));
    };
    for (size_t part = 1; part <= n_parts; ++part) {
        format::GgufWriter writer(path_of(part));
        if (part == 1) {
            for (const format::MetadataEntry& entry : file.metadata()) writer.set(entry.key, entry.value);
        }
        writer.set("split.no", static_cast<uint16_t>(part - 1));
        writer.set("split.count", static_cast<uint16_t>(n_parts));
        writer.set("split.tensors.count", static_cast<int32_t>(tensors.size()));
        const auto mine = tensors.subspan(tensors.size() * (part - 1) / n_parts,
                                          tensors.size() * part / n_parts - tensors.size() * (part - 1) / n_parts);
        for (const format::TensorInfo& tensor : mine) {
            writer.add_tensor(tensor.name, tensor.type, std::span(tensor.dims).first(tensor.n_dims));
        }
        for (const format::TensorInfo& tensor : mine) writer.append(file.read(tensor));
        writer.finish();
    }
    return path_of(1);
}

/// Logits of a prompt and a few tokens after it.
std::vector<float> answer(VulkanRunner& runner) {
    REQUIRE(runner.reserve(0, 32));
    std::vector<float> all;
    int32_t position = 0;
    for (const int32_t n : {20, 1, 1}) {
        std::vector<StepToken> tokens;
        for (int32_t i = 0; i < n; ++i, ++position) tokens.push_back({(position * 7) % 250, position, 0, i == n - 1});
        const auto logits = runner.evaluate(tokens);
        REQUIRE(logits.has_value());
        all.insert(all.end(), logits->begin(), logits->end());
    }
    return all;
}

RunnerOptions options_for(const std::filesystem::path& path) {
    RunnerOptions options;
    options.model = path;
    options.n_ctx = 128;
    options.n_ubatch = 32;
    return options;
}

benchmarks::SyntheticOptions shape_of(bool has_experts) {
    benchmarks::SyntheticOptions shape{.n_layers = 2,
                                       .n_embd = 256,
                                       .n_ff = 512,
                                       .n_heads = 4,
                                       .n_kv_heads = 2,
                                       .head_size = 64,
                                       .n_vocab = 512,
                                       .context_length = 1024,
                                       .type = format::TensorType::q4_k,
                                       .output_type = format::TensorType::q6_k};
    if (has_experts) {
        shape.architecture = "qwen3moe";
        shape.n_ff = 256;
        shape.n_experts = 8;
    }
    return shape;
}

} // namespace

TEST_CASE("a split file loads like the whole one") {
    const Folder folder;
    std::filesystem::path whole = folder / "synthetic.gguf";
    SUBCASE("the demo model") {
        whole = test::source_dir() / "tools" / "demo" / "vkinfer-demo.gguf";
    }
    SUBCASE("dense") {
        benchmarks::write_synthetic_model(whole, shape_of(false));
    }
    SUBCASE("experts") {
        benchmarks::write_synthetic_model(whole, shape_of(true));
    }
    const std::vector<float> expected = answer(*create_vulkan_runner(options_for(whole)));
    for (const size_t n_parts : {2, 5}) {
        const std::filesystem::path first = split(whole, folder / std::format("split{}", n_parts), n_parts);
        CHECK(format::GgufFile(first).n_shards() == n_parts);
        CHECK(answer(*create_vulkan_runner(options_for(first))) == expected);
        // A part that is missing is named.
        const std::filesystem::path last = folder / std::format("split{0}-{0:05}-of-{0:05}.gguf", n_parts);
        std::filesystem::remove(last);
        try {
            (void)create_vulkan_runner(options_for(first));
            FAIL("it loaded");
        } catch (const Error& error) {
            CHECK_MESSAGE(error.message().find(last.filename().string()) != std::string::npos, error.message());
        }
    }
}

TEST_CASE("gate and up experts of different types load and run") {
    const Folder folder;
    const std::filesystem::path one = folder / "one.gguf", mixed = folder / "mixed.gguf";
    benchmarks::write_synthetic_model(one, shape_of(true));
    {
        // The values of up of the second layer, in a wider type.
        const format::GgufFile file(one);
        format::GgufWriter writer(mixed);
        const auto is_widened = [](const format::TensorInfo& t) { return t.name == "blk.1.ffn_up_exps.weight"; };
        for (const format::MetadataEntry& entry : file.metadata()) writer.set(entry.key, entry.value);
        for (const format::TensorInfo& tensor : file.tensors()) {
            writer.add_tensor(tensor.name, is_widened(tensor) ? format::TensorType::f32 : tensor.type,
                              std::span(tensor.dims).first(tensor.n_dims));
        }
        for (const format::TensorInfo& tensor : file.tensors()) {
            if (is_widened(tensor)) {
                writer.append(std::as_bytes(std::span<const float>(file.read_f32(tensor))));
            } else {
                writer.append(file.read(tensor));
            }
        }
        writer.finish();
    }
    const std::vector<float> expected = answer(*create_vulkan_runner(options_for(one)));
    const std::vector<float> got = answer(*create_vulkan_runner(options_for(mixed)));
    double error = 0, size = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
        error += double{got[i] - expected[i]} * double{got[i] - expected[i]};
        size += double{expected[i]} * double{expected[i]};
    }
    CHECK(error <= 1e-3 * size); // the types may take different paths
    RunnerOptions spilled = options_for(mixed);
    spilled.spilled_experts = 11;                         // those of a layer and some of the other
    CHECK(answer(*create_vulkan_runner(spilled)) == got); // exactly: only addresses differ
}

namespace {

/// A qwen2moe of the weights of `from`, with a shared expert three times as wide as the others and a gate for it.
/// `is_apart` keeps its values in another type.
void write_with_shared_expert(const std::filesystem::path& from, const std::filesystem::path& to, bool is_apart) {
    using format::TensorType;
    const format::GgufFile file(from);
    format::GgufWriter writer(to);
    constexpr std::string_view kFrom = "qwen3moe";
    for (const format::MetadataEntry& entry : file.metadata()) {
        if (entry.key == "general.architecture") continue;
        const bool is_own = entry.key.starts_with(kFrom);
        writer.set(is_own ? "qwen2moe" + std::string(entry.key.substr(kFrom.size())) : std::string(entry.key),
                   entry.value);
    }
    writer.set("general.architecture", "qwen2moe");
    const format::TensorInfo& gate = file.tensor("blk.0.ffn_gate_exps.weight");
    const uint64_t n_embd = gate.dims[0], n_ff = gate.dims[1], n_shared = 3 * n_ff;
    writer.set("qwen2moe.expert_shared_feed_forward_length", static_cast<uint32_t>(n_shared));
    for (const format::TensorInfo& tensor : file.tensors())
        writer.add_tensor(tensor.name, tensor.type, std::span(tensor.dims).first(tensor.n_dims));
    struct Added {
        std::string name;
        TensorType type;
        std::vector<uint64_t> dims;
    };
    std::vector<Added> added;
    for (uint32_t il = 0; il < file.get_u32_in("qwen3moe.block_count", 1, 100); ++il) {
        const auto add = [&](const char* name, TensorType type, std::vector<uint64_t> dims) {
            added.push_back({std::format("blk.{}.{}.weight", il, name), type, std::move(dims)});
        };
        add("ffn_gate_inp_shexp", TensorType::f32, {n_embd});
        const TensorType type = is_apart ? TensorType::f32 : gate.type;
        add("ffn_gate_shexp", type, {n_embd, n_shared});
        add("ffn_up_shexp", type, {n_embd, n_shared});
        add("ffn_down_shexp", type, {n_shared, n_embd});
    }
    for (const Added& a : added) writer.add_tensor(a.name, a.type, a.dims);
    for (const format::TensorInfo& tensor : file.tensors()) writer.append(file.read(tensor));
    uint32_t seed = 1;
    for (const Added& a : added) {
        std::vector<float> values(a.dims[0] * (a.dims.size() > 1 ? a.dims[1] : 1));
        for (float& v : values)
            v = (static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 8) / 8388608.0f - 1) * 0.05f;
        const format::TypeTraits& type = format::traits(gate.type);
        if (a.dims.size() > 1) {
            std::vector<std::byte> blocks(type.row_bytes(values.size()));
            type.quantise(values.data(), blocks.data(), values.size());
            if (!is_apart) {
                writer.append(blocks);
                continue;
            }
            type.dequantise(blocks.data(), values.data(), values.size());
        }
        writer.append(std::as_bytes(std::span<const float>(values)));
    }
    writer.finish();
}

} // namespace

TEST_CASE("a shared expert wider than the others is several of them, and takes no dispatch of its own") {
    const Folder folder;
    const std::filesystem::path plain = folder / "plain.gguf", joined = folder / "joined.gguf",
                                apart = folder / "apart.gguf";
    benchmarks::write_synthetic_model(plain, shape_of(true));
    write_with_shared_expert(plain, joined, false);
    write_with_shared_expert(plain, apart, true);
    const auto without = create_vulkan_runner(options_for(plain));
    const auto runner = create_vulkan_runner(options_for(joined)), other = create_vulkan_runner(options_for(apart));
    CHECK(runner->plan_size(1).first == without->plan_size(1).first);
    CHECK(other->plan_size(1).first == runner->plan_size(1).first + 2); // down of both layers
    const std::vector<float> expected = answer(*other), got = answer(*runner), bare = answer(*without);
    double size = 0;
    for (const float v : expected) size += double{v} * double{v};
    const auto error = [&](const std::vector<float>& x) {
        double sum = 0;
        for (size_t i = 0; i < expected.size(); ++i) sum += double{x[i] - expected[i]} * double{x[i] - expected[i]};
        return sum;
    };
    CHECK(error(got) <= 1e-3 * size);               // the types may take different paths
    if (size > 0) CHECK(error(bare) > 1e-2 * size); // the expert counts, where anything is computed
}

TEST_CASE("spilled experts compute what they did, whichever they are and whoever else is there") {
    const Folder folder;
    const std::filesystem::path one = folder / "one.gguf", shared = folder / "shared.gguf",
                                stats = folder / "stats.json";
    benchmarks::write_synthetic_model(one, shape_of(true));
    write_with_shared_expert(one, shared, false);
    {
        std::ofstream file(stats);
        file << memory::ExpertStats{8, 2, {9, 0, 5, 1, 7, 2, 8, 3, 1, 8, 2, 9, 3, 5, 7, 6}}.json();
    }
    struct Case {
        uint32_t n = 0;
        bool is_least_chosen = false;
    };
    bool has_coopmat = false;
    for (const auto& path : {one, shared}) {
        for (const char* coopmat : {"off", "on"}) {
            if (std::string_view(coopmat) == "on" && !has_coopmat) continue;
            RunnerOptions options = options_for(path);
            options.coopmat = coopmat;
            const auto whole = create_vulkan_runner(options);
            has_coopmat = !whole->device().capabilities().coopmat_shapes.empty();
            const std::vector<float> expected = answer(*whole);
            for (const auto [n, is_least_chosen] : {Case{6, true}, Case{11, false}, Case{16, false}}) {
                CAPTURE(n);
                options.spilled_experts = n;
                options.expert_stats = is_least_chosen ? stats : std::filesystem::path();
                const auto runner = create_vulkan_runner(options);
                const memory::Plan& plan = runner->memory().plan;
                CHECK(plan.spill.n_experts == n);
                if (is_least_chosen) {
                    CHECK(plan.splits.front().far_parts == std::vector<uint32_t>{1, 3, 5});
                    CHECK(plan.splits.back().far_parts == std::vector<uint32_t>{0, 2, 4});
                }
                CHECK(plan.splits.empty() == (n == 16 && path == one)); // nothing stays
                CHECK(answer(*runner) == expected);                     // exactly: only addresses differ
                CHECK(runner->plan_size(1) == whole->plan_size(1));
                if (runner->device().info().type != gpu::DeviceType::discrete) continue;
                const auto is_local = [&](const memory::Place& place) {
                    return memory::profile_of(runner->device())
                        .types[plan.allocations[place.allocation].memory_type]
                        .device_local;
                };
                for (const memory::Split& split : plan.splits) {
                    CHECK(is_local(plan.places[split.request]));
                    CHECK_FALSE(is_local(split.far));
                }
            }
        }
    }
}

TEST_CASE("a loading ring that is copied into device memory gives the same weights") {
    const Folder folder;
    const std::filesystem::path path = folder / "model.gguf";
    benchmarks::SyntheticOptions shape = shape_of(false);
    shape.n_vocab = 16384; // more chunks than slots
    shape.n_embd = 1024;
    benchmarks::write_synthetic_model(path, shape);
    std::vector<float> answers[2];
    for (const bool is_staged : {false, true}) {
        RunnerOptions options = options_for(path);
        options.is_staged = is_staged;
        const auto runner = create_vulkan_runner(options);
        CHECK(runner->memory().list.stage.has_value() == is_staged);
        answers[is_staged] = answer(*runner);
    }
    CHECK(answers[0] == answers[1]);
}

TEST_CASE("a discrete card is filled by a queue of copies, and its failures are clean errors") {
    const Folder folder;
    const std::filesystem::path path = folder / "model.gguf";
    benchmarks::write_synthetic_model(path, shape_of(true));
    RunnerOptions options = options_for(path);
    bool has_queue = false;
    options.on_device = [&](gpu::Device& device) { has_queue = *device.copy_queue() != '\0'; };
    const auto runner = create_vulkan_runner(options);
    const bool is_discrete = runner->device().info().type == gpu::DeviceType::discrete;
    CHECK(runner->memory().list.stage.has_value() == is_discrete);
    CHECK(has_queue == is_discrete); // of the devices of the rigs
    if (!has_queue) return;
    int n_failures = 0;
    for (uint32_t n = 1; n < 100; ++n) {
        options.on_device = [&](gpu::Device& device) { device.inject_fault(gpu::Fault::copy, n); };
        try {
            (void)create_vulkan_runner(options);
            break;
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::out_of_memory);
            ++n_failures;
        }
    }
    CHECK(n_failures > 5);
    CHECK(n_failures < 99);
}

TEST_CASE("30B-A3B: 48 layers of 128 experts are recorded with the weights of one in memory") {
    const Folder folder;
    const std::filesystem::path path = test::write_header(folder / "", "30b-a3b", test::shape_30b_a3b());
    {
        const format::GgufFile header = format::GgufFile::open_header(path);
        uint64_t end = 0;
        for (const format::TensorInfo& tensor : header.tensors())
            end = std::max(end, tensor.offset + tensor.size_bytes);
        CHECK(end > 17'000'000'000);
        std::filesystem::resize_file(path, end); // a hole: blocks of zeros
    }
    RunnerOptions options;
    options.model = path;
    options.n_ctx = 512;
    options.n_ubatch = 512;
    options.shares_layers = true;
    options.pipeline_cache = false;
    const auto runner = create_vulkan_runner(options);
    const MemoryDecision& memory = runner->memory();
    const uint64_t weights = memory.plan.purpose_bytes[static_cast<size_t>(memory::Purpose::weights)];
    CHECK(weights < 1'000'000'000);
    const uint64_t one_layer =
        uint64_t{128} * 3 * 768 * 2048 / 32 * 18 + uint64_t{(2 * 4096 + 2 * 512)} * 2048 / 32 * 18;
    CHECK(weights > one_layer + uint64_t{2} * 151936 * 2048 / 256 * 210);
    // Attention, fused or not, the norm where it is not folded, and those of a routed layer: none is
    // missing.
    const auto [decode, decode_barriers] = runner->plan_size(1);
    const auto [prefill, prefill_barriers] = runner->plan_size(512);
    MESSAGE("dispatches and barriers: 1 token " << decode << ", " << decode_barriers << "; 512 tokens " << prefill
                                                << ", " << prefill_barriers);
    CHECK(decode >= 48 * 6);
    CHECK(decode <= 48 * 14);
    CHECK(prefill >= 48 * 10);
    CHECK(prefill <= 48 * 18);
    REQUIRE(runner->reserve(0, 512));
    std::vector<StepToken> tokens;
    for (int32_t i = 0; i < 512; ++i) tokens.push_back({(i * 37) % 151936, i, 0, i == 511});
    if (runner->device().info().type == gpu::DeviceType::cpu) { // which computes what it is given
        tokens.resize(1);
        tokens[0].want_logits = true;
    }
    const auto logits = runner->evaluate(tokens);
    REQUIRE(logits.has_value());
    CHECK(logits->size() == 151936);
}
