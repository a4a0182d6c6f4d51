// The idea that makes it fast and independent of the block formats: for each type and standard deviation a pool of
// blocks is made once, by quantising random normals or, for types that nothing here can write, by drawing random bits
// until they decode to values of the wanted size. A tensor is then a sequence of randomly chosen blocks of its pool.
#include "benchmarks/synthetic_model.h"

#include "base/error.h"
#include "benchmarks/synthetic_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <format>
#include <map>
#include <numbers>
#include <utility>
#include <vector>

namespace vkinfer::benchmarks {

using format::GgufWriter;
using format::TensorType;
using format::TypeTraits;

namespace {

/// splitmix64: small, fast, and the same everywhere.
class Random {
public:
    explicit Random(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    /// In (0, 1).
    double uniform() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1p-53; }
    float normal() {
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        return static_cast<float>(radius * std::cos(2.0 * std::numbers::pi * uniform()));
    }

private:
    uint64_t state_;
};

/// Blocks of one type whose values have about one standard deviation.
struct Pool {
    size_t entry_bytes = 0;
    size_t entry_elements = 0;
    std::vector<std::byte> bytes;

    size_t n_entries() const { return bytes.size() / entry_bytes; }
};

float root_mean_square(std::span<const float> values) {
    double sum = 0;
    for (const float value : values) sum += static_cast<double>(value) * value;
    return static_cast<float>(std::sqrt(sum / static_cast<double>(values.size())));
}

Pool quantised_normals(const TypeTraits& type, float deviation, Random& random) {
    constexpr size_t kEntries = 2048;
    Pool pool;
    // Types of single elements come in pieces of 32, which is faster and divides every row that is used.
    pool.entry_elements = std::max<size_t>(type.block_elements, 32);
    pool.entry_bytes = type.row_bytes(pool.entry_elements);
    std::vector<float> values(kEntries * pool.entry_elements);
    for (float& value : values) value = deviation * random.normal();
    pool.bytes.resize(kEntries * pool.entry_bytes);
    type.quantise(values.data(), pool.bytes.data(), values.size());
    return pool;
}

Pool random_bits(const TypeTraits& type, float deviation, Random& random) {
    constexpr size_t kEntries = 256;
    constexpr size_t kMaxTries = 20'000'000;
    Pool pool;
    pool.entry_elements = type.block_elements;
    pool.entry_bytes = type.block_bytes;
    std::vector<std::byte> block((type.block_bytes + 7) / 8 * 8);
    std::vector<float> values(type.block_elements);
    for (size_t i = 0; i < kMaxTries && pool.bytes.size() < kEntries * pool.entry_bytes; ++i) {
        for (size_t at = 0; at < block.size(); at += 8) {
            const uint64_t bits = random.next();
            std::memcpy(block.data() + at, &bits, sizeof bits);
        }
        type.dequantise(block.data(), values.data(), values.size());
        const float size = root_mean_square(values);
        if (!(size > deviation / 2 && size < deviation * 2)) continue; // false for NaN too
        pool.bytes.insert(pool.bytes.end(), block.begin(), block.begin() + type.block_bytes);
    }
    if (pool.bytes.empty()) {
        throw Error(ErrorKind::unsupported, std::format("no random blocks of {} could be made.", type.name));
    }
    return pool;
}

class Generator {
public:
    explicit Generator(const SyntheticOptions& options) : plan_(options), random_(options.seed) {}

    void write(const std::filesystem::path& path, const std::function<void(uint64_t, uint64_t)>& progress) {
        GgufWriter writer(path);
        plan_.write_metadata(writer);
        const auto planned = plan_.tensors();
        for (const PlannedTensor& tensor : planned) writer.add_tensor(tensor.name, tensor.type, tensor.dims);
        const uint64_t all = writer.size_bytes();
        uint64_t done = 0;
        for (size_t i = 0; i < planned.size(); ++i) {
            fill(writer, planned[i], writer.tensors()[i]);
            done += writer.tensors()[i].size_bytes;
            if (progress) progress(done, all);
        }
        writer.finish();
    }

private:
    const Pool& pool(TensorType type, float deviation) {
        const auto [found, is_new] = pools_.try_emplace({type, deviation});
        if (is_new) {
            const TypeTraits& t = format::traits(type);
            found->second =
                t.quantise != nullptr ? quantised_normals(t, deviation, random_) : random_bits(t, deviation, random_);
        }
        return found->second;
    }

    void fill(GgufWriter& writer, const PlannedTensor& planned, const format::TensorInfo& info) {
        if (planned.dims.size() == 1) {
            std::vector<float> values(planned.dims[0]);
            for (float& value : values) value = planned.mean + planned.deviation * random_.normal();
            writer.append(std::as_bytes(std::span(values)));
            return;
        }
        const Pool& source = pool(planned.type, planned.deviation);
        constexpr size_t kChunkBytes = size_t{1} << 20;
        std::vector<std::byte> chunk;
        for (uint64_t left = info.size_bytes; left > 0;) {
            chunk.clear();
            while (chunk.size() < std::min<uint64_t>(kChunkBytes, left)) {
                const std::byte* entry = source.bytes.data() + random_.next() % source.n_entries() * source.entry_bytes;
                chunk.insert(chunk.end(), entry, entry + source.entry_bytes);
            }
            chunk.resize(std::min<uint64_t>(chunk.size(), left));
            writer.append(chunk);
            left -= chunk.size();
        }
    }

    SyntheticPlan plan_;
    Random random_;
    std::map<std::pair<TensorType, float>, Pool> pools_;
};

} // namespace

void write_synthetic_model(const std::filesystem::path& path, const SyntheticOptions& options,
                           const std::function<void(uint64_t, uint64_t)>& progress) {
    Generator(options).write(path, progress);
}

} // namespace vkinfer::benchmarks
