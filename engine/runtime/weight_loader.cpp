#include "runtime/weight_loader.h"

#include "base/direct_file.h"
#include "base/error.h"
#include "gpu/command_list.h"
#include "gpu/transfer.h"
#include "kernels/repack.h"
#include "runtime/model_memory.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <format>
#include <mutex>
#include <optional>
#include <semaphore>
#include <thread>
#include <vector>

namespace vkinfer::runtime {

namespace {

using models::TensorNeed;

/// Every device allows this many workgroups in y.
constexpr uint64_t kMaxGroupsY = 65535;
/// Slots that are filled at the same time. The others are being repacked; more requests at once make a disk no faster.
constexpr int kReadsAtOnce = 3;
constexpr auto kProgressInterval = std::chrono::milliseconds(50);

/// Rows of one tensor that are read and repacked at once.
struct Chunk {
    const format::TensorInfo* tensor = nullptr;
    const kernels::WeightLayout* layout = nullptr;
    const gpu::Pipeline* pipeline = nullptr;
    kernels::Repack repack; ///< its source is where the rows lie in what was read
    uint64_t offset = 0;    ///< in the tensor
    uint64_t size_bytes = 0;
};

/// Cuts the matrices into chunks that fit a slot, in the order of the plan.
std::vector<Chunk> cut(kernels::PipelineStore& pipelines, const format::GgufFile& file, const WeightPlan& plan,
                       const models::LoadedModel& model, uint64_t slot_bytes) {
    std::vector<Chunk> chunks;
    for (const WeightItem& item : plan.items) {
        if (item.layout == nullptr || item.twin) continue;
        const kernels::Weight weight = model.matrix(item.need.key);
        uint32_t rows_before = 0;
        for (const auto& source : item.need.sources) {
            const format::TensorInfo& tensor = file.tensor(source.name);
            const uint64_t row_bytes = tensor.row_bytes(), strip_bytes = row_bytes * kernels::kStripRows;
            const auto at_once =
                kernels::kStripRows *
                static_cast<uint32_t>(std::min((slot_bytes - 2 * DirectFile::kAlignment) / strip_bytes, kMaxGroupsY));
            VKINFER_ASSERT(at_once > 0);
            for (uint32_t first = 0; first < source.n_rows; first += at_once) {
                Chunk chunk{.tensor = &tensor, .layout = item.layout};
                const uint32_t n_rows = std::min(at_once, source.n_rows - first);
                chunk.repack = {.source = format::traits(tensor.type).row_bytes(source.first_col),
                                .codes = weight.codes,
                                .scales = weight.scales,
                                .n_rows = n_rows,
                                .n_cols = weight.n_cols,
                                .source_cols = static_cast<uint32_t>(tensor.dims[0]),
                                .first_row = rows_before + first,
                                .is_last = rows_before + first + n_rows == weight.n_rows};
                chunk.pipeline = &pipelines.get(kernels::repack(*item.layout, chunk.repack));
                chunk.offset = (uint64_t{source.first_row} + first) * row_bytes;
                chunk.size_bytes = n_rows * row_bytes;
                chunks.push_back(chunk);
            }
            rows_before += source.n_rows;
        }
    }
    return chunks;
}

/// Works through chunks on several threads, each with a slot of the ring: read, submit, wait, next. While one slot is
/// copied and repacked the others are read.
class Readers {
public:
    Readers(gpu::Device& device, const format::GgufFile& file, std::span<const Chunk> chunks, const LoadingRing& memory)
        : device_(device), file_(file), chunks_(chunks), ring_(memory.ring), stage_(memory.stage) {
        for (uint32_t i = 0; i < file.n_shards(); ++i) {
            if (file.file(i) != nullptr) shards_.emplace_back(file.file(i)->path());
        }
        for (const Chunk& chunk : chunks) all_bytes_ += chunk.size_bytes;
    }

    /// Returns when everything is in place; throws the first error of any thread, or what `progress` threw.
    void run(const LoadCallback& progress) {
        std::vector<std::jthread> threads;
        const auto n_threads = static_cast<uint32_t>(std::min<size_t>(kRingSlots, chunks_.size()));
        {
            const std::scoped_lock lock(mutex_);
            n_running_ = n_threads;
        }
        for (uint32_t slot = 0; slot < n_threads; ++slot) threads.emplace_back([this, slot] { work(slot); });
        std::unique_lock lock(mutex_);
        while (n_running_ > 0) {
            finished_.wait_for(lock, kProgressInterval, [&] { return n_running_ == 0; });
            if (!progress || failure_) continue;
            const LoadProgress now{done_bytes_, all_bytes_};
            lock.unlock();
            std::exception_ptr thrown;
            try {
                progress(now);
            } catch (...) {
                thrown = std::current_exception();
            }
            lock.lock();
            if (thrown && !failure_) {
                failure_ = thrown;
                stop_ = true;
            }
        }
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    void work(uint32_t slot) {
        try {
            while (!stop_) {
                const size_t index = next_.fetch_add(1);
                if (index >= chunks_.size()) break;
                load(chunks_[index], slot);
                done_bytes_ += chunks_[index].size_bytes;
            }
        } catch (...) {
            const std::scoped_lock lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            stop_ = true;
        }
        const std::scoped_lock lock(mutex_);
        if (--n_running_ == 0) finished_.notify_all();
    }

    void load(const Chunk& chunk, uint32_t slot) {
        const uint64_t slot_bytes = ring_.size_bytes() / kRingSlots / DirectFile::kAlignment * DirectFile::kAlignment;
        // The mapping may start anywhere; reads want whole pages of memory.
        auto* const begin = ring_.mapped() + slot * slot_bytes;
        const size_t pad = (DirectFile::kAlignment - reinterpret_cast<uintptr_t>(begin) % DirectFile::kAlignment) %
                           DirectFile::kAlignment;
        const std::span<std::byte> memory(begin + pad, slot_bytes - pad);
        size_t skip = 0;
        if (shards_.empty()) { // a file that is in memory already
            file_.read(*chunk.tensor, chunk.offset, memory.first(chunk.size_bytes));
        } else {
            skip = read_window(chunk, memory);
        }
        uint64_t source = slot * slot_bytes + pad + skip;
        // Kernels load words: a tensor that starts between two is moved.
        if (const uint64_t aligned = source / kSourceAlignment * kSourceAlignment; aligned != source) {
            std::memmove(ring_.mapped() + aligned, ring_.mapped() + source, chunk.size_bytes);
            source = aligned;
        }
        kernels::Repack repack = chunk.repack;
        repack.source += (stage_ ? stage_ : ring_).address() + source;
        const kernels::Dispatch dispatch = kernels::repack(*chunk.layout, repack);
        gpu::CommandList commands(device_, {.name = "repack"});
        commands.keep_alive(stage_ ? stage_ : ring_);
        commands.dispatch(*chunk.pipeline, dispatch.push, {}, dispatch.groups[0], dispatch.groups[1]);
        commands.end();
        if (!stage_) {
            device_.wait(device_.submit(commands));
            return;
        }
        gpu::CommandList copies(device_, {.name = "copy of a slot", .queue = gpu::QueueKind::copy});
        const uint64_t n_bytes = chunk.size_bytes + kernels::kRepackSlackBytes;
        copies.copy({ring_, source, n_bytes}, {stage_, source, n_bytes});
        copies.end();
        device_.wait(device_.submit(commands, device_.submit_copies(copies)));
    }

    size_t read_window(const Chunk& chunk, std::span<std::byte> memory) {
        reads_.acquire();
        struct Release {
            std::counting_semaphore<kReadsAtOnce>& reads;
            ~Release() { reads.release(); }
        } const release{reads_};
        return shards_[chunk.tensor->shard].read_window(chunk.tensor->offset + chunk.offset, chunk.size_bytes, memory);
    }

    /// Of the address that the repack kernel reads from; files align tensors to 32 bytes at least.
    static constexpr uint64_t kSourceAlignment = 16;

    gpu::Device& device_;
    const format::GgufFile& file_;
    std::span<const Chunk> chunks_;
    const gpu::Buffer& ring_;
    const gpu::Buffer& stage_;
    std::vector<DirectFile> shards_;
    std::counting_semaphore<kReadsAtOnce> reads_{kReadsAtOnce};
    uint64_t all_bytes_ = 0;
    std::atomic<uint64_t> done_bytes_ = 0;
    std::atomic<size_t> next_ = 0;
    std::atomic<bool> stop_ = false;
    std::mutex mutex_;
    std::condition_variable finished_;
    uint32_t n_running_ = 0;
    std::exception_ptr failure_;
};

std::vector<float> read_vector(const format::GgufFile& file, const TensorNeed& need) {
    std::vector<float> values;
    for (const auto& source : need.sources) {
        if (source.name.empty()) {
            values.resize(values.size() + source.n_rows, 0.0f);
        } else {
            const std::vector<float> part = file.read_f32(find_source(file, source, 0));
            values.insert(values.end(), part.begin(), part.end());
        }
    }
    return values;
}

/// The factors of all rows of a stack of sources; 1 where a source has none.
std::vector<float> read_row_scales(const format::GgufFile& file, const TensorNeed& need) {
    std::vector<float> factors;
    for (const auto& source : need.sources) {
        const format::TensorInfo* tensor = find_outer_factor(file, source.name);
        if (tensor == nullptr) {
            factors.resize(factors.size() + source.n_rows, 1.0f);
            continue;
        }
        const std::vector<float> each = file.read_f32(*tensor);
        const uint64_t n_rows = (source.all_rows == 0 ? source.n_rows : source.all_rows) / each.size();
        for (uint32_t row = 0; row < source.n_rows; ++row) factors.push_back(each[(source.first_row + row) / n_rows]);
    }
    return factors;
}

/// Small tensors from the host, directly where memory is mapped, else gathered in the ring and copied in one go.
class VectorWriter {
public:
    VectorWriter(gpu::Device& device, const gpu::Buffer& ring) : device_(device), ring_(ring) {}

    void write(const gpu::BufferRange& place, std::span<const std::byte> bytes) {
        if (std::byte* mapped = place.buffer->mapped()) {
            std::memcpy(mapped + place.offset, bytes.data(), bytes.size());
            return;
        }
        constexpr uint64_t kAlignment = 16;
        const uint64_t size = (bytes.size() + kAlignment - 1) / kAlignment * kAlignment;
        if (size > ring_.size_bytes()) {
            flush();
            gpu::write_buffer(device_, *place.buffer, place.offset, bytes);
            return;
        }
        if (used_ + size > ring_.size_bytes()) flush();
        if (!commands_) commands_.emplace(device_, gpu::CommandListOptions{.name = "vectors"});
        std::memcpy(ring_.mapped() + used_, bytes.data(), bytes.size());
        commands_->copy({ring_, used_, bytes.size()}, {*place.buffer, place.offset, bytes.size()});
        used_ += size;
    }

    void flush() {
        if (!commands_) return;
        commands_->end();
        device_.wait(device_.submit(*commands_));
        commands_.reset();
        used_ = 0;
    }

private:
    gpu::Device& device_;
    const gpu::Buffer& ring_;
    std::optional<gpu::CommandList> commands_;
    uint64_t used_ = 0;
};

} // namespace

LoadedWeights load_weights(gpu::Device& device, kernels::PipelineStore& pipelines, const format::GgufFile& file,
                           const WeightPlan& plan, const models::ModelConfig& config,
                           std::span<const gpu::BufferRange> places, const LoadingRing& memory,
                           const LoadCallback& progress) {
    const gpu::Buffer& ring = memory.ring;
    VKINFER_ASSERT(places.size() == plan.items.size() && ring.mapped() != nullptr);
    VKINFER_ASSERT(!memory.stage || memory.stage.size_bytes() >= ring.size_bytes());
    std::vector<uint64_t> addresses;
    for (const gpu::BufferRange& place : places) addresses.push_back(place.buffer->address() + place.offset);
    LoadedWeights loaded;
    loaded.model = place_weights(plan, addresses);
    for (auto& [key, weight] : loaded.model.matrices) weight.table = loaded.codebooks.address(device, weight.type);
    for (const TensorNeed& need : plan.host_needs) loaded.model.host_vectors[need.key] = read_vector(file, need);

    VectorWriter vectors(device, ring);
    for (size_t i = 0; i + 1 < plan.items.size(); ++i) {
        if (plan.items[i].twin) continue;
        if (plan.items[i].layout != nullptr) {
            if (plan.items[i].row_scales_offset == 0) continue;
            const std::vector<float> factors = read_row_scales(file, plan.items[i].need);
            const gpu::BufferRange place(places[i].buffer, places[i].offset + plan.items[i].row_scales_offset,
                                         factors.size() * sizeof(float));
            vectors.write(place, std::as_bytes(std::span(factors)));
            continue;
        }
        const std::vector<float> values = read_vector(file, plan.items[i].need);
        vectors.write(places[i], std::as_bytes(std::span(values)));
    }
    const auto factors = loaded.model.host_vectors.find("rope_freqs.weight");
    const models::RopeFrequencies rope = models::rope_frequencies(
        config.rope, factors == loaded.model.host_vectors.end() ? std::vector<float>{} : factors->second);
    vectors.write(places.back(), std::as_bytes(std::span(rope.pairs)));
    loaded.model.rope_magnitude = rope.magnitude;
    vectors.flush();

    const std::vector<Chunk> chunks =
        cut(pipelines, file, plan, loaded.model, ring.size_bytes() / kRingSlots - DirectFile::kAlignment);
    if (!chunks.empty()) Readers(device, file, chunks, memory).run(progress);
    return loaded;
}

} // namespace vkinfer::runtime
