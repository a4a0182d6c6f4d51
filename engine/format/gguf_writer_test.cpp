// Writer -> reader round trips, typed getters and split files.
#include "format/gguf_writer.h"

#include "format/gguf_file.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <filesystem>
#include <format>
#include <random>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::format;

namespace {

/// A folder that goes away with the test.
struct TemporaryFolder {
    std::filesystem::path path =
        std::filesystem::temp_directory_path() / std::format("vkinfer_gguf_{}", std::random_device()());
    TemporaryFolder() { std::filesystem::create_directories(path); }
    ~TemporaryFolder() { std::filesystem::remove_all(path); }
};

std::vector<std::byte> some_bytes(size_t n, uint32_t seed) {
    std::vector<std::byte> bytes(n);
    for (std::byte& b : bytes) b = static_cast<std::byte>((seed = seed * 1664525 + 1013904223) >> 24);
    return bytes;
}

} // namespace

TEST_CASE("what was written is read back: every value type, every kind of tensor, any cut of the data") {
    const TemporaryFolder folder;
    const auto path = folder.path / "all.gguf";
    const std::vector<std::string> words = {"a", "", std::string("nul\0inside", 10), "\xff\xfe not UTF-8"};
    const std::vector<float> floats = {0.5f, -1e30f};
    const auto q4 = some_bytes(18 * 3 * 5, 1);
    const auto f16 = some_bytes(2 * 7, 2);
    const auto nvfp4 = some_bytes(36, 3);
    {
        GgufWriter writer(path);
        writer.set("replaced", "old");
        writer.set("u8", uint8_t{200});
        writer.set("i8", int8_t{-100});
        writer.set("u16", uint16_t{60000});
        writer.set("i16", int16_t{-30000});
        writer.set("u32", uint32_t{4000000000});
        writer.set("i32", int32_t{-2000000000});
        writer.set("u64", ~uint64_t{0});
        writer.set("i64", int64_t{INT64_MIN});
        writer.set("f32", 0.1f);
        writer.set("f64", 0.1);
        writer.set("bool", true);
        writer.set_strings("words", words);
        writer.set_array<float>("floats", floats);
        writer.set_array<bool>("none", std::span<const bool>());
        writer.set("general.alignment", uint32_t{64});
        writer.set("replaced", "new");
        writer.add_tensor("q4", TensorType::q4_0, {96, 5});
        writer.add_tensor("f16", TensorType::f16, {7, 1, 1, 1});
        writer.add_tensor("nvfp4", TensorType::nvfp4, {64});
        std::vector<std::byte> stream = q4;
        stream.insert(stream.end(), f16.begin(), f16.end());
        stream.insert(stream.end(), nvfp4.begin(), nvfp4.end());
        for (size_t i = 0; i < stream.size(); i += 11) {
            writer.append(std::span(stream).subspan(i, std::min<size_t>(11, stream.size() - i)));
        }
        const uint64_t announced = writer.size_bytes();
        CHECK(!std::filesystem::exists(path));
        writer.finish();
        CHECK(std::filesystem::file_size(path) == announced);
    }
    CHECK(!std::filesystem::exists(path.string() + ".partial"));

    const GgufFile file(path);
    CHECK(file.version() == 3);
    CHECK(file.metadata().size() == 16);
    CHECK(file.metadata()[0].key == "replaced");
    CHECK(file.get_string("replaced") == "new");
    CHECK(file.get_u32("u8") == 200);
    CHECK(file.get_i32("i8") == -100);
    CHECK(file.get_u32("u16") == 60000);
    CHECK(file.get_i32("i16") == -30000);
    CHECK(file.get_u32("u32") == 4000000000u);
    CHECK(file.get_i32("i32") == -2000000000);
    CHECK(file.get_u64("u64") == ~uint64_t{0});
    CHECK(file.get<int64_t>("i64") == INT64_MIN);
    CHECK(file.get_f32("f32") == 0.1f);
    CHECK(file.get<double>("f64") == 0.1);
    CHECK(file.get_bool("bool"));
    CHECK(std::ranges::equal(file.get_strings("words"), words));
    CHECK(file.find("words")->element<std::string_view>(2) == std::string_view(words[2]));
    CHECK(file.get_array<double>("floats") == std::vector<double>{0.5, static_cast<double>(-1e30f)});
    CHECK(file.get_array<bool>("none").empty());
    CHECK(file.get_or<uint32_t>("missing", 7) == 7);
    CHECK(!file.get_optional<bool>("missing"));

    REQUIRE(file.tensors().size() == 3);
    for (const TensorInfo& tensor : file.tensors()) CHECK(tensor.offset % 64 == 0);
    const TensorInfo& first = file.tensor("q4");
    CHECK(first.dims == std::array<uint64_t, 4>{96, 5, 1, 1});
    CHECK(first.n_dims == 2);
    CHECK(first.row_bytes() == 54);
    CHECK(first.n_rows() == 5);
    CHECK(file.read(first) == q4);
    CHECK(file.read(file.tensor("f16")) == f16);
    CHECK(file.read(file.tensor("nvfp4")) == nvfp4);
    std::vector<std::byte> part(5);
    file.read(first, 50, part);
    CHECK(std::ranges::equal(part, std::span(q4).subspan(50, 5)));
    CHECK(file.read_f32(first).size() == 480);
}

TEST_CASE("getters refuse what does not fit and name file, key and value") {
    const TemporaryFolder folder;
    const auto path = folder.path / "typed.gguf";
    {
        GgufWriter writer(path);
        writer.set("big", uint64_t{1} << 40);
        writer.set("negative", int32_t{-1});
        writer.set("text", "line\n\x1b[31m");
        writer.set("fraction", 1.5f);
        writer.set("one", uint32_t{1});
        writer.set_array<int32_t>("per_layer", std::vector<int32_t>{3, 1, 2});
        writer.set_array<int32_t>("bad_layer", std::vector<int32_t>{3, -1, 2});
        writer.finish();
    }
    GgufFile file(path);
    const auto message_of = [](auto&& call) -> std::string {
        try {
            call();
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_input);
            CHECK(!error.hint().empty());
            return error.message();
        }
        return "no error";
    };
    CHECK(message_of([&] { file.get_u32("big"); }) ==
          path.string() + ": key big is 1099511627776 (u64), expected a 32-bit integer >= 0.");
    CHECK(message_of([&] { file.get_u32("negative"); }).find("is -1 (i32)") != std::string::npos);
    CHECK(message_of([&] { file.get_bool("text"); }).find("\"line\\n\\x1b[31m\"") != std::string::npos);
    CHECK(message_of([&] { file.get_u32("fraction"); }).find("1.5") != std::string::npos);
    CHECK(message_of([&] { file.get_u32("nowhere"); }) == path.string() + ": key nowhere is missing.");
    CHECK(message_of([&] { file.get_or<uint32_t>("text", 1); }) != "no error");
    CHECK(message_of([&] { file.get_u32("per_layer"); }) != "no error");
    CHECK(message_of([&] { file.get_array<int32_t>("one"); }) != "no error");
    CHECK(message_of([&] { file.get_strings("per_layer"); }) != "no error");
    CHECK(message_of([&] { file.get_array<uint32_t>("bad_layer"); }) != "no error");
    CHECK(message_of([&] { file.get_u32_in("one", 2, 5); }).find("between 2 and 5") != std::string::npos);
    CHECK(message_of([&] { file.tensor("output.weight"); }).find("output.weight") != std::string::npos);
    CHECK(message_of([&] { file.get_per_layer<uint32_t>("per_layer", 4); }).find("3 values") != std::string::npos);

    CHECK(file.get_per_layer<uint32_t>("per_layer", 3) == std::vector<uint32_t>{3, 1, 2});
    CHECK(file.get_per_layer<uint32_t>("one", 2) == std::vector<uint32_t>{1, 1});
    CHECK(file.get_per_layer_or<uint32_t>("missing", 2, 9) == std::vector<uint32_t>{9, 9});

    file.override_metadata("text=str:a=b:c");
    file.override_metadata("one=int:-5");
    file.override_metadata("added.float=float:2.5");
    file.override_metadata("added.bool=bool:true");
    CHECK(file.get_string("text") == "a=b:c");
    CHECK(file.get_i32("one") == -5);
    CHECK(file.get_f32("added.float") == 2.5f);
    CHECK(file.get_bool("added.bool"));
    GgufFile moved = std::move(file);
    CHECK(moved.get_string("text") == "a=b:c");
    for (const char* text : {"", "key", "=str:x", "key=str", "key=what:1", "key=int:1x", "key=int:", "key=bool:1"}) {
        INFO(text);
        CHECK(message_of([&] { moved.override_metadata(text); }) != "no error");
    }
}

TEST_CASE("the writer refuses tensors that no reader would take and leaves nothing behind") {
    const TemporaryFolder folder;
    const auto path = folder.path / "refused.gguf";
    {
        GgufWriter writer(path);
        CHECK_THROWS_AS(writer.add_tensor("odd", TensorType::q4_0, {33}), Error);
        CHECK_THROWS_AS(writer.add_tensor("empty", TensorType::f32, {0}), Error);
        CHECK_THROWS_AS(writer.add_tensor(std::string(64, 'x'), TensorType::f32, {1}), Error);
        CHECK_THROWS_AS(writer.add_tensor("huge", TensorType::f32, {uint64_t{1} << 40, uint64_t{1} << 40}), Error);
        CHECK_THROWS_AS(writer.set("general.alignment", uint32_t{3}), Error);
        writer.set("key", 1u);
    }
    CHECK(std::filesystem::is_empty(folder.path));
    CHECK_THROWS_AS(GgufWriter(folder.path / "no" / "such" / "folder.gguf"), Error);
}

TEST_CASE("split models open from the first shard, and wrong parts are named") {
    const TemporaryFolder folder;
    const auto name_of = [&](int k, const char* stem = "model") {
        return folder.path / std::format("{}-{:05}-of-00003.gguf", stem, k);
    };
    struct Change {
        uint16_t number_offset = 0;
        int32_t total = 3;
        const char* tensor = nullptr;
    };
    const auto write = [&](int k, Change change = {}) {
        GgufWriter writer(name_of(k));
        if (k == 1) writer.set("general.architecture", "llama");
        writer.set("split.no", static_cast<uint16_t>(k - 1 + change.number_offset));
        writer.set("split.count", uint16_t{3});
        writer.set("split.tensors.count", change.total);
        if (k > 1) { // the first part may hold metadata only
            for (int t = 0; t < (k == 2 ? 1 : 2); ++t) {
                writer.add_tensor(change.tensor != nullptr ? change.tensor : std::format("t{}{}", k, t),
                                  TensorType::f32, {3});
            }
            std::vector<float> values(k == 2 ? 3 : 6, static_cast<float>(k));
            writer.append(std::as_bytes(std::span(values)));
        }
        writer.finish();
    };
    const auto message_of = [&](const std::filesystem::path& path) {
        try {
            const GgufFile file(path);
        } catch (const Error& error) {
            return error.full_text();
        }
        return std::string("no error");
    };
    for (int k = 1; k <= 3; ++k) write(k);
    {
        const GgufFile file(name_of(1));
        CHECK(file.n_shards() == 3);
        REQUIRE(file.tensors().size() == 3);
        CHECK(file.tensor("t31").shard == 2);
        CHECK(file.read_f32(file.tensor("t20")) == std::vector<float>(3, 2.0f));
        CHECK(file.read_f32(file.tensor("t31")) == std::vector<float>(3, 3.0f));
        CHECK(file.file(1)->path() == name_of(2));
        CHECK(file.size_bytes() == std::filesystem::file_size(name_of(1)) + std::filesystem::file_size(name_of(2)) +
                                       std::filesystem::file_size(name_of(3)));
    }
    CHECK(message_of(name_of(2)).find("Open model-00001-of-00003.gguf") != std::string::npos);
    std::filesystem::copy(name_of(1), folder.path / "renamed.gguf");
    CHECK(message_of(folder.path / "renamed.gguf").find("not named so") != std::string::npos);
    write(3, {.number_offset = 1});
    CHECK(message_of(name_of(1)).find("split.no is 3, expected 2") != std::string::npos);
    write(3, {.tensor = "t20"}); // two tensors of one name within the shard
    CHECK(message_of(name_of(1)).find("occurs twice") != std::string::npos);
    write(3);
    write(2, {.tensor = "t31"});
    CHECK(message_of(name_of(1)).find("two of its parts") != std::string::npos);
    write(2);
    write(1, {.total = 4});
    CHECK(message_of(name_of(1)).find("split.tensors.count says 4") != std::string::npos);
    write(1);
    std::filesystem::remove(name_of(3));
    CHECK(message_of(name_of(1)).find("00003-of-00003.gguf: cannot be opened") != std::string::npos);
}
