#include "format/gguf_writer.h"

#include "base/error.h"
#include "format/utf8.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>

namespace vkinfer::format {

namespace {

constexpr size_t kMaxNameBytes = 63;

uint64_t align_up(uint64_t position, uint64_t alignment) {
    return (position + alignment - 1) / alignment * alignment;
}

template<class T>
void append_number(std::string& bytes, T value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

} // namespace

GgufWriter::GgufWriter(std::filesystem::path path) : path_(std::move(path)), partial_path_(path_) {
    partial_path_ += ".partial";
    file_.reset(std::fopen(partial_path_.c_str(), "wb"));
    if (!file_) {
        throw Error(ErrorKind::io,
                    std::format("{}: cannot be written: {}.", partial_path_.string(), std::strerror(errno)),
                    "Choose a folder that exists and may be written to.");
    }
}

GgufWriter::~GgufWriter() {
    if (finished_) return;
    file_.reset();
    std::error_code ignored;
    std::filesystem::remove(partial_path_, ignored);
}

void GgufWriter::append_string(std::string& bytes, std::string_view text) {
    append_number(bytes, uint64_t{text.size()});
    bytes += text;
}

void GgufWriter::set(std::string_view key, std::string_view text) {
    std::string bytes;
    append_string(bytes, text);
    set_raw(key, ValueType::string, false, 1, bytes);
}

void GgufWriter::set(std::string_view key, const GgufValue& value) {
    set_raw(key, value.element_type(), value.is_array(), value.count(),
            {reinterpret_cast<const char*>(value.bytes().data()), value.bytes().size()});
}

void GgufWriter::set_raw(std::string_view key, ValueType type, bool is_array, uint64_t count, std::string_view bytes) {
    VKINFER_ASSERT(data_start_ == 0);
    if (key == "general.alignment") {
        uint32_t alignment = 0;
        if (type == ValueType::u32 && !is_array) std::memcpy(&alignment, bytes.data(), sizeof alignment);
        if (!std::has_single_bit(alignment)) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: general.alignment must be a u32 and a power of two.", path_.string()));
        }
        alignment_ = alignment;
    }
    Entry entry = {std::string(key), type, is_array, count, std::string(bytes)};
    const auto found = std::ranges::find(entries_, key, &Entry::key);
    if (found != entries_.end()) {
        *found = std::move(entry);
    } else {
        entries_.push_back(std::move(entry));
    }
}

void GgufWriter::add_tensor(std::string_view name, TensorType type, std::span<const uint64_t> dims) {
    VKINFER_ASSERT(data_start_ == 0);
    const auto refuse = [&](const std::string& why) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} {}.", path_.string(), escape(name), why));
    };
    if (name.empty() || name.size() > kMaxNameBytes || !is_utf8(name)) {
        refuse(std::format("needs a name of 1 to {} bytes of UTF-8", kMaxNameBytes));
    }
    if (dims.size() > 4) refuse(std::format("has {} dimensions, at most 4 are allowed", dims.size()));
    TensorInfo info;
    info.name = name;
    info.type = type;
    info.n_dims = static_cast<uint32_t>(dims.size());
    std::ranges::copy(dims, info.dims.begin());
    uint64_t n_elements = 1;
    for (const uint64_t dim : dims) {
        if (dim == 0 || dim > (uint64_t{1} << 60) / n_elements) refuse("has a dimension of 0 or too many elements");
        n_elements *= dim;
    }
    const TypeTraits& t = traits(type);
    if (info.dims[0] % t.block_elements != 0) {
        refuse(
            std::format("has rows of {} elements, {} needs a multiple of {}", info.dims[0], t.name, t.block_elements));
    }
    info.size_bytes = info.n_rows() * t.row_bytes(info.dims[0]);
    tensors_.push_back(std::move(info));
}

std::string GgufWriter::header() const {
    std::string bytes = "GGUF";
    append_number(bytes, uint32_t{3});
    append_number(bytes, uint64_t{tensors_.size()});
    append_number(bytes, uint64_t{entries_.size()});
    for (const Entry& entry : entries_) {
        append_string(bytes, entry.key);
        if (entry.is_array) {
            append_number(bytes, ValueType::array);
            append_number(bytes, entry.type);
            append_number(bytes, entry.count);
        } else {
            append_number(bytes, entry.type);
        }
        bytes += entry.bytes;
    }
    uint64_t offset = 0;
    for (const TensorInfo& tensor : tensors_) {
        append_string(bytes, tensor.name);
        append_number(bytes, tensor.n_dims);
        for (uint32_t d = 0; d < tensor.n_dims; ++d) append_number(bytes, tensor.dims[d]);
        append_number(bytes, tensor.type);
        append_number(bytes, offset);
        offset = align_up(offset + tensor.size_bytes, alignment_);
    }
    return bytes;
}

uint64_t GgufWriter::size_bytes() const {
    uint64_t size = align_up(header().size(), alignment_);
    for (const TensorInfo& tensor : tensors_) size = align_up(size, alignment_) + tensor.size_bytes;
    return align_up(size, alignment_);
}

void GgufWriter::write(const void* bytes, size_t size) {
    if (size > 0 && std::fwrite(bytes, 1, size, file_.get()) != size) {
        throw Error(
            ErrorKind::io,
            std::format("{}: write failed after {} bytes: {}.", path_.string(), position_, std::strerror(errno)),
            "Is the disk full?");
    }
    position_ += size;
}

void GgufWriter::pad_to(uint64_t position) {
    const std::string zeros(position - position_, '\0');
    write(zeros.data(), zeros.size());
}

void GgufWriter::start_data() {
    if (data_start_ != 0) return;
    const std::string bytes = header();
    write(bytes.data(), bytes.size());
    pad_to(align_up(position_, alignment_));
    data_start_ = position_;
    uint64_t offset = 0;
    for (TensorInfo& tensor : tensors_) {
        tensor.offset = offset;
        offset = align_up(offset + tensor.size_bytes, alignment_);
    }
}

void GgufWriter::append(std::span<const std::byte> bytes) {
    start_data();
    while (!bytes.empty()) {
        VKINFER_ASSERT(current_tensor_ < tensors_.size());
        const TensorInfo& tensor = tensors_[current_tensor_];
        const uint64_t start = data_start_ + tensor.offset;
        if (position_ < start) pad_to(start);
        const uint64_t left = start + tensor.size_bytes - position_;
        const size_t n = std::min<uint64_t>(left, bytes.size());
        write(bytes.data(), n);
        bytes = bytes.subspan(n);
        if (n == left) ++current_tensor_;
    }
}

void GgufWriter::finish() {
    start_data();
    VKINFER_ASSERT(current_tensor_ == tensors_.size());
    pad_to(align_up(position_, alignment_));
    close();
}

void GgufWriter::finish_header() {
    start_data();
    VKINFER_ASSERT(position_ == data_start_);
    close();
}

void GgufWriter::close() {
    if (std::fflush(file_.get()) != 0) {
        throw Error(ErrorKind::io, std::format("{}: write failed: {}.", path_.string(), std::strerror(errno)),
                    "Is the disk full?");
    }
    file_.reset();
    std::error_code failure;
    std::filesystem::rename(partial_path_, path_, failure);
    if (failure) {
        throw Error(ErrorKind::io,
                    std::format("{}: cannot be renamed: {}.", partial_path_.string(), failure.message()));
    }
    finished_ = true;
}

} // namespace vkinfer::format
