// The subcommands that need nothing but files: dequant and quantize.
#include "tools/dequant_command.h"
#include "tools/quantize_command.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "format/gguf_writer.h"

#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

using namespace vkinfer;

namespace {

using Stream = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Stream stream_of(const std::string& bytes) {
    Stream stream(std::tmpfile(), std::fclose);
    REQUIRE(stream);
    std::fwrite(bytes.data(), 1, bytes.size(), stream.get());
    std::rewind(stream.get());
    return stream;
}

std::string content_of(std::FILE* stream) {
    std::string text(static_cast<size_t>(std::ftell(stream)), '\0');
    std::rewind(stream);
    REQUIRE(std::fread(text.data(), 1, text.size(), stream) == text.size());
    return text;
}

} // namespace

TEST_CASE("dequant streams many blocks and refuses half a block") {
    const format::TypeTraits& type = *format::find_traits("Q8_0");
    std::string blocks;
    for (int b = 0; b < 50000; ++b) { // more than one chunk
        blocks += std::string("\x00\x3c", 2);
        blocks += std::string(32, static_cast<char>(b % 100));
    }
    const Stream out = stream_of("");
    CHECK(tools::dequantise_stream(type, stream_of(blocks).get(), out.get()) == 50000);
    const std::string bytes = content_of(out.get());
    REQUIRE(bytes.size() == size_t{50000} * 32 * 4);
    std::vector<float> values(size_t{50000} * 32);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    CHECK(values[0] == 0.0f);
    CHECK(values[32 * 43210 + 5] == 10.0f);
    CHECK(values.back() == 99.0f);

    const Stream empty = stream_of("");
    CHECK(tools::dequantise_stream(type, stream_of("").get(), empty.get()) == 0);
    CHECK_THROWS_AS(tools::dequantise_stream(type, stream_of(blocks.substr(0, 50)).get(), empty.get()), Error);
    CHECK_THROWS_AS(tools::dequantise_stream(*format::find_traits("I32"), stream_of("").get(), empty.get()), Error);
}

TEST_CASE("quantize turns a float model into one of the wanted type and says what it did") {
    const auto folder = std::filesystem::temp_directory_path();
    const auto source = folder / "vkinfer_quantize_source.gguf", target = folder / "vkinfer_quantize_target.gguf";
    {
        format::GgufWriter writer(source);
        writer.set("general.architecture", "llama");
        writer.set("llama.block_count", 2u);
        const std::vector<std::string> names = {"token_embd.weight", "blk.0.ffn_up.weight", "blk.1.ffn_up.weight",
                                                "output.weight"};
        for (const std::string& name : names) writer.add_tensor(name, format::TensorType::f16, {256, 100});
        writer.append(std::vector<std::byte>(4 * 2 * 256 * 100, std::byte{0x2c})); // 0x2c2c: about 0.065
        writer.finish();
    }
    tools::QuantizeArguments arguments = {.source = source, .target = target, .recipe = "q4_k_m", .measure = true};
    arguments.token_embedding_type = "Q8_0";
    const Stream out = stream_of("");
    tools::run_quantize(arguments, out.get(), nullptr);
    const std::string text = content_of(out.get());
    CHECK(text.find("bits per weight") != std::string::npos);
    CHECK(text.find("blk.1.ffn_up.weight") != std::string::npos);
    {
        const format::GgufFile file(target);
        CHECK(file.tensor("token_embd.weight").type == format::TensorType::q8_0);
        CHECK(file.tensor("output.weight").type == format::TensorType::q6_k);
        CHECK(file.tensor("blk.1.ffn_up.weight").type == format::TensorType::q4_k);
    }
    arguments.output_type = "IQ1_S";
    CHECK_THROWS_AS(tools::run_quantize(arguments, out.get(), nullptr), Error);
    arguments.output_type = "";
    arguments.recipe = "Q17";
    CHECK_THROWS_AS(tools::run_quantize(arguments, out.get(), nullptr), Error);
    std::filesystem::remove(source);
    std::filesystem::remove(target);
}
