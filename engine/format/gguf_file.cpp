#include "format/gguf_file.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <format>
#include <numeric>

namespace vkinfer::format {

struct GgufFile::Shard {
    std::optional<File> file; // neither when opened from memory
    std::optional<MappedFile> mapping;
    std::span<const std::byte> bytes;
    GgufContents contents;
};

namespace {

/// "<prefix>-00001-of-00003.gguf" taken apart.
struct ShardName {
    std::string prefix;
    uint32_t number; ///< from 1
    uint32_t count;
};

std::string shard_file_name(const ShardName& name, uint32_t number) {
    return std::format("{}-{:05}-of-{:05}.gguf", name.prefix, number, name.count);
}

std::optional<ShardName> parse_shard_name(const std::string& file_name) {
    static constexpr std::string_view kTail = "-00001-of-00001.gguf";
    if (file_name.size() <= kTail.size()) return std::nullopt;
    const size_t at = file_name.size() - kTail.size();
    const auto number_at = [&](size_t position) -> uint32_t {
        uint32_t value = 0;
        for (size_t i = position; i < position + 5; ++i) {
            if (file_name[i] < '0' || file_name[i] > '9') return 0;
            value = value * 10 + static_cast<uint32_t>(file_name[i] - '0');
        }
        return value;
    };
    ShardName name = {file_name.substr(0, at), number_at(at + 1), number_at(at + 10)};
    if (name.number == 0 || name.count == 0 || shard_file_name(name, name.number) != file_name) return std::nullopt;
    return name;
}

} // namespace

GgufFile::GgufFile(GgufFile&&) noexcept = default;
GgufFile& GgufFile::operator=(GgufFile&&) noexcept = default;
GgufFile::~GgufFile() = default;

GgufFile::GgufFile(const std::filesystem::path& path, bool header_only) : name_(path.string()) {
    auto shard = std::make_unique<Shard>();
    shard->file.emplace(path);
    shard->mapping.emplace(*shard->file);
    shard->bytes = shard->mapping->bytes();
    shard->contents = parse_gguf(shard->bytes, name_, header_only);
    add_shard(std::move(shard));
    open_siblings(path, header_only);
    index();
}

GgufFile::GgufFile(std::span<const std::byte> bytes, std::string name) : name_(std::move(name)) {
    auto shard = std::make_unique<Shard>();
    shard->bytes = bytes;
    shard->contents = parse_gguf(bytes, name_);
    add_shard(std::move(shard));
    index();
}

void GgufFile::add_shard(std::unique_ptr<Shard> shard) {
    if (shards_.empty()) metadata_ = shard->contents.metadata;
    for (TensorInfo& tensor : shard->contents.tensors) {
        tensor.shard = static_cast<uint32_t>(shards_.size());
        tensors_.push_back(std::move(tensor));
    }
    shard->contents.tensors = {};
    shards_.push_back(std::move(shard));
}

// The names of the other shards come from the given path only, never from the content of a file.
void GgufFile::open_siblings(const std::filesystem::path& path, bool header_only) {
    index();
    const auto count = get_or<uint32_t>("split.count", 0);
    if (count <= 1) return;
    const std::optional<ShardName> name = parse_shard_name(path.filename().string());
    const auto position = get<uint32_t>("split.no");
    if (position != 0) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: is part {} of {} of a split model, not the first.", name_, position + 1, count),
                    name ? std::format("Open {} instead.", shard_file_name(*name, 1)) : "Open the first part instead.");
    }
    if (!name || name->number != 1 || name->count != count) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: is the first of {} parts of a split model, but is not named so.", name_, count),
                    std::format("Name the parts like model-00001-of-{:05}.gguf.", count));
    }
    for (uint32_t number = 2; number <= count; ++number) {
        const std::filesystem::path sibling = path.parent_path() / shard_file_name(*name, number);
        auto shard = std::make_unique<Shard>();
        try {
            shard->file.emplace(sibling);
        } catch (const Error& error) {
            throw Error(error.kind(), error.message(),
                        std::format("The model is split into {} files; all of them have to be in one folder.", count));
        }
        shard->mapping.emplace(*shard->file);
        shard->bytes = shard->mapping->bytes();
        shard->contents = parse_gguf(shard->bytes, sibling.string(), header_only);
        for (const auto& [key, wanted] : {std::pair{"split.no", number - 1}, {"split.count", count}}) {
            const auto entry = std::ranges::find(shard->contents.metadata, key, &MetadataEntry::key);
            const auto found = entry == shard->contents.metadata.end() ? std::nullopt : entry->value.as<uint32_t>();
            if (found != wanted) {
                throw Error(ErrorKind::invalid_input,
                            std::format("{}: key {} is {}, expected {}.", sibling.string(), key,
                                        found ? std::to_string(*found) : "missing", wanted),
                            "The parts do not belong together; download all of them again.");
            }
        }
        add_shard(std::move(shard));
    }
    const auto n_tensors = get_or<uint64_t>("split.tensors.count", tensors_.size());
    if (n_tensors != tensors_.size()) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: its parts hold {} tensors, key split.tensors.count says {}.", name_,
                                tensors_.size(), n_tensors),
                    "The parts do not belong together; download all of them again.");
    }
}

void GgufFile::index() {
    metadata_by_key_.resize(metadata_.size());
    std::iota(metadata_by_key_.begin(), metadata_by_key_.end(), 0u);
    std::ranges::sort(metadata_by_key_, {}, [this](uint32_t i) { return metadata_[i].key; });

    const auto name_of = [this](uint32_t i) -> std::string_view { return tensors_[i].name; };
    tensors_by_name_.resize(tensors_.size());
    std::iota(tensors_by_name_.begin(), tensors_by_name_.end(), 0u);
    std::ranges::sort(tensors_by_name_, {}, name_of);
    const auto twice = std::ranges::adjacent_find(tensors_by_name_, {}, name_of);
    if (twice != tensors_by_name_.end()) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: tensor {} is in two of its parts.", name_, escape(tensors_[*twice].name)),
                    "The parts do not belong together; download all of them again.");
    }
}

uint32_t GgufFile::version() const {
    return shards_.front()->contents.version;
}

uint64_t GgufFile::size_bytes() const {
    uint64_t sum = 0;
    for (const auto& shard : shards_) sum += shard->bytes.size();
    return sum;
}

const GgufValue* GgufFile::find(std::string_view key) const {
    const auto key_of = [this](uint32_t i) { return metadata_[i].key; };
    const auto found = std::ranges::lower_bound(metadata_by_key_, key, {}, key_of);
    if (found == metadata_by_key_.end() || metadata_[*found].key != key) return nullptr;
    return &metadata_[*found].value;
}

const GgufValue& GgufFile::required(std::string_view key) const {
    const GgufValue* value = find(key);
    if (value == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{}: key {} is missing.", name_, key),
                    "The file is incomplete or its converter did not know the model; convert or download it again.");
    }
    return *value;
}

void GgufFile::refuse_conversion(std::string_view key, const GgufValue& value, const char* wanted) const {
    throw Error(ErrorKind::invalid_input,
                std::format("{}: key {} is {} ({}), expected {}{}.", name_, key, value.to_text(), value.type_name(),
                            value.is_array() ? "an array with each element " : "", wanted),
                "The file was written wrongly; convert or download it again.");
}

void GgufFile::check_per_layer_count(std::string_view key, const GgufValue& value, size_t n_layers) const {
    if (value.count() == n_layers) return;
    throw Error(ErrorKind::invalid_input,
                std::format("{}: key {} has {} values, the model has {} layers.", name_, key, value.count(), n_layers),
                "The file was written wrongly; convert or download it again.");
}

uint32_t GgufFile::get_u32_in(std::string_view key, uint32_t low, uint32_t high) const {
    const auto value = get<uint32_t>(key);
    if (value < low || value > high) {
        throw Error(ErrorKind::invalid_input,
                    std::format("{}: key {} is {}, it must lie between {} and {}.", name_, key, value, low, high),
                    "The file was written wrongly; convert or download it again.");
    }
    return value;
}

std::vector<std::string_view> GgufFile::get_strings(std::string_view key) const {
    const GgufValue& value = required(key);
    if (!value.is_array() || !value.is_string()) refuse_conversion(key, value, "an array of strings");
    return value.strings();
}

void GgufFile::set_entry(std::string key, ValueType type, std::string bytes) {
    const std::string& stored = owned_.emplace_back(std::move(bytes));
    const GgufValue value(type, false, 1, std::as_bytes(std::span(stored)));
    const auto found = std::ranges::find(metadata_, key, &MetadataEntry::key);
    if (found != metadata_.end()) {
        found->value = value;
    } else {
        metadata_.push_back({owned_.emplace_back(std::move(key)), value});
        index();
    }
}

void GgufFile::override_metadata(std::string_view text) {
    const auto refuse = [&](const char* why) {
        throw Error(
            ErrorKind::invalid_input, std::format("override \"{}\": {}.", escape(text), why),
            "Write KEY=TYPE:VALUE with TYPE one of str, int, float, bool, like tokenizer.ggml.pre=str:llama-bpe.");
    };
    const size_t equals = text.find('=');
    const size_t colon = equals == std::string_view::npos ? equals : text.find(':', equals);
    if (equals == 0 || colon == std::string_view::npos) refuse("is not KEY=TYPE:VALUE");
    const std::string key(text.substr(0, equals));
    const std::string_view type = text.substr(equals + 1, colon - equals - 1);
    const std::string_view value = text.substr(colon + 1);
    const auto bytes_of = [](auto number) {
        return std::string(reinterpret_cast<const char*>(&number), sizeof number);
    };
    const auto parse = [&](auto& number) {
        const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (status != std::errc() || end != value.data() + value.size()) refuse("the value is not a number in range");
    };
    if (type == "str") {
        set_entry(key, ValueType::string, bytes_of(uint64_t{value.size()}) + std::string(value));
    } else if (type == "int") {
        int64_t number = 0;
        parse(number);
        set_entry(key, ValueType::i64, bytes_of(number));
    } else if (type == "float") {
        double number = 0;
        parse(number);
        set_entry(key, ValueType::f64, bytes_of(number));
    } else if (type == "bool") {
        if (value != "true" && value != "false") refuse("the value is neither true nor false");
        set_entry(key, ValueType::boolean, std::string(1, value == "true" ? '\1' : '\0'));
    } else {
        refuse("the type is unknown");
    }
}

const TensorInfo* GgufFile::find_tensor(std::string_view name) const {
    const auto name_of = [this](uint32_t i) -> std::string_view { return tensors_[i].name; };
    const auto found = std::ranges::lower_bound(tensors_by_name_, name, {}, name_of);
    if (found == tensors_by_name_.end() || tensors_[*found].name != name) return nullptr;
    return &tensors_[*found];
}

const TensorInfo& GgufFile::tensor(std::string_view name) const {
    const TensorInfo* found = find_tensor(name);
    if (found == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} is missing.", name_, name),
                    "The file is incomplete or its converter did not know the model; convert or download it again.");
    }
    return *found;
}

void GgufFile::read(const TensorInfo& tensor, uint64_t offset, std::span<std::byte> into) const {
    VKINFER_ASSERT(offset <= tensor.size_bytes && into.size() <= tensor.size_bytes - offset);
    const Shard& shard = *shards_.at(tensor.shard);
    if (shard.file) {
        shard.file->read_at(tensor.offset + offset, into);
    } else if (!into.empty()) {
        std::memcpy(into.data(), shard.bytes.data() + tensor.offset + offset, into.size());
    }
}

std::vector<std::byte> GgufFile::read(const TensorInfo& tensor) const {
    std::vector<std::byte> bytes(tensor.size_bytes);
    read(tensor, 0, bytes);
    return bytes;
}

std::vector<float> GgufFile::read_f32(const TensorInfo& tensor) const {
    const TypeTraits& type = traits(tensor.type);
    if (type.dequantise == nullptr) {
        throw Error(ErrorKind::unsupported, std::format("{}: tensor {} has integer type {}, expected floats.", name_,
                                                        escape(tensor.name), type.name));
    }
    std::vector<float> values(tensor.n_elements());
    type.dequantise(read(tensor).data(), values.data(), values.size());
    return values;
}

const File* GgufFile::file(uint32_t shard) const {
    const Shard& found = *shards_.at(shard);
    return found.file ? &*found.file : nullptr;
}

} // namespace vkinfer::format
