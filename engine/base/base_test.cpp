#include "base/direct_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/half.h"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

using namespace vkinfer;

TEST_CASE("every binary16 value survives the way to float and back") {
    for (uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float value = half_to_float(static_cast<uint16_t>(bits));
        if (std::isnan(value)) continue;
        REQUIRE(float_to_half(value) == bits);
    }
}

TEST_CASE("float to half rounds to nearest even and saturates to infinity") {
    CHECK(float_to_half(1.0f + 0x1p-11f) == 0x3c00);     // tie goes to even
    CHECK(float_to_half(1.0f + 3 * 0x1p-11f) == 0x3c02); // tie goes to even
    CHECK(float_to_half(65519.0f) == 0x7bff);
    CHECK(float_to_half(65520.0f) == 0x7c00);
    CHECK(float_to_half(0x1p-25f) == 0); // tie at half of the smallest subnormal
    CHECK(float_to_half(0x1.8p-25f) == 1);
    CHECK(std::isnan(half_to_float(float_to_half(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("bfloat16 rounds to nearest even and keeps NaN") {
    CHECK(float_to_bfloat16(1.0f + 0x1p-8f) == 0x3f80);
    CHECK(float_to_bfloat16(1.0f + 3 * 0x1p-8f) == 0x3f82);
    CHECK(std::isnan(bfloat16_to_float(float_to_bfloat16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_CASE("a missing file and a read past the end are errors that name the file") {
    try {
        File file("/nonexistent/model.gguf");
        FAIL("expected an error");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::not_found);
        CHECK(error.message().find("model.gguf") != std::string::npos);
    }
    const auto path = std::filesystem::temp_directory_path() / "vkinfer_base_test.bin";
    std::ofstream(path) << "abc";
    const File file(path);
    CHECK(file.size_bytes() == 3);
    std::byte buffer[4];
    CHECK_THROWS_AS(file.read_at(0, buffer), Error);
    CHECK(MappedFile(file).bytes().size() == 3);
    std::filesystem::remove(path);
}

TEST_CASE("a window of a file read past the page cache is the file's bytes, whatever it begins and ends with") {
    const auto path = std::filesystem::temp_directory_path() / "vkinfer_direct_file_test";
    std::string content(3'000'017, ' ');
    for (size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 % 251);
    std::ofstream(path, std::ios::binary) << content;
    const DirectFile file(path);
    constexpr size_t kRoom = 4 << 20;
    const std::unique_ptr<void, decltype(&std::free)> memory(std::aligned_alloc(DirectFile::kAlignment, kRoom),
                                                             &std::free);
    const std::span<std::byte> into(static_cast<std::byte*>(memory.get()), kRoom);
    for (const bool through_buffer : {false, true}) {
        for (const auto& [offset, size] : std::vector<std::pair<uint64_t, uint64_t>>{
                 {0, 1}, {0, 4096}, {4095, 2}, {32, 2'999'985}, {1'234'567, 1'111'111}, {3'000'016, 1}}) {
            CAPTURE(offset);
            CAPTURE(through_buffer);
            CHECK(DirectFile::window_bytes(offset, size) <= (size + 4096 + 4095) / 4096 * 4096);
            const size_t skip = file.read_window(offset, size, into, through_buffer);
            const std::string_view got(reinterpret_cast<const char*>(into.data()) + skip, size);
            CHECK(got == std::string_view(content).substr(offset, size));
        }
        CHECK_THROWS_AS((void)file.read_window(3'000'016, 2, into, through_buffer), Error);
        CHECK_THROWS_AS((void)file.read_window(4'000'000, 1, into, through_buffer), Error);
    }
    std::filesystem::remove(path);
    CHECK_THROWS_AS(DirectFile{path}, Error);
}
