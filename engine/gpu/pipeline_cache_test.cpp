#include "gpu/pipeline.h"
#include "gpu/pipeline_cache.h"
#include "gpu/testing/scale.spv.h"
#include "gpu/testing/test_device.h"

#include <chrono>
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace vkinfer;
using namespace vkinfer::gpu;

namespace {

/// A directory that is gone at the end of the test.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "vkinfer-test-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~TemporaryDirectory() {
        std::error_code error;
        std::filesystem::remove_all(path_, error);
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::filesystem::path& path() const { return path_; }
    std::vector<std::filesystem::path> files() const {
        std::vector<std::filesystem::path> found;
        if (!std::filesystem::exists(path_)) return found;
        for (const auto& entry : std::filesystem::recursive_directory_iterator(path_)) {
            if (entry.is_regular_file()) found.push_back(entry.path());
        }
        return found;
    }

private:
    std::filesystem::path path_;
};

/// Makes one pipeline with the cache; returns the bytes that were loaded.
uint64_t run_with_cache(const std::filesystem::path& directory, uint64_t shader_hash = 1, size_t n_warnings = 0) {
    testing::TestDevice device(
        {.pipeline_cache = {.enabled = true, .directory = directory, .shader_hash = shader_hash}});
    const uint32_t specialization[] = {64, 5};
    const Pipeline pipeline(
        device,
        {.name = "scale", .spirv = k_scale_spirv, .specialization = specialization, .push_bytes = 8, .n_bindings = 2});
    device->save_pipeline_cache();
    CHECK(device.log().lines.size() == n_warnings);
    return device->pipeline_cache_loaded_bytes();
}

} // namespace

TEST_CASE("pipeline cache file: written, found again, keyed by shaders") {
    const TemporaryDirectory directory;
    const auto nested = directory.path() / "not" / "yet";
    CHECK(run_with_cache(nested) == 0);
    REQUIRE(directory.files().size() == 1);
    CHECK(run_with_cache(nested) > 0);
    CHECK(run_with_cache(nested, 2) == 0);
    CHECK(directory.files().size() == 2);
}

TEST_CASE("pipeline cache file: damaged and foreign files are ignored and replaced") {
    const TemporaryDirectory directory;
    CHECK(run_with_cache(directory.path()) == 0);
    const auto file = directory.files().at(0);
    const auto size = std::filesystem::file_size(file);
    {
        std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
        stream.seekp(static_cast<std::streamoff>(size) - 3);
        stream.put('!');
        stream.put('!');
    }
    CHECK(run_with_cache(directory.path()) == 0);
    CHECK(run_with_cache(directory.path()) > 0);
    std::filesystem::resize_file(file, 20);
    CHECK(run_with_cache(directory.path()) == 0);
    std::ofstream(file, std::ios::trunc) << "something else that somebody put here";
    CHECK(run_with_cache(directory.path()) == 0);
    CHECK(run_with_cache(directory.path()) > 0);
    CHECK(directory.files().size() == 1); // no temporary files stay
}

TEST_CASE("pipeline cache file: a directory that cannot be written is one warning") {
    const TemporaryDirectory directory;
    const auto file = directory.path() / "file";
    std::ofstream(file) << "x";
    CHECK(run_with_cache(file / "below", 1, 1) == 0);
}

TEST_CASE("pipeline cache files: old ones go, the newest and foreign files stay") {
    const TemporaryDirectory directory;
    std::ofstream(directory.path() / "notes.txt") << "x";
    std::ofstream(directory.path() / "pipelines-0.bin.1.tmp") << "x";
    std::filesystem::last_write_time(directory.path() / "pipelines-0.bin.1.tmp",
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    for (uint64_t hash = 0; hash < 10; ++hash) run_with_cache(directory.path(), hash);
    CHECK(directory.files().size() == 9); // eight caches and the notes
    CHECK(std::filesystem::exists(directory.path() / "notes.txt"));
    CHECK(run_with_cache(directory.path(), 9) > 0);
    CHECK(run_with_cache(directory.path(), 0) == 0);
}

TEST_CASE("pipeline cache file format refuses what does not fit") {
    const std::string key = "0123456789abcdef";
    const std::vector<std::byte> payload(100, std::byte{7});
    const auto file = pack_pipeline_cache(key, payload);
    CHECK(unpack_pipeline_cache(key, file) == payload);
    CHECK_FALSE(unpack_pipeline_cache("0123456789abcdee", file));
    for (size_t n = 0; n < file.size(); ++n) {
        CHECK_FALSE(unpack_pipeline_cache(key, std::span(file).first(n)));
        auto damaged = file;
        damaged[n] ^= std::byte{1};
        CHECK_FALSE(unpack_pipeline_cache(key, damaged));
    }
}

TEST_CASE("pipeline cache keys tell devices, drivers and shaders apart") {
    Capabilities a;
    Capabilities b = a;
    b.driver_version = 1;
    CHECK(pipeline_cache_key(a, 1).size() == 16);
    CHECK(pipeline_cache_key(a, 1) == pipeline_cache_key(a, 1));
    CHECK(pipeline_cache_key(a, 1) != pipeline_cache_key(a, 2));
    CHECK(pipeline_cache_key(a, 1) != pipeline_cache_key(b, 1));
}
