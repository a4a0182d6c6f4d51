#include "runtime/weight_loader.h"

#include "base/error.h"
#include "gpu/command_list.h"
#include "kernels.gen.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <format>
#include <set>

namespace vkinfer::runtime {

namespace {

using models::TensorNeed;

constexpr uint64_t kAlignment = 256;
/// Every device allows this many workgroups in y.
constexpr uint64_t kMaxGroupsY = 65535;
constexpr uint64_t kStageBytes = uint64_t{32} << 20;
/// Tensors share buffers of about this size: few allocations, none too large for a small heap.
constexpr uint64_t kBufferBytes = uint64_t{256} << 20;

uint64_t align(uint64_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

const format::TensorInfo& find(const format::GgufFile& file, const TensorNeed::Source& source, uint32_t n_cols) {
    const format::TensorInfo* tensor = file.find_tensor(source.name);
    if (tensor == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} is missing.", file.name(), source.name),
                    "The file is incomplete or of another architecture than it says.");
    }
    const uint64_t cols = n_cols == 0 ? source.n_rows : n_cols;
    const uint64_t rows = n_cols == 0 ? 1 : source.n_rows;
    // A vector may be stored in rows, one an expert.
    const bool fits = n_cols == 0 ? tensor->n_elements() == cols : tensor->dims[0] == cols && tensor->n_rows() == rows;
    if (!fits) {
        throw Error(ErrorKind::invalid_input, std::format("{}: tensor {} has shape {}, its metadata asks for [{}, {}].",
                                                          file.name(), source.name, tensor->shape_text(), cols, rows));
    }
    return *tensor;
}

const kernels::WeightLayout& layout_of(const format::GgufFile& file, const format::TensorInfo& tensor) {
    const kernels::WeightLayout* layout = kernels::find_weight_layout(tensor.type);
    if (layout == nullptr) {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: tensor {} has type {}, for which there is no kernel.", file.name(), tensor.name,
                                format::to_string(tensor.type)),
                    std::format("Use a file with {}.", kernels::supported_weight_types()));
    }
    return *layout;
}

/// Reads and repacks matrices: while the GPU works on one stage, the host fills the other.
class Repacker {
public:
    Repacker(gpu::Device& device, kernels::PipelineStore& pipelines, uint64_t stage_bytes)
        : device_(device), pipelines_(pipelines) {
        for (Stage& stage : stages_) {
            stage.buffer =
                gpu::Buffer(device, {.size_bytes = stage_bytes, .domain = gpu::Domain::upload, .name = "load stage"});
        }
    }

    ~Repacker() { finish_quietly(); }

    /// Repacks a whole tensor to `codes` and `scales`; calls `done` with the bytes of each part.
    template<class Done>
    void repack(const format::GgufFile& file, const format::TensorInfo& tensor, const kernels::WeightLayout& layout,
                uint64_t codes, uint64_t scales, const Done& done) {
        const auto n_rows = static_cast<uint32_t>(tensor.n_rows());
        const auto n_blocks = static_cast<uint32_t>(tensor.dims[0] / kernels::kBlockElements);
        const uint64_t strip_bytes = tensor.row_bytes() * kernels::kStripRows;
        const auto strips_per_stage =
            static_cast<uint32_t>(std::min<uint64_t>(stages_[0].buffer.size_bytes() / strip_bytes, kMaxGroupsY));
        const uint32_t n_strips = (n_rows + kernels::kStripRows - 1) / kernels::kStripRows;

        kernels::Dispatch dispatch;
        dispatch.shader = kernels::find_shader(std::format("repack.{}", layout.shader_name));
        VKINFER_ASSERT(dispatch.shader != nullptr);
        const kernels::shader::RepackSpec spec;
        dispatch.specialization = kernels::spec_words(spec);
        const gpu::Pipeline& pipeline = pipelines_.get(dispatch);

        for (uint32_t first = 0; first < n_strips; first += strips_per_stage) {
            const uint32_t strips = std::min(strips_per_stage, n_strips - first);
            Stage& stage = stages_[next_];
            next_ = 1 - next_;
            device_.wait(stage.busy_until);
            const uint64_t offset = first * strip_bytes;
            const uint64_t bytes = std::min(strips * strip_bytes, tensor.size_bytes - offset);
            file.read(tensor, offset, {stage.buffer.mapped(), bytes});

            const kernels::shader::RepackPush push{.source = stage.buffer.address(),
                                                   .codes = codes,
                                                   .scales = scales,
                                                   .n_rows = n_rows,
                                                   .n_blocks = n_blocks,
                                                   .first_strip = first};
            const uint32_t items = kernels::kStripRows * n_blocks;
            gpu::CommandList commands(device_, {.name = "repack"});
            commands.dispatch(pipeline, kernels::push_bytes(push, kernels::shader::kRepackPushBytes), {},
                              (items + spec.local_size - 1) / spec.local_size, strips);
            commands.end();
            stage.busy_until = device_.submit(commands);
            done(bytes);
        }
    }

    void finish() {
        for (Stage& stage : stages_) device_.wait(stage.busy_until);
    }

private:
    struct Stage {
        gpu::Buffer buffer;
        gpu::Ticket busy_until;
    };

    void finish_quietly() {
        try {
            finish();
        } catch (const Error&) { // an error is on its way already
        }
    }

    gpu::Device& device_;
    kernels::PipelineStore& pipelines_;
    std::array<Stage, 2> stages_;
    uint32_t next_ = 0;
};

/// One matrix or joined vector with its place.
struct Item {
    const TensorNeed* need = nullptr;
    const kernels::WeightLayout* layout = nullptr; ///< of a matrix
    format::TensorType type = format::TensorType::f32;
    uint64_t n_rows = 0;
    std::vector<float> row_scales; ///< of a matrix: Weight::row_scales
    uint64_t row_scales_offset = 0;
    uint64_t size_bytes = 0;
    uint32_t buffer = 0;
    uint64_t offset = 0;
};

/// Where a tensor X.weight keeps the factor of its products: in X.scale, one value or one for each expert of a stack.
std::string scale_name(std::string_view weight_name) {
    constexpr std::string_view kWeight = ".weight";
    if (!weight_name.ends_with(kWeight)) return {};
    return std::string(weight_name.substr(0, weight_name.size() - kWeight.size())) + ".scale";
}

/// The factors of all rows of a stack of sources; empty when none has any.
std::vector<float> read_row_scales(const format::GgufFile& file, const TensorNeed& need) {
    std::vector<float> factors;
    uint64_t n_rows = 0;
    for (const auto& source : need.sources) {
        const format::TensorInfo* tensor = file.find_tensor(scale_name(source.name));
        if (tensor != nullptr) {
            const uint64_t n = tensor->n_elements();
            if (n == 0 || source.n_rows % n != 0) {
                throw Error(ErrorKind::invalid_input,
                            std::format("{}: tensor {} has {} values for the {} rows of {}.", file.name(), tensor->name,
                                        n, source.n_rows, source.name),
                            "Expected one, or one for each expert.");
            }
            factors.resize(n_rows, 1.0f);
            for (const float factor : file.read_f32(*tensor))
                factors.resize(factors.size() + source.n_rows / n, factor);
        }
        n_rows += source.n_rows;
    }
    if (!factors.empty()) factors.resize(n_rows, 1.0f);
    return factors;
}

Item describe_matrix(const format::GgufFile& file, const TensorNeed& need) {
    if (need.n_cols % kernels::kBlockElements != 0) {
        throw Error(ErrorKind::unsupported,
                    std::format("{}: rows of {} have {} elements.", file.name(), need.sources[0].name, need.n_cols),
                    std::format("Rows must be multiples of {}.", kernels::kBlockElements));
    }
    Item item{.need = &need};
    for (const auto& source : need.sources) {
        const format::TensorInfo& tensor = find(file, source, need.n_cols);
        item.layout = &layout_of(file, tensor);
        item.type = tensor.type;
        item.n_rows += source.n_rows;
    }
    item.size_bytes = align(kernels::weight_code_bytes(*item.layout, item.n_rows, need.n_cols)) +
                      kernels::weight_scale_bytes(*item.layout, item.n_rows, need.n_cols);
    item.row_scales = read_row_scales(file, need);
    if (!item.row_scales.empty()) {
        item.row_scales_offset = align(item.size_bytes);
        item.size_bytes = item.row_scales_offset + item.row_scales.size() * sizeof(float);
    }
    return item;
}

Item describe_vector(const format::GgufFile& file, const TensorNeed& need) {
    Item item{.need = &need};
    for (const auto& source : need.sources) {
        if (!source.name.empty()) find(file, source, 0);
        item.n_rows += source.n_rows;
    }
    item.size_bytes = item.n_rows * sizeof(float);
    return item;
}

std::vector<float> read_vector(const format::GgufFile& file, const TensorNeed& need) {
    std::vector<float> values;
    for (const auto& source : need.sources) {
        if (source.name.empty()) {
            values.resize(values.size() + source.n_rows, 0.0f);
        } else {
            const std::vector<float> part = file.read_f32(find(file, source, 0));
            values.insert(values.end(), part.begin(), part.end());
        }
    }
    return values;
}

/// Copies host data into a device buffer, directly where it is mapped.
void upload(gpu::Device& device, const gpu::Buffer& to, uint64_t offset, std::span<const std::byte> bytes) {
    if (to.mapped() != nullptr) {
        std::memcpy(to.mapped() + offset, bytes.data(), bytes.size());
        return;
    }
    const gpu::Buffer stage(device, {.size_bytes = bytes.size(), .domain = gpu::Domain::upload, .name = "upload"});
    std::memcpy(stage.mapped(), bytes.data(), bytes.size());
    gpu::CommandList commands(device, {.name = "upload"});
    commands.copy(stage, {to, offset, bytes.size()});
    commands.end();
    device.wait(device.submit(commands));
}

} // namespace

LoadedWeights load_weights(gpu::Device& device, kernels::PipelineStore& pipelines, const format::GgufFile& file,
                           std::span<const TensorNeed> needs, const models::ModelConfig& config, const Log& log,
                           const std::function<void(float)>& progress) {
    LoadedWeights loaded;
    std::vector<Item> items;
    std::set<std::string, std::less<>> used;
    uint64_t file_bytes = 0;
    uint64_t largest_strip = 0;
    for (const TensorNeed& need : needs) {
        for (const auto& source : need.sources) {
            used.insert(source.name);
            used.insert(scale_name(source.name));
        }
        if (need.kind == TensorNeed::Kind::host_vector) {
            loaded.model.host_vectors[need.key] = read_vector(file, need);
        } else if (need.kind == TensorNeed::Kind::vector) {
            items.push_back(describe_vector(file, need));
        } else {
            items.push_back(describe_matrix(file, need));
            for (const auto& source : need.sources) {
                const format::TensorInfo& tensor = file.tensor(source.name);
                file_bytes += tensor.size_bytes;
                largest_strip = std::max(largest_strip, tensor.row_bytes() * kernels::kStripRows);
            }
        }
    }
    for (const format::TensorInfo& tensor : file.tensors()) {
        if (!used.contains(tensor.name))
            log.debug("{}: tensor {} is not used by this architecture", file.name(), tensor.name);
    }

    // The rotary frequencies are a vector that no tensor of the file holds.
    const auto factors = loaded.model.host_vectors.find("rope_freqs.weight");
    const models::RopeFrequencies rope = models::rope_frequencies(
        config.rope, factors == loaded.model.host_vectors.end() ? std::vector<float>{} : factors->second);
    const TensorNeed rope_need{"rope frequencies", TensorNeed::Kind::vector, {}, 0};
    items.push_back(
        {.need = &rope_need, .n_rows = rope.pairs.size(), .size_bytes = rope.pairs.size() * sizeof(uint64_t)});

    std::vector<uint64_t> buffer_bytes;
    for (Item& item : items) {
        const uint64_t size = align(item.size_bytes);
        if (buffer_bytes.empty() || (buffer_bytes.back() != 0 && buffer_bytes.back() + size > kBufferBytes)) {
            buffer_bytes.push_back(0);
        }
        item.buffer = static_cast<uint32_t>(buffer_bytes.size() - 1);
        item.offset = buffer_bytes.back();
        buffer_bytes.back() += size;
    }
    for (const uint64_t size : buffer_bytes) {
        loaded.buffers.emplace_back(
            device, gpu::BufferDesc{.size_bytes = size, .domain = gpu::Domain::device, .name = "weights"});
        loaded.size_bytes += size;
    }

    Repacker repacker(device, pipelines, std::max(std::min(kStageBytes, align(file_bytes)), align(largest_strip)));
    uint64_t done_bytes = 0;
    for (const Item& item : items) {
        const gpu::Buffer& buffer = loaded.buffers[item.buffer];
        const uint64_t address = buffer.address() + item.offset;
        if (item.layout == nullptr) {
            if (item.need == &rope_need) {
                upload(device, buffer, item.offset, std::as_bytes(std::span(rope.pairs)));
                loaded.model.rope_frequencies = address;
            } else {
                const std::vector<float> values = read_vector(file, *item.need);
                upload(device, buffer, item.offset, std::as_bytes(std::span(values)));
                loaded.model.vectors[item.need->key] = address;
            }
            continue;
        }
        kernels::Weight weight{
            .type = item.type,
            .n_rows = static_cast<uint32_t>(item.n_rows),
            .n_cols = item.need->n_cols,
            .codes = address,
            .scales = address + align(kernels::weight_code_bytes(*item.layout, item.n_rows, item.need->n_cols)),
            .table = loaded.codebooks.address(device, item.type)};
        if (!item.row_scales.empty()) {
            upload(device, buffer, item.offset + item.row_scales_offset, std::as_bytes(std::span(item.row_scales)));
            weight.row_scales = address + item.row_scales_offset;
        }
        uint64_t rows_before = 0; // stacked sources are whole strips, all but the last
        for (const auto& source : item.need->sources) {
            repacker.repack(file, file.tensor(source.name), *item.layout,
                            weight.codes + kernels::weight_code_bytes(*item.layout, rows_before, weight.n_cols),
                            weight.scales + kernels::weight_scale_bytes(*item.layout, rows_before, weight.n_cols),
                            [&](uint64_t bytes) {
                                done_bytes += bytes;
                                if (progress) progress(static_cast<float>(done_bytes) / static_cast<float>(file_bytes));
                            });
            rows_before += source.n_rows;
        }
        loaded.model.matrices[item.need->key] = weight;
    }
    repacker.finish();
    loaded.model.rope_magnitude = rope.magnitude;
    return loaded;
}

} // namespace vkinfer::runtime
