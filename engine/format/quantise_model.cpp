// Which tensors get more bits in the mix follows llama.cpp, so that files of the same name are of the same size.
#include "format/quantise_model.h"

#include "format/gguf_writer.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <exception>
#include <format>
#include <mutex>
#include <thread>
#include <utility>

namespace vkinfer::format {

namespace {

using enum TensorType;

constexpr QuantiseRecipe kRecipes[] = {
    {"F32", f32, f32, false, 0, "all matrices as 32-bit floats"},
    {"F16", f16, f16, false, 1, "all matrices as 16-bit floats"},
    {"BF16", bf16, bf16, false, 32, "all matrices as bfloat16"},
    {"Q8_0", q8_0, q8_0, false, 7, "8.5 bits, next to no loss"},
    {"Q6_K", q6_k, q6_k, false, 18, "6.6 bits"},
    {"Q5_K", q5_k, q6_k, false, 16, "5.5 bits"},
    {"Q4_K_M", q4_k, q6_k, true, 15, "4.8 bits: Q4_K with Q6_K for half of attn_v and ffn_down; the usual choice"},
    {"Q4_K", q4_k, q6_k, false, 14, "4.5 bits"},
    {"Q5_1", q5_1, q6_k, false, 9, "6 bits, simple blocks"},
    {"Q5_0", q5_0, q6_k, false, 8, "5.5 bits, simple blocks"},
    {"Q4_1", q4_1, q6_k, false, 3, "5 bits, simple blocks"},
    {"Q4_0", q4_0, q6_k, false, 2, "4.5 bits, simple blocks"},
};

constexpr uint32_t kQuantizationVersion = 2; // of the block formats, as ggml counts them

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
    return std::ranges::any_of(endings, [name](std::string_view ending) { return name.ends_with(ending); });
}

/// Matrices that a product reads; everything else is small and sensitive.
bool is_quantised(const TensorInfo& tensor) {
    const std::string_view name = tensor.name;
    if (traits(tensor.type).kind == TypeKind::integer || !name.ends_with(".weight") || tensor.n_rows() == 1)
        return false;
    return !ends_with_any(name, {"norm.weight", "ffn_gate_inp.weight", "ffn_gate_inp_shexp.weight", "ssm_conv1d.weight",
                                 "shortconv.conv.weight", "pos_embd.weight", "position_embd.weight",
                                 "token_types.weight", "attn_rel_b.weight", "rope_freqs.weight"});
}

/// The first and last eighth of the layers and every third between have more influence on the result.
bool is_sensitive_layer(uint32_t layer, uint32_t n_layers) {
    return layer < n_layers / 8 || layer >= 7 * n_layers / 8 || (layer - n_layers / 8) % 3 == 2;
}

/// The next type for rows that `wished` does not divide.
TensorType smaller_blocks(TensorType wished) {
    switch (wished) {
    case q4_k:
        return q5_0;
    case q5_k:
        return q5_1;
    case q6_k:
        return q8_0;
    case q2_k:
    case q3_k:
    case tq1_0:
    case tq2_0:
    case q2_0:
        return q4_0;
    case iq1_s:
    case iq1_m:
    case iq2_xxs:
    case iq2_xs:
    case iq2_s:
    case iq3_xxs:
    case iq3_s:
    case iq4_xs:
        return iq4_nl;
    default:
        return f16;
    }
}

/// Runs work(i) for i < n on several threads; the first exception is thrown again.
void parallel_for(size_t n, uint32_t n_threads, const std::function<void(size_t)>& work) {
    std::atomic<size_t> next = 0;
    std::exception_ptr failure;
    std::mutex mutex;
    const auto loop = [&] {
        try {
            for (size_t i; (i = next++) < n;) work(i);
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();
            next = n;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (size_t t = 1; t < std::min<size_t>(n_threads, n); ++t) threads.emplace_back(loop);
        loop();
    }
    if (failure) std::rethrow_exception(failure);
}

class Converter {
public:
    Converter(const GgufFile& source, GgufWriter& writer, const QuantiseOptions& options)
        : source_(source), writer_(writer), options_(options) {
        n_threads_ = options.n_threads != 0 ? options.n_threads : std::max(1u, std::thread::hardware_concurrency());
        for (const TensorInfo& tensor : source.tensors()) n_all_ += tensor.n_elements();
    }

    void convert(const TensorInfo& tensor, QuantisedTensor& result) {
        // A piece is a whole number of rows, hence of blocks. Pieces of one batch are converted at once and written in
        // order, so that memory holds two pieces per thread.
        constexpr uint64_t kPieceElements = uint64_t{1} << 19;
        const uint64_t rows_per_piece = std::max<uint64_t>(1, kPieceElements / tensor.dims[0]);
        const uint64_t n_pieces = (tensor.n_rows() + rows_per_piece - 1) / rows_per_piece;
        double error = 0, size = 0;
        for (uint64_t first = 0; first < n_pieces;) {
            std::vector<Piece> batch(std::min<uint64_t>(n_pieces - first, 2 * uint64_t{n_threads_}));
            parallel_for(batch.size(), n_threads_, [&](size_t i) {
                const uint64_t row = (first + i) * rows_per_piece;
                convert_piece(tensor, result.to, row, std::min(rows_per_piece, tensor.n_rows() - row), batch[i]);
            });
            for (const Piece& piece : batch) {
                writer_.append(piece.bytes);
                error += piece.error;
                size += piece.size;
                n_done_ += piece.n_elements;
            }
            first += batch.size();
            if (options_.progress) options_.progress(n_done_, n_all_, tensor.name);
        }
        result.relative_rmse = size > 0 ? std::sqrt(error / size) : 0.0;
    }

private:
    struct Piece {
        std::vector<std::byte> bytes;
        uint64_t n_elements = 0;
        double error = 0, size = 0; ///< sums of squares
    };

    void convert_piece(const TensorInfo& tensor, TensorType to, uint64_t row, uint64_t n_rows, Piece& piece) const {
        piece.n_elements = n_rows * tensor.dims[0];
        std::vector<std::byte> raw(n_rows * tensor.row_bytes());
        source_.read(tensor, row * tensor.row_bytes(), raw);
        if (to == tensor.type) {
            piece.bytes = std::move(raw);
            return;
        }
        std::vector<float> values(piece.n_elements);
        traits(tensor.type).dequantise(raw.data(), values.data(), values.size());
        if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: tensor {} has a value that is not finite between rows {} and {}.",
                                    source_.name(), escape(tensor.name), row, row + n_rows - 1),
                        "The model is damaged; convert or download it again.");
        }
        const TypeTraits& type = traits(to);
        piece.bytes.resize(n_rows * type.row_bytes(tensor.dims[0]));
        type.quantise(values.data(), piece.bytes.data(), values.size());
        if (!options_.measure) return;
        std::vector<float> decoded(values.size());
        type.dequantise(piece.bytes.data(), decoded.data(), decoded.size());
        for (size_t i = 0; i < values.size(); ++i) {
            const double difference = static_cast<double>(values[i]) - decoded[i];
            piece.error += difference * difference;
            piece.size += static_cast<double>(values[i]) * values[i];
        }
    }

    const GgufFile& source_;
    GgufWriter& writer_;
    const QuantiseOptions& options_;
    uint32_t n_threads_ = 1;
    uint64_t n_done_ = 0, n_all_ = 0;
};

} // namespace

std::span<const QuantiseRecipe> quantise_recipes() {
    return kRecipes;
}

const QuantiseRecipe& find_recipe(std::string_view name) {
    std::string names;
    for (const QuantiseRecipe& recipe : kRecipes) {
        const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
        if (std::ranges::equal(name, std::string_view(recipe.name), {}, upper)) return recipe;
        names += (names.empty() ? "" : ", ") + std::string(recipe.name);
    }
    throw Error(ErrorKind::invalid_input, std::format("quantisation \"{}\" is not known.", escape(name)),
                "Use one of " + names + ".");
}

std::optional<uint32_t> layer_of(std::string_view name) {
    constexpr std::string_view kPrefix = "blk.";
    if (!name.starts_with(kPrefix)) return std::nullopt;
    uint32_t layer = 0;
    const auto [end, status] = std::from_chars(name.data() + kPrefix.size(), name.data() + name.size(), layer);
    return status == std::errc() ? std::optional(layer) : std::nullopt;
}

bool gets_more_bits(std::string_view tensor, uint32_t n_layers) {
    const std::optional<uint32_t> layer = layer_of(tensor);
    return layer && is_sensitive_layer(*layer, n_layers) &&
           ends_with_any(tensor, {"attn_v.weight", "ffn_down.weight", "ffn_down_exps.weight", "ffn_down_shexp.weight"});
}

TensorType type_for_rows(TensorType wished, uint64_t n_elements) {
    while (n_elements % traits(wished).block_elements != 0) wished = smaller_blocks(wished);
    return wished;
}

QuantisedTensor choose_type(const GgufFile& file, const TensorInfo& tensor, const QuantiseRecipe& recipe,
                            const QuantiseOptions& options) {
    QuantisedTensor result = {
        .name = tensor.name, .from = tensor.type, .to = tensor.type, .n_elements = tensor.n_elements()};
    if (!is_quantised(tensor)) return result;
    const std::string_view name = tensor.name;
    const bool is_embedding = name == "token_embd.weight";
    const bool is_output = name == "output.weight" || (is_embedding && file.find_tensor("output.weight") == nullptr);
    result.to = recipe.type;
    if (is_output && options.output_type) {
        result.to = *options.output_type;
    } else if (is_embedding && options.token_embedding_type) {
        result.to = *options.token_embedding_type;
    } else if (is_output && !options.pure) {
        result.to = recipe.output_type;
    } else if (recipe.is_mix && !options.pure) {
        const auto n_layers = file.get_or<uint32_t>(
            std::string(file.get_or<std::string_view>("general.architecture", "")) + ".block_count", 0);
        if (gets_more_bits(name, n_layers)) result.to = recipe.output_type;
        if (name.ends_with("attn_qkv.weight")) result.to = q5_k;
    }
    const TensorType wished = std::exchange(result.to, type_for_rows(result.to, tensor.dims[0]));
    result.fell_back = result.to != wished;
    return result;
}

std::vector<QuantisedTensor> quantise_model(const GgufFile& source, const std::filesystem::path& target,
                                            const QuantiseRecipe& recipe, const QuantiseOptions& options) {
    GgufWriter writer(target);
    for (const MetadataEntry& entry : source.metadata()) {
        if (!entry.key.starts_with("split.")) writer.set(entry.key, entry.value); // the result is one file
    }
    writer.set("general.file_type", recipe.file_type);
    writer.set("general.quantization_version", kQuantizationVersion);

    std::vector<QuantisedTensor> results;
    for (const TensorInfo& tensor : source.tensors()) {
        const QuantisedTensor& result = results.emplace_back(choose_type(source, tensor, recipe, options));
        if (result.to != result.from && traits(result.from).kind != TypeKind::floating) {
            throw Error(ErrorKind::invalid_input,
                        std::format("{}: tensor {} is {} already; quantising again would add errors.", source.name(),
                                    escape(tensor.name), to_string(tensor.type)),
                        "Start from a model in F32, F16 or BF16.");
        }
        if (traits(result.to).quantise == nullptr && result.to != result.from) {
            throw Error(ErrorKind::unsupported, std::format("{} cannot be written yet.", to_string(result.to)),
                        "Use Q8_0, Q6_K, Q5_K, Q4_K, Q4_0 or a float type.");
        }
        writer.add_tensor(tensor.name, result.to, std::span(tensor.dims).first(tensor.n_dims));
    }
    Converter converter(source, writer, options);
    for (size_t i = 0; i < results.size(); ++i) converter.convert(source.tensors()[i], results[i]);
    writer.finish();
    return results;
}

} // namespace vkinfer::format
