// A model in GGUF format, of one file or of several shards: typed metadata, the tensor table, and reads of tensor
// bytes. Metadata is a view of a read-only mapping and lives as long as the GgufFile; tensor data is read by position,
// so that it never has to be in the page cache twice.
#pragma once

#include "base/error.h"
#include "base/file.h"
#include "format/gguf_parser.h"

#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vkinfer::format {

class GgufFile {
public:
    /// Opens a file and, when it is the first shard of a split model, all others beside it. Throws Error.
    explicit GgufFile(const std::filesystem::path& path) : GgufFile(path, false) {}
    /// The same when only the beginning of each file is there, up to the tensor data: for planning before a download.
    /// Tensors can be listed and not read.
    static GgufFile open_header(const std::filesystem::path& path) { return GgufFile(path, true); }
    /// From memory (tests, fuzzing, embedded models); `bytes` must outlive the object. `name` stands for the file.
    GgufFile(std::span<const std::byte> bytes, std::string name);
    GgufFile(GgufFile&&) noexcept;
    GgufFile& operator=(GgufFile&&) noexcept;
    ~GgufFile();

    /// As messages name it: the path of the first shard.
    const std::string& name() const { return name_; }
    uint32_t version() const;
    size_t n_shards() const { return shards_.size(); }
    /// Bytes of all shards.
    uint64_t size_bytes() const;

    // --- metadata (of the first shard) ---

    /// All entries in the order of the file, overrides applied.
    std::span<const MetadataEntry> metadata() const { return metadata_; }
    const GgufValue* find(std::string_view key) const;
    bool has(std::string_view key) const { return find(key) != nullptr; }

    /// The value, with the conversions of GgufValue::as(). Throws when the key is missing or does not fit T.
    /// T: integers, float, double, bool, std::string_view.
    template<class T>
    T get(std::string_view key) const {
        return convert<T>(key, required(key));
    }
    /// The value, or `fallback` when the key is missing; throws when it is there and does not fit.
    template<class T>
    T get_or(std::string_view key, T fallback) const {
        const GgufValue* value = find(key);
        return value == nullptr ? fallback : convert<T>(key, *value);
    }
    template<class T>
    std::optional<T> get_optional(std::string_view key) const {
        const GgufValue* value = find(key);
        return value == nullptr ? std::nullopt : std::optional<T>(convert<T>(key, *value));
    }

    uint32_t get_u32(std::string_view key) const { return get<uint32_t>(key); }
    int32_t get_i32(std::string_view key) const { return get<int32_t>(key); }
    uint64_t get_u64(std::string_view key) const { return get<uint64_t>(key); }
    float get_f32(std::string_view key) const { return get<float>(key); }
    bool get_bool(std::string_view key) const { return get<bool>(key); }
    std::string_view get_string(std::string_view key) const { return get<std::string_view>(key); }

    /// A number that must lie in [low, high]: for counts and sizes that other sizes are computed from.
    uint32_t get_u32_in(std::string_view key, uint32_t low, uint32_t high) const;

    /// All elements of an array, converted; throws when the key is missing, no array, or an element does not fit.
    template<class T>
    std::vector<T> get_array(std::string_view key) const {
        return convert_array<T>(key, required(key));
    }
    /// Views of all strings of an array; throws like get_array().
    std::vector<std::string_view> get_strings(std::string_view key) const;
    /// A value per layer, stored either as one number for all layers or as an array of n_layers.
    template<class T>
    std::vector<T> get_per_layer(std::string_view key, size_t n_layers) const {
        const GgufValue& value = required(key);
        if (!value.is_array()) return std::vector<T>(n_layers, convert<T>(key, value));
        check_per_layer_count(key, value, n_layers);
        return convert_array<T>(key, value);
    }
    template<class T>
    std::vector<T> get_per_layer_or(std::string_view key, size_t n_layers, T fallback) const {
        return has(key) ? get_per_layer<T>(key, n_layers) : std::vector<T>(n_layers, fallback);
    }

    /// Replaces or adds an entry, from text like "tokenizer.ggml.pre=str:llama-bpe" (types str, int, float, bool).
    /// Throws Error{invalid_input} for other text.
    void override_metadata(std::string_view text);

    // --- tensors (of all shards) ---

    std::span<const TensorInfo> tensors() const { return tensors_; }
    const TensorInfo* find_tensor(std::string_view name) const;
    /// The tensor of that name; throws when there is none.
    const TensorInfo& tensor(std::string_view name) const;

    /// Reads bytes [offset, offset + into.size()) of a tensor of this file. May be called from several threads.
    void read(const TensorInfo& tensor, uint64_t offset, std::span<std::byte> into) const;
    /// The whole tensor.
    std::vector<std::byte> read(const TensorInfo& tensor) const;
    /// The whole tensor as float32. Throws for integer types.
    std::vector<float> read_f32(const TensorInfo& tensor) const;
    /// The file of a shard, for readers with their own I/O; null when opened from memory.
    const File* file(uint32_t shard) const;

private:
    struct Shard;

    GgufFile(const std::filesystem::path& path, bool header_only);
    const GgufValue& required(std::string_view key) const;
    [[noreturn]] void refuse_conversion(std::string_view key, const GgufValue& value, const char* wanted) const;
    void check_per_layer_count(std::string_view key, const GgufValue& value, size_t n_layers) const;
    void open_siblings(const std::filesystem::path& path, bool header_only);
    void add_shard(std::unique_ptr<Shard> shard);
    void index();
    void set_entry(std::string key, ValueType type, std::string bytes);

    template<class T>
    static constexpr const char* wanted_name() {
        if constexpr (std::is_same_v<T, bool>)
            return "a bool";
        else if constexpr (std::is_same_v<T, std::string_view>)
            return "a string";
        else if constexpr (std::is_floating_point_v<T>)
            return "a number";
        else if constexpr (sizeof(T) == 8)
            return std::is_signed_v<T> ? "a 64-bit integer" : "a 64-bit integer >= 0";
        else if constexpr (sizeof(T) == 4)
            return std::is_signed_v<T> ? "a 32-bit integer" : "a 32-bit integer >= 0";
        else
            return "a small integer";
    }

    template<class T>
    T convert(std::string_view key, const GgufValue& value) const {
        const std::optional<T> converted = value.as<T>();
        if (!converted) refuse_conversion(key, value, wanted_name<T>());
        return *converted;
    }

    template<class T>
    std::vector<T> convert_array(std::string_view key, const GgufValue& value) const {
        static_assert(!std::is_same_v<T, std::string_view>, "get_strings() does this in linear time");
        if (!value.is_array()) refuse_conversion(key, value, "an array");
        std::vector<T> result;
        result.reserve(value.count());
        for (uint64_t i = 0; i < value.count(); ++i) {
            const std::optional<T> converted = value.element<T>(i);
            if (!converted) refuse_conversion(key, value, wanted_name<T>());
            result.push_back(*converted);
        }
        return result;
    }

    std::string name_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<MetadataEntry> metadata_;
    std::vector<TensorInfo> tensors_;
    std::vector<uint32_t> metadata_by_key_; ///< indices, sorted by key
    std::vector<uint32_t> tensors_by_name_; ///< indices, sorted by name
    std::deque<std::string> owned_;         ///< keys and bytes of overrides; a deque, because entries point into it
};

} // namespace vkinfer::format
