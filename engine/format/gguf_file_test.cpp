#include "format/gguf_file.h"

#include "support/support.h"

#include <doctest/doctest.h>

using namespace vkinfer;
using namespace vkinfer::format;

TEST_CASE("every golden model opens and its tensors can be read as floats") {
    VKINFER_REQUIRE_GOLDEN(golden);
    size_t n_models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(golden / "models")) {
        const auto path = entry.path() / "model.gguf";
        if (!std::filesystem::exists(path)) continue;
        const GgufFile file(path);
        INFO(path.string());
        CHECK(!file.get_string("general.architecture").empty());
        CHECK(file.get_strings("tokenizer.ggml.tokens").size() > 0);
        CHECK(file.tensors().size() > 0);
        for (const TensorInfo& tensor : file.tensors()) {
            CHECK(&file.tensor(tensor.name) == &tensor);
            if (traits(tensor.type).kind != TypeKind::integer)
                CHECK(file.read_f32(tensor).size() == tensor.n_elements());
        }
        ++n_models;
    }
    CHECK(n_models > 0);
}
