// Writes a GGUF v3 file: metadata and tensor table first, then the tensor bytes as a stream, so that a file larger than
// memory can be written. The file gets its name only when it is complete; an abandoned writer leaves nothing behind.
#pragma once

#include "format/gguf_parser.h"

#include <concepts>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::format {

/// Value type of a C++ type.
template<class T>
consteval ValueType value_type_of() {
    if constexpr (std::same_as<T, bool>)
        return ValueType::boolean;
    else if constexpr (std::same_as<T, uint8_t>)
        return ValueType::u8;
    else if constexpr (std::same_as<T, int8_t>)
        return ValueType::i8;
    else if constexpr (std::same_as<T, uint16_t>)
        return ValueType::u16;
    else if constexpr (std::same_as<T, int16_t>)
        return ValueType::i16;
    else if constexpr (std::same_as<T, uint32_t>)
        return ValueType::u32;
    else if constexpr (std::same_as<T, int32_t>)
        return ValueType::i32;
    else if constexpr (std::same_as<T, uint64_t>)
        return ValueType::u64;
    else if constexpr (std::same_as<T, int64_t>)
        return ValueType::i64;
    else if constexpr (std::same_as<T, float>)
        return ValueType::f32;
    else if constexpr (std::same_as<T, double>)
        return ValueType::f64;
    else
        static_assert(sizeof(T) == 0, "not a type of GGUF metadata");
}

class GgufWriter {
public:
    /// Starts a file that finish() will put at `path`. Throws Error{io}.
    explicit GgufWriter(std::filesystem::path path);
    /// Removes the unfinished file.
    ~GgufWriter();
    GgufWriter(const GgufWriter&) = delete;
    GgufWriter& operator=(const GgufWriter&) = delete;

    // --- 1: metadata; setting a key again replaces its value ---

    template<class T>
        requires std::is_arithmetic_v<T>
    void set(std::string_view key, T value) {
        set_raw(key, value_type_of<T>(), false, 1, {reinterpret_cast<const char*>(&value), sizeof value});
    }
    void set(std::string_view key, std::string_view text);
    void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }

    template<class T>
        requires std::is_arithmetic_v<T>
    void set_array(std::string_view key, std::span<const T> values) {
        set_raw(key, value_type_of<T>(), true, values.size(),
                {reinterpret_cast<const char*>(values.data()), values.size_bytes()});
    }
    /// An array of anything that converts to string_view.
    template<std::ranges::sized_range Strings>
    void set_strings(std::string_view key, const Strings& strings) {
        std::string bytes;
        for (const std::string_view text : strings) append_string(bytes, text);
        set_raw(key, ValueType::string, true, std::ranges::size(strings), bytes);
    }
    /// A value of another file, as it is.
    void set(std::string_view key, const GgufValue& value);

    // --- 2: the tensor table, in the order of the data ---

    /// `dims` innermost first. Throws Error for what no reader would take (name, shape, block size).
    void add_tensor(std::string_view name, TensorType type, std::span<const uint64_t> dims);
    void add_tensor(std::string_view name, TensorType type, std::initializer_list<uint64_t> dims) {
        add_tensor(name, type, std::span(dims.begin(), dims.size()));
    }
    /// What was added; offsets are relative to the data section.
    std::span<const TensorInfo> tensors() const { return tensors_; }

    // --- 3: the data ---

    /// Appends bytes of the tensors, in any pieces; padding between tensors is added here. The first call (or finish())
    /// writes the header, and nothing can be added after it.
    void append(std::span<const std::byte> bytes);
    /// Completes the file and gives it its name. All tensors must have been written.
    void finish();
    /// Completes a file without tensor data, as GgufFile::open_header reads it.
    void finish_header();
    /// Bytes of the whole file, as far as it is described now.
    uint64_t size_bytes() const;

private:
    struct Entry {
        std::string key;
        ValueType type;
        bool is_array;
        uint64_t count;
        std::string bytes;
    };
    struct CloseFile {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };

    static void append_string(std::string& bytes, std::string_view text);
    void set_raw(std::string_view key, ValueType type, bool is_array, uint64_t count, std::string_view bytes);
    std::string header() const;
    void write(const void* bytes, size_t size);
    void pad_to(uint64_t position);
    void start_data();
    void close();

    std::filesystem::path path_;
    std::filesystem::path partial_path_; ///< path_ + ".partial" until finish()
    std::unique_ptr<std::FILE, CloseFile> file_;
    std::vector<Entry> entries_;
    std::vector<TensorInfo> tensors_;
    uint64_t alignment_ = 32;
    uint64_t data_start_ = 0;   ///< 0 until the header is written
    uint64_t position_ = 0;     ///< bytes written
    size_t current_tensor_ = 0; ///< the one that append() continues
    bool finished_ = false;
};

} // namespace vkinfer::format
