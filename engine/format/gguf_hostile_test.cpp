// Files that lie: every one must end in an Error that says what is wrong, before anything is allocated by its numbers.
#include "format/gguf_file.h"

#include <cstring>
#include <doctest/doctest.h>
#include <string>
#include <vector>

using namespace vkinfer;
using namespace vkinfer::format;

namespace {

/// Writes GGUF by hand, right or wrong.
struct Builder {
    std::string bytes;

    template<class T>
    Builder& number(T value) {
        bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Builder& u32(uint32_t value) { return number(value); }
    Builder& u64(uint64_t value) { return number(value); }
    Builder& text(std::string_view value) {
        u64(value.size());
        bytes += value;
        return *this;
    }
    Builder& header(uint64_t n_tensors, uint64_t n_entries, uint32_t version = 3) {
        bytes += "GGUF";
        return u32(version).u64(n_tensors).u64(n_entries);
    }
    Builder& tensor(std::string_view name, std::vector<uint64_t> dims, uint32_t type, uint64_t offset) {
        text(name).u32(static_cast<uint32_t>(dims.size()));
        for (const uint64_t dim : dims) u64(dim);
        return u32(type).u64(offset);
    }
    Builder& pad(size_t alignment = 32) {
        while (bytes.size() % alignment != 0) bytes += '\0';
        return *this;
    }
    Builder& data(size_t n) {
        pad();
        bytes.append(n, '\1');
        return *this;
    }
};

std::string message_of(const std::string& bytes) {
    try {
        const GgufFile file(std::as_bytes(std::span(bytes)), "m.gguf");
    } catch (const Error& error) {
        CHECK(error.message().starts_with("m.gguf: "));
        CHECK(!error.hint().empty());
        CHECK((error.kind() == ErrorKind::invalid_input || error.kind() == ErrorKind::unsupported));
        return error.message();
    }
    return "no error";
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

#define CHECK_REFUSED(builder, part)                                                                                   \
    do {                                                                                                               \
        const std::string message = message_of((builder).bytes);                                                       \
        INFO(message);                                                                                                 \
        CHECK(contains(message, part));                                                                                \
    } while (false)

Builder valid_file(uint32_t version = 3) {
    Builder b;
    b.header(2, 5, version);
    b.text("general.architecture").u32(8).text("llama");
    b.text("general.alignment").u32(4).u32(32);
    b.text("tokenizer.ggml.tokens").u32(9).u32(8).u64(3).text("a").text("").text("\xff");
    b.text("numbers").u32(9).u32(5).u64(3).u32(1).u32(2).u32(3);
    b.text("flag").u32(7).number<uint8_t>(1);
    b.tensor("w", {32, 2}, 2, 0).tensor("n", {8}, 0, 64).data(64 + 32);
    return b;
}

} // namespace

TEST_CASE("the valid file of these tests is valid, in both versions") {
    for (const uint32_t version : {2u, 3u}) {
        const Builder b = valid_file(version);
        const GgufFile file(std::as_bytes(std::span(b.bytes)), "m.gguf");
        CHECK(file.version() == version);
        CHECK(file.tensors().size() == 2);
        CHECK(file.get_strings("tokenizer.ggml.tokens").size() == 3);
        CHECK(file.file(0) == nullptr);
        CHECK(file.read(file.tensor("n")).size() == 32);
    }
}

TEST_CASE("cut after any byte, the file is refused") {
    const std::string whole = valid_file().bytes;
    for (size_t length = 0; length < whole.size(); ++length) {
        INFO(length);
        CHECK(message_of(whole.substr(0, length)) != "no error");
    }
    CHECK(message_of(whole) == "no error");
}

TEST_CASE("with any byte changed, the file is read or refused, and every value can be looked at") {
    const std::string whole = valid_file().bytes;
    size_t n_read = 0;
    for (size_t at = 0; at < whole.size(); ++at) {
        for (const int change : {0x01, 0x80, 0xff}) {
            std::string bytes = whole;
            bytes[at] = static_cast<char>(bytes[at] ^ change);
            try {
                const GgufFile file(std::as_bytes(std::span(bytes)), "m.gguf");
                for (const MetadataEntry& entry : file.metadata()) entry.value.to_text();
                for (const TensorInfo& tensor : file.tensors()) file.read(tensor);
                ++n_read;
            } catch (const Error&) {
            }
        }
    }
    CHECK(n_read > 0);
}

TEST_CASE("headers") {
    CHECK_REFUSED(Builder{}, "is not a GGUF file");
    CHECK_REFUSED(Builder{"PK\3\4 and so on"}, "begins with \"PK\\x03\\x04\"");
    CHECK_REFUSED(Builder{"FUGG" + std::string(40, '\0')}, "is not a GGUF file");
    CHECK_REFUSED(Builder{}.header(0, 0, 1), "GGUF version 1");
    CHECK_REFUSED(Builder{}.header(0, 0, 0), "GGUF version 0");
    CHECK_REFUSED(Builder{}.header(0, 0, 4), "GGUF version 4");
    CHECK_REFUSED(Builder{}.header(0, 0, 3u << 24), "big-endian");
    CHECK_REFUSED(Builder{}.header(1, 0), "claims 1 tensors, its 0 remaining bytes hold at most 0");
    CHECK_REFUSED(Builder{}.header(0, 1).u64(0), "claims 1 metadata entries");
    CHECK_REFUSED(Builder{}.header(~uint64_t{0}, 0).data(100), "tensors");
    CHECK_REFUSED(Builder{}.header(0, uint64_t{1} << 63).data(100), "metadata entries");
    CHECK(message_of(Builder{}.header(0, 0).bytes) == "no error"); // a vocabulary-only file has no data section
}

TEST_CASE("metadata") {
    const auto one = [] { return Builder{}.header(0, 1); };
    CHECK_REFUSED(one().text("").u32(0).data(9), "key 0 is empty");
    CHECK_REFUSED(one().u64(uint64_t{1} << 60).data(99), "key 0 is 1152921504606846976 bytes long");
    CHECK_REFUSED(one().u64(1000).data(99), "needs 1000 bytes");
    CHECK_REFUSED(one().text("k\xc3\xa4se").u32(0).data(9), "is not ASCII");
    CHECK_REFUSED(one().text("k").u32(13).data(9), "value type 13");
    CHECK_REFUSED(one().text("k").u32(0x80000000).data(9), "value type 2147483648");
    CHECK_REFUSED(one().text("k").u32(8).u64(~uint64_t{0}), "key k is 18446744073709551615 bytes long");
    CHECK_REFUSED(one().text("k").u32(8).u64(1u << 29), "needs 536870912 bytes");
    CHECK_REFUSED(one().text("k").u32(10).u32(1), "needs 8 bytes");
    CHECK_REFUSED(one().text("k").u32(9).u32(9).u64(0), "array of arrays");
    CHECK_REFUSED(one().text("k").u32(9).u32(99).u64(0), "array of value type 99");
    CHECK_REFUSED(one().text("k").u32(9).u32(0).u64(~uint64_t{0}), "claims 18446744073709551615 elements of u8");
    CHECK_REFUSED(one().text("k").u32(9).u32(10).u64(uint64_t{1} << 61).data(64), "elements of u64");
    CHECK_REFUSED(one().text("k").u32(9).u32(8).u64(1000).data(64), "claims 1000 elements of string");
    CHECK_REFUSED(one().text("k").u32(9).u32(8).u64(2).text("a").u64(50), "needs 50 bytes");
    CHECK_REFUSED(Builder{}.header(0, 2).text("k").u32(0).number<uint8_t>(1).text("k").u32(0).number<uint8_t>(1),
                  "key k occurs twice");
    for (const uint32_t alignment : {0u, 3u, 48u, 1u << 21, 1u << 31}) {
        CHECK_REFUSED(one().text("general.alignment").u32(4).u32(alignment), "must be a power of two");
    }
    CHECK_REFUSED(one().text("general.alignment").u32(5).u32(32), "it must be u32");
    CHECK_REFUSED(one().text("general.alignment").u32(9).u32(4).u64(1).u32(32), "has type array of u32");
}

TEST_CASE("tensor table") {
    const auto one = [] { return Builder{}.header(1, 0); };
    const uint64_t huge = uint64_t{1} << 60;
    CHECK_REFUSED(one().tensor(std::string(64, 'n'), {1}, 0, 0).data(4), "is 64 bytes long, at most 63");
    CHECK_REFUSED(one().tensor("bad\xff", {1}, 0, 0).data(4), "is not UTF-8: \"bad\\xff\"");
    CHECK_REFUSED(one().tensor("t", {1, 1, 1, 1, 1}, 0, 0).data(4), "has 5 dimensions");
    CHECK_REFUSED(one().text("t").u32(~0u).data(99), "has 4294967295 dimensions");
    CHECK_REFUSED(one().tensor("t", {4, 0}, 0, 0).data(4), "dimension 1 is 0");
    CHECK_REFUSED(one().tensor("t", {huge}, 0, 0).data(4), "bytes at offset 0 of the data, which is only 4 bytes");
    CHECK_REFUSED(one().tensor("t", {huge, huge}, 0, 0).data(4), "more elements than 2^63");
    CHECK_REFUSED(one().tensor("t", {1, 1, 1, ~uint64_t{0}}, 0, 0).data(4), "more elements than 2^63");
    CHECK_REFUSED(one().tensor("t", {uint64_t{1} << 62}, 0, 0).data(4), "more bytes than 2^63");
    CHECK_REFUSED(one().tensor("t", {huge * 4 - 256}, 14, 0).data(4), "bytes at offset");
    CHECK_REFUSED(one().tensor("t", {33}, 2, 0).data(4), "rows of 33 elements, Q4_0 needs a multiple of 32");
    CHECK_REFUSED(one().tensor("t", {32}, 4, 0).data(4), "type 4, which is not known");
    CHECK_REFUSED(one().tensor("t", {32}, 43, 0).data(4), "type 43, which is not known");
    CHECK_REFUSED(one().tensor("t", {32}, 0xffffffff, 0).data(4), "type 4294967295");
    CHECK_REFUSED(one().tensor("t", {32}, 9, 0).data(36), "type 9 (Q8_1, not for files)");
    CHECK_REFUSED(one().tensor("t", {1}, 0, 4).data(64), "no multiple of the alignment 32");
    CHECK_REFUSED(one().tensor("t", {1}, 0, 64).data(64), "at offset 64");
    CHECK_REFUSED(one().tensor("t", {1}, 0, ~uint64_t{31}).data(64), "at offset 18446744073709551584");
    CHECK_REFUSED(one().tensor("t", {17}, 0, 0).data(64), "68 bytes at offset 0 of the data, which is only 64");
    CHECK_REFUSED(one().tensor("t", {1}, 0, 0), "the data, which is only 0 bytes"); // no data section at all
    CHECK_REFUSED(Builder{}.header(2, 0).tensor("t", {1}, 0, 0).tensor("t", {1}, 0, 32).data(64),
                  "tensor t occurs twice");
    CHECK_REFUSED(Builder{}.header(2, 0).tensor("a", {9}, 0, 0).tensor("b", {1}, 0, 32).data(64),
                  "tensors a and b overlap");
    CHECK_REFUSED(Builder{}.header(2, 0).tensor("a", {1}, 0, 0).tensor("b", {1}, 0, 0).data(64), "overlap");
    // Gaps, any order and a missing pad at the end are fine.
    CHECK(message_of(Builder{}.header(2, 0).tensor("b", {1}, 0, 64).tensor("a", {8}, 0, 0).data(68).bytes) ==
          "no error");
    CHECK(message_of(one().tensor("scalar", {}, 0, 0).data(4).bytes) == "no error");
}

TEST_CASE("many keys and tensors of one prefix are checked in less than quadratic time") {
    constexpr int kCount = 100000;
    Builder b;
    b.header(kCount, kCount);
    for (int i = 0; i < kCount; ++i) b.text("prefix." + std::to_string(i)).u32(0).number<uint8_t>(1);
    for (int i = 0; i < kCount; ++i) b.tensor("prefix." + std::to_string(i), {1}, 24, 32 * static_cast<uint64_t>(i));
    b.data(32 * kCount);
    const GgufFile file(std::as_bytes(std::span(b.bytes)), "m.gguf");
    CHECK(file.get_u32("prefix.4711") == 1);
    CHECK(file.tensor("prefix.99999").size_bytes == 1);
}
