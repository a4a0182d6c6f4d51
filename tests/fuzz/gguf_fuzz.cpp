// Fuzz target: any bytes as a GGUF file; whatever is accepted is looked at completely.
#include "base/error.h"
#include "format/gguf_file.h"

#include <cstdint>
#include <cstdlib>
#include <span>

using namespace vkinfer;
using namespace vkinfer::format;

namespace {

/// Keeps the compiler from dropping what is computed for nothing.
volatile size_t sink = 0;

void look_at(const GgufValue& value) {
    sink = sink + value.to_text().size() + value.type_name().size() + value.strings().size();
    for (uint64_t i = 0; i < value.count() && i < 64; ++i) {
        sink = sink + static_cast<size_t>(value.element<int32_t>(i).value_or(0));
        sink = sink + (value.element<double>(i).has_value() ? 1 : 0);
        if (const auto text = value.element<std::string_view>(i)) sink = sink + text->size();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    try {
        const GgufFile file(std::as_bytes(std::span(data, size)), "fuzz.gguf");
        for (const MetadataEntry& entry : file.metadata()) {
            if (file.find(entry.key) != &entry.value) std::abort();
            look_at(entry.value);
        }
        for (const TensorInfo& tensor : file.tensors()) {
            if (&file.tensor(tensor.name) != &tensor) std::abort();
            sink = sink + file.read(tensor).size();
            if (traits(tensor.type).dequantise != nullptr) sink = sink + file.read_f32(tensor).size();
        }
        file.get_or<uint32_t>("general.file_type", 0);
        file.get_strings("tokenizer.ggml.tokens");
    } catch (const Error& error) {
        if (error.message().empty()) std::abort();
    }
    return 0;
}
