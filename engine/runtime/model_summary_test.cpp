#include "runtime/model_summary.h"

#include "support/support.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

using namespace vkinfer;
using namespace vkinfer::runtime;

TEST_CASE("a model file's header gives sizes, types and memory needs") {
    VKINFER_REQUIRE_GOLDEN(golden);
    const ModelSummary summary = summarise(format::GgufFile(golden / "models" / "llama-q4_k_m" / "model.gguf"));
    CHECK(summary.architecture == "llama");
    CHECK(summary.type.starts_with("llama "));
    CHECK(summary.n_vocab == 512);
    CHECK(summary.n_layers > 0);
    CHECK(summary.n_heads_kv.size() == static_cast<size_t>(summary.n_layers));
    CHECK(summary.key_length > 0);
    CHECK(summary.types.size() >= 3);
    CHECK(std::ranges::is_sorted(summary.types, std::ranges::greater{}, &TypeShare::size_bytes));
    // f16: two bytes for each element of K and V
    const auto n_heads =
        static_cast<uint64_t>(std::accumulate(summary.n_heads_kv.begin(), summary.n_heads_kv.end(), 0));
    const auto n_elements = n_heads * static_cast<uint64_t>(summary.key_length + summary.value_length) * 100;
    CHECK(summary.kv_bytes(100, format::TensorType::f16, format::TensorType::f16) == 2 * n_elements);
    CHECK(summary.kv_bytes(100, format::TensorType::q8_0, format::TensorType::q8_0) == n_elements * 34 / 32);
    CHECK_THROWS_AS((void)summary.kv_bytes(100, format::TensorType::q4_k, format::TensorType::f16), Error);
}

TEST_CASE("every golden model has a summary") {
    VKINFER_REQUIRE_GOLDEN(golden);
    for (const auto& entry : std::filesystem::directory_iterator(golden / "models")) {
        if (!entry.is_directory()) continue;
        CAPTURE(entry.path().string());
        const ModelSummary summary = summarise(format::GgufFile(entry.path() / "model.gguf"));
        CHECK(summary.n_params > 0);
        CHECK(summary.n_active_params > 0);
        CHECK(summary.n_active_params <= summary.n_params);
        const std::string name = entry.path().filename().string();
        const bool has_experts = name.find("moe") != std::string::npos || name == "mixtral" || name == "gpt-oss";
        if (has_experts) CHECK(summary.n_active_params < summary.n_params);
        CHECK(summary.n_vocab == 512);
        CHECK(summary.n_ctx_train > 0);
        CHECK_FALSE(summary.tokenizer.empty());
    }
}

TEST_CASE("sizes are written as people read them") {
    CHECK(format_bytes(12) == "12 B");
    CHECK(format_bytes(1536) == "1.50 KiB");
    CHECK(format_bytes(uint64_t{5} << 20) == "5.00 MiB");
    CHECK(format_bytes(uint64_t{3} << 30) == "3.00 GiB");
}
