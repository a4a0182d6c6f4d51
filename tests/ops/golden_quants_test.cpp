// Every weight type on the GPU against the reference values of golden/quants, bit for bit: the raw blocks are repacked
// and decoded there. Results below 2^-126 may be 0: a device may flush them.
#include "base/file.h"
#include "format/tensor_type.h"
#include "kernels/weight_layout.h"
#include "ops/harness.h"
#include "support/support.h"

#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::test;

TEST_CASE("every type of the golden data decodes to the reference's bits on the device") {
    VKINFER_REQUIRE_GOLDEN(root);
    const auto index = boost::json::parse(read_text_file(root / "quants" / "index.json"));
    int n_types = 0;
    for (const auto& entry : index.at("types").as_array()) {
        const std::string name(entry.at("type").as_string());
        INFO(name);
        const format::TypeTraits* traits = format::find_traits(entry.at("ggml_type_id").to_number<uint32_t>());
        REQUIRE(traits != nullptr);
        const kernels::WeightLayout* layout = kernels::find_weight_layout(traits->type);
        REQUIRE(layout != nullptr);
        ++n_types;
        const std::string blocks = read_text_file(root / "quants" / std::string(entry.at("bin").as_string()));
        const std::string expected_bytes = read_text_file(root / "quants" / std::string(entry.at("f32").as_string()));
        std::vector<float> expected(expected_bytes.size() / 4);
        std::memcpy(expected.data(), expected_bytes.data(), expected_bytes.size());

        // As many rows as make odd strips, and one row with all of it.
        for (const uint32_t n_cols :
             {layout->tile_elements, layout->tile_elements * 8, static_cast<uint32_t>(expected.size())}) {
            const auto n_rows = static_cast<uint32_t>(expected.size() / n_cols);
            INFO(n_rows, " x ", n_cols);
            const TestWeight w = harness().weight_from_blocks(traits->type, n_rows, n_cols,
                                                              std::as_bytes(std::span(blocks.data(), blocks.size())));
            const std::vector<float> got = harness().dequantise(w);
            int wrong = 0;
            size_t first_wrong = 0;
            for (size_t i = 0; i < got.size(); ++i) {
                if (got[i] == expected[i] || (got[i] == 0.0f && std::fabs(expected[i]) < 0x1p-126f)) continue;
                if (wrong++ == 0) first_wrong = i;
            }
            INFO("first wrong element ", first_wrong, ": ", got[first_wrong], " instead of ", expected[first_wrong]);
            CHECK(wrong == 0);
        }
    }
    CHECK(n_types == 28);
}
