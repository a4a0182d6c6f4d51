// Every number of the file is hostile until it was compared with what remains of the file; comparisons divide instead
// of multiplying, so that nothing can overflow. Counts are read as signed 64-bit and enumerations as signed 32-bit
// numbers by the reference library: a set top bit fails a limit here too.
#include "format/gguf_parser.h"

#include "base/error.h"
#include "format/utf8.h"

#include <algorithm>
#include <format>
#include <numeric>

namespace vkinfer::format {

namespace {

constexpr uint64_t kSmallestEntry = 8 + 4 + 1;    // key length, value type, one byte
constexpr uint64_t kSmallestInfo = 8 + 4 + 4 + 8; // name length, n_dims, type, offset
constexpr uint64_t kMaxKeyBytes = 65535;
constexpr uint64_t kMaxStringBytes = uint64_t{1} << 30; // limits of the reference library
constexpr uint64_t kMaxArrayCount = uint64_t{1} << 30;
constexpr uint64_t kMaxNameBytes = 63;
constexpr uint32_t kMaxDims = 4;
constexpr uint64_t kMaxAlignment = uint64_t{1} << 20;
constexpr const char* kDamagedHint = "The file is damaged or incomplete; download or convert it again.";

class Parser {
public:
    Parser(std::span<const std::byte> bytes, std::string_view file_name, bool header_only)
        : bytes_(bytes), file_name_(file_name), header_only_(header_only) {}

    GgufContents parse() {
        read_header();
        read_metadata();
        check_unique_keys();
        read_alignment();
        read_tensor_infos();
        check_unique_names();
        locate_data();
        return std::move(contents_);
    }

private:
    template<class... Args>
    [[noreturn]] void refuse(std::format_string<Args...> text, Args&&... args) const {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: {}", file_name_, std::format(text, std::forward<Args>(args)...)), kDamagedHint);
    }

    uint64_t remaining() const { return bytes_.size() - position_; }

    void need(uint64_t n, const std::string& what) const {
        if (n > remaining()) {
            refuse("{} needs {} bytes at offset {}, {} are left.", what, n, position_, remaining());
        }
    }

    template<class T>
    T read(const std::string& what) {
        need(sizeof(T), what);
        T value;
        std::memcpy(&value, bytes_.data() + position_, sizeof value);
        position_ += sizeof value;
        return value;
    }

    std::string_view read_string(uint64_t limit, const std::string& what) {
        const auto length = read<uint64_t>("the length of " + what);
        if (length > limit) refuse("{} is {} bytes long, at most {} are allowed.", what, length, limit);
        need(length, what);
        const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + position_, length);
        position_ += length;
        return text;
    }

    void read_header() {
        static constexpr std::string_view kMagic = "GGUF";
        const std::string_view start(reinterpret_cast<const char*>(bytes_.data()), std::min<size_t>(bytes_.size(), 4));
        if (start != kMagic) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: is not a GGUF file: it begins with \"{}\", not with \"GGUF\".", file_name_,
                                    escape(start)),
                        "Give a model in GGUF format; safetensors and older ggml files have to be converted first.");
        }
        position_ = 4;
        contents_.version = read<uint32_t>("the version");
        if (contents_.version != 0 && (contents_.version & 0xffff) == 0) {
            throw Error(
                ErrorKind::unsupported, std::format("{}: is a big-endian GGUF file.", file_name_),
                "Convert it to little-endian (gguf-py has gguf_convert_endian.py), or download a little-endian one.");
        }
        if (contents_.version != 2 && contents_.version != 3) {
            throw Error(
                ErrorKind::unsupported,
                std::format("{}: has GGUF version {}; versions 2 and 3 are supported.", file_name_, contents_.version),
                contents_.version == 1 ? "Version 1 is of 2023; download a newer conversion of the model."
                                       : "Use a newer vkinfer, or convert the model again as version 3.");
        }
        n_tensors_ = read<uint64_t>("the number of tensors");
        n_entries_ = read<uint64_t>("the number of metadata entries");
        if (n_tensors_ > remaining() / kSmallestInfo) {
            refuse("claims {} tensors, its {} remaining bytes hold at most {}.", n_tensors_, remaining(),
                   remaining() / kSmallestInfo);
        }
        if (n_entries_ > remaining() / kSmallestEntry) {
            refuse("claims {} metadata entries, its {} remaining bytes hold at most {}.", n_entries_, remaining(),
                   remaining() / kSmallestEntry);
        }
    }

    void read_metadata() {
        for (uint64_t i = 0; i < n_entries_; ++i) {
            const std::string_view key = read_string(kMaxKeyBytes, std::format("key {}", i));
            if (key.empty()) refuse("key {} is empty.", i);
            if (std::ranges::any_of(key, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
                refuse("key {} is not ASCII: \"{}\".", i, escape(key));
            }
            contents_.metadata.push_back({key, read_value(key)});
        }
    }

    GgufValue read_value(std::string_view key) {
        const std::string what = std::format("key {}", escape(key));
        const auto type = read<uint32_t>("the type of " + what);
        if (type >= kValueTypes) refuse("{} has value type {}, the last one is {}.", what, type, kValueTypes - 1);
        if (static_cast<ValueType>(type) == ValueType::array) return read_array(what);
        const size_t start = position_;
        skip_element(static_cast<ValueType>(type), what);
        return {static_cast<ValueType>(type), false, 1, bytes_.subspan(start, position_ - start)};
    }

    GgufValue read_array(const std::string& what) {
        const auto element = read<uint32_t>("the element type of " + what);
        if (element >= kValueTypes) {
            refuse("{} is an array of value type {}, the last one is {}.", what, element, kValueTypes - 1);
        }
        const auto type = static_cast<ValueType>(element);
        if (type == ValueType::array) refuse("{} is an array of arrays, which no model uses.", what);
        const auto count = read<uint64_t>("the length of " + what);
        const uint64_t smallest = type == ValueType::string ? 8 : value_bytes(type);
        if (count > kMaxArrayCount || count > remaining() / smallest) {
            refuse("{} claims {} elements of {}, the {} remaining bytes hold at most {}.", what, count, to_string(type),
                   remaining(), std::min(kMaxArrayCount, remaining() / smallest));
        }
        const size_t start = position_;
        if (type == ValueType::string) {
            for (uint64_t i = 0; i < count; ++i) skip_element(type, what);
        } else {
            position_ += count * smallest;
        }
        return {type, true, count, bytes_.subspan(start, position_ - start)};
    }

    void skip_element(ValueType type, const std::string& what) {
        if (type == ValueType::string) {
            read_string(kMaxStringBytes, what);
        } else {
            need(value_bytes(type), what);
            position_ += value_bytes(type);
        }
    }

    /// Sorting instead of hashing: no input makes it quadratic.
    void check_unique_keys() const {
        std::vector<std::string_view> keys;
        keys.reserve(contents_.metadata.size());
        for (const MetadataEntry& entry : contents_.metadata) keys.push_back(entry.key);
        std::ranges::sort(keys);
        const auto twice = std::ranges::adjacent_find(keys);
        if (twice != keys.end()) refuse("key {} occurs twice.", escape(*twice));
    }

    void read_alignment() {
        const auto entry = std::ranges::find(contents_.metadata, "general.alignment", &MetadataEntry::key);
        if (entry == contents_.metadata.end()) return;
        const GgufValue& value = entry->value;
        if (value.is_array() || value.element_type() != ValueType::u32) {
            refuse("key general.alignment has type {}, it must be u32.", value.type_name());
        }
        contents_.alignment = *value.as<uint32_t>();
        if (!std::has_single_bit(contents_.alignment) || contents_.alignment > kMaxAlignment) {
            refuse("key general.alignment is {}, it must be a power of two up to {}.", contents_.alignment,
                   kMaxAlignment);
        }
    }

    void read_tensor_infos() {
        for (uint64_t i = 0; i < n_tensors_; ++i) contents_.tensors.push_back(read_tensor_info(i));
    }

    TensorInfo read_tensor_info(uint64_t i) {
        TensorInfo info;
        const std::string_view name = read_string(kMaxNameBytes, std::format("the name of tensor {}", i));
        if (!is_utf8(name)) refuse("the name of tensor {} is not UTF-8: \"{}\".", i, escape(name));
        info.name = name;
        const std::string what = std::format("tensor {}", escape(name));
        info.n_dims = read<uint32_t>("the number of dimensions of " + what);
        if (info.n_dims > kMaxDims)
            refuse("{} has {} dimensions, at most {} are allowed.", what, info.n_dims, kMaxDims);
        uint64_t n_elements = 1;
        for (uint32_t d = 0; d < info.n_dims; ++d) {
            info.dims[d] = read<uint64_t>("dimension " + std::to_string(d) + " of " + what);
            if (info.dims[d] == 0) refuse("{}: dimension {} is 0.", what, d);
            if (info.dims[d] > static_cast<uint64_t>(INT64_MAX) / n_elements) {
                refuse("{} has dimensions {}: more elements than 2^63.", what, info.shape_text());
            }
            n_elements *= info.dims[d];
        }
        const auto type_id = read<uint32_t>("the type of " + what);
        info.offset = read<uint64_t>("the offset of " + what);
        const TypeTraits* type = find_traits(type_id);
        if (type == nullptr || type->kind == TypeKind::activation) {
            throw Error(ErrorKind::unsupported,
                        std::format("{}: {} has type {}{}, which is not known here.", file_name_, what, type_id,
                                    type == nullptr ? std::string() : std::format(" ({}, not for files)", type->name)),
                        "Types of forks and removed types cannot be read; convert or quantise the model again, for "
                        "example to Q4_K, Q6_K, Q8_0 or F16.");
        }
        info.type = type->type;
        if (info.dims[0] % type->block_elements != 0) {
            refuse("{} has rows of {} elements, {} needs a multiple of {}.", what, info.dims[0], type->name,
                   type->block_elements);
        }
        // Blocks are at most 2^63 in number, their bytes may still overflow.
        const uint64_t n_blocks = n_elements / type->block_elements;
        if (n_blocks > static_cast<uint64_t>(INT64_MAX) / type->block_bytes) {
            refuse("{} has dimensions {}: more bytes than 2^63.", what, info.shape_text());
        }
        info.size_bytes = n_blocks * type->block_bytes;
        return info;
    }

    void check_unique_names() const {
        std::vector<std::string_view> names;
        names.reserve(contents_.tensors.size());
        for (const TensorInfo& tensor : contents_.tensors) names.push_back(tensor.name);
        std::ranges::sort(names);
        const auto twice = std::ranges::adjacent_find(names);
        if (twice != names.end()) refuse("tensor {} occurs twice.", escape(*twice));
    }

    /// Checks the offsets and turns them into positions in the file.
    void locate_data() {
        const uint64_t start = (position_ + contents_.alignment - 1) / contents_.alignment * contents_.alignment;
        contents_.data_start = start;
        const uint64_t data_size = start <= bytes_.size() ? bytes_.size() - start : 0;
        for (TensorInfo& tensor : contents_.tensors) {
            const std::string name = escape(tensor.name);
            if (tensor.offset % contents_.alignment != 0) {
                refuse("tensor {} has offset {}, which is no multiple of the alignment {}.", name, tensor.offset,
                       contents_.alignment);
            }
            if (header_only_) {
                if (tensor.offset > uint64_t{1} << 62 || tensor.size_bytes > uint64_t{1} << 62) {
                    refuse("tensor {} has {} bytes at offset {}.", name, tensor.size_bytes, tensor.offset);
                }
            } else if (tensor.offset > data_size || tensor.size_bytes > data_size - tensor.offset) {
                refuse("tensor {} has {} bytes at offset {} of the data, which is only {} bytes long.", name,
                       tensor.size_bytes, tensor.offset, data_size);
            }
            tensor.offset += start;
        }
        std::vector<const TensorInfo*> sorted;
        sorted.reserve(contents_.tensors.size());
        for (const TensorInfo& tensor : contents_.tensors) sorted.push_back(&tensor);
        std::ranges::sort(sorted, {}, &TensorInfo::offset);
        for (size_t i = 1; i < sorted.size(); ++i) {
            if (sorted[i]->offset - sorted[i - 1]->offset < sorted[i - 1]->size_bytes) {
                refuse("tensors {} and {} overlap.", escape(sorted[i - 1]->name), escape(sorted[i]->name));
            }
        }
    }

    std::span<const std::byte> bytes_;
    std::string_view file_name_;
    bool header_only_;
    size_t position_ = 0;
    uint64_t n_tensors_ = 0;
    uint64_t n_entries_ = 0;
    GgufContents contents_;
};

} // namespace

std::string TensorInfo::shape_text() const {
    std::string text = "[";
    for (uint32_t d = 0; d < n_dims; ++d) text += (d > 0 ? ", " : "") + std::to_string(dims[d]);
    return text + "]";
}

GgufContents parse_gguf(std::span<const std::byte> bytes, std::string_view file_name, bool header_only) {
    return Parser(bytes, file_name, header_only).parse();
}

} // namespace vkinfer::format
