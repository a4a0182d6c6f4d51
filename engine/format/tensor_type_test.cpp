// Every tensor type against the golden blocks, bit for bit.
#include "format/tensor_type.h"

#include "base/file.h"
#include "support/support.h"

#include <bit>
#include <cstring>
#include <doctest/doctest.h>
#include <set>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::format;

namespace {

std::string golden_name(const TypeTraits& type) {
    std::string name = type.name;
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return name;
}

} // namespace

TEST_CASE("golden blocks of every type decode bit for bit") {
    VKINFER_REQUIRE_GOLDEN(golden);
    std::set<std::string> covered;
    for (const TypeTraits* type : all_traits()) {
        const std::string name = golden_name(*type);
        const auto blocks_path = golden / "quants" / (name + ".bin");
        if (!std::filesystem::exists(blocks_path)) continue;
        const std::string blocks = read_text_file(blocks_path);
        const std::string expected = read_text_file(golden / "quants" / (name + ".f32"));
        REQUIRE(blocks.size() % type->block_bytes == 0);
        const size_t n_elements = blocks.size() / type->block_bytes * type->block_elements;
        REQUIRE(expected.size() == 4 * n_elements);
        std::vector<float> values(n_elements);
        type->dequantise(std::as_bytes(std::span(blocks)).data(), values.data(), n_elements);
        size_t n_wrong = 0, first_wrong = 0;
        for (size_t i = 0; i < n_elements; ++i) {
            if (std::memcmp(&values[i], expected.data() + 4 * i, 4) != 0 && n_wrong++ == 0) first_wrong = i;
        }
        INFO(name << ": first difference at element " << first_wrong);
        CHECK(n_wrong == 0);
        covered.insert(name);
    }
    // Whatever the golden data holds must have been decoded: a type that is missing here is a failure, not a gap.
    for (const auto& entry : std::filesystem::directory_iterator(golden / "quants")) {
        if (entry.path().extension() != ".bin") continue;
        INFO(entry.path().string());
        CHECK(covered.contains(entry.path().stem().string()));
    }
}

TEST_CASE("types are found by id and by name in any case, removed ids are not") {
    for (const TypeTraits* type : all_traits()) {
        CHECK(find_traits(static_cast<uint32_t>(type->type)) == type);
        CHECK(find_traits(golden_name(*type)) == type);
        CHECK(&traits(type->type) == type);
        CHECK((type->dequantise == nullptr) == (type->kind == TypeKind::integer));
    }
    for (const uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 43u, 0xffffffffu})
        CHECK(find_traits(id) == nullptr);
    CHECK(find_traits("q4_k_m") == nullptr);
    CHECK(find_traits("Q6_K")->row_bytes(512) == 420);
}
