#include "tools/info_command.h"

#include "format/gguf_file.h"
#include "tools/engine_flags.h"
#include "tools/json_text.h"
#include "tools/program.h"

#include <cstdio>
#include <format>
#include <memory>

namespace vkinfer::tools {

using namespace runtime;

namespace {

double percent(uint64_t part, uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

std::string heads_text(const ModelSummary& summary) {
    if (summary.n_heads_kv.empty()) return std::to_string(summary.n_heads);
    const auto [least, most] = std::ranges::minmax(summary.n_heads_kv);
    const std::string kv = least == most ? std::to_string(most) : std::format("{} to {}", least, most);
    return std::format("{}, {} for K and V", summary.n_heads, kv);
}

void print_metadata(const format::GgufFile& file) {
    for (const format::MetadataEntry& entry : file.metadata()) {
        std::printf("%s = %s\n", format::escape(entry.key, 200).c_str(), entry.value.to_text().c_str());
    }
}

void print_tensors(const format::GgufFile& file) {
    for (const format::TensorInfo& tensor : file.tensors()) {
        std::printf("%-48s %-8s %-24s %s\n", format::escape(tensor.name, 200).c_str(), format::to_string(tensor.type),
                    tensor.shape_text().c_str(), format_bytes(tensor.size_bytes).c_str());
    }
}

} // namespace

format::TensorType parse_tensor_type(const std::string& option, const std::string& name) {
    const format::TypeTraits* found = format::find_traits(std::string_view(name));
    if (found == nullptr) {
        throw Error(ErrorKind::invalid_input, std::format("{} {}: there is no tensor type of that name.", option, name),
                    "Names are f16, q8_0, q4_0 and so on.");
    }
    return found->type;
}

std::string info_text(const ModelSummary& summary, const MemoryCase& memory) {
    std::string text;
    const auto row = [&](const char* label, const std::string& value) {
        text += std::format("{:<14} {}\n", label, value);
    };
    row("name", format::escape(summary.name));
    row("type", format::escape(summary.type));
    row("architecture", format::escape(summary.architecture));
    row("parameters", std::format("{:.2f} M", static_cast<double>(summary.n_params) / 1e6));
    row("tensors", format_bytes(summary.size_bytes));
    for (const TypeShare& share : summary.types) {
        row("", std::format("{:<8} {:5.1f} %  {:>10}  {} tensors", format::to_string(share.type),
                            percent(share.size_bytes, summary.size_bytes), format_bytes(share.size_bytes),
                            share.n_tensors));
    }
    row("layers", std::to_string(summary.n_layers));
    row("embedding", std::to_string(summary.n_embd));
    row("heads", heads_text(summary));
    row("head size", std::format("{} (V {})", summary.key_length, summary.value_length));
    row("context", std::format("{} tokens (trained)", summary.n_ctx_train));
    row("vocabulary", std::format("{} tokens", summary.n_vocab));
    row("tokenizer", format::escape(summary.tokenizer) +
                         (summary.pre_tokenizer.empty() ? "" : ", " + format::escape(summary.pre_tokenizer)));
    row("chat template", summary.has_chat_template ? "yes" : "none");
    const SamplingParams& sampling = summary.default_sampling;
    row("sampling", std::format("temperature {:g}, top-k {}, top-p {:g}, min-p {:g}", sampling.temperature,
                                sampling.top_k, sampling.top_p, sampling.min_p));
    const MemoryNeed need = memory_need(summary, memory);
    row("memory", std::format("{} weights + {} cache for {} tokens (K {}, V {}) = {}, and work buffers",
                              format_bytes(need.weights_bytes), format_bytes(need.kv_bytes), memory.n_ctx,
                              format::to_string(memory.type_k), format::to_string(memory.type_v),
                              format_bytes(need.total_bytes())));
    return text;
}

std::string info_json(const ModelSummary& summary, const MemoryCase& memory) {
    std::string json = "{\n";
    const auto field = [&](const char* name, const std::string& value) {
        json += std::format("  \"{}\": {},\n", name, value);
    };
    field("name", json_string(summary.name));
    field("type", json_string(summary.type));
    field("architecture", json_string(summary.architecture));
    field("n_params", std::to_string(summary.n_params));
    field("size_bytes", std::to_string(summary.size_bytes));
    std::string types;
    for (const TypeShare& share : summary.types) {
        types += std::format(
            "{}\n    {{\"type\": {}, \"n_tensors\": {}, \"n_params\": {}, \"size_bytes\": {}, \"share\": {}}}",
            types.empty() ? "" : ",", json_string(format::to_string(share.type)), share.n_tensors, share.n_elements,
            share.size_bytes, json_number(percent(share.size_bytes, summary.size_bytes) / 100));
    }
    field("tensor_types", "[" + types + "\n  ]");
    field("n_layers", std::to_string(summary.n_layers));
    field("n_embd", std::to_string(summary.n_embd));
    field("n_heads", std::to_string(summary.n_heads));
    std::string heads_kv;
    for (const int32_t n : summary.n_heads_kv) heads_kv += (heads_kv.empty() ? "" : ", ") + std::to_string(n);
    field("n_heads_kv", "[" + heads_kv + "]");
    field("key_length", std::to_string(summary.key_length));
    field("value_length", std::to_string(summary.value_length));
    field("n_ctx_train", std::to_string(summary.n_ctx_train));
    field("n_vocab", std::to_string(summary.n_vocab));
    field("tokenizer", json_string(summary.tokenizer));
    field("pre_tokenizer", json_string(summary.pre_tokenizer));
    field("has_chat_template", summary.has_chat_template ? "true" : "false");
    const SamplingParams& sampling = summary.default_sampling;
    field("sampling", std::format(R"({{"temperature": {:g}, "top_k": {}, "top_p": {:g}, "min_p": {:g}}})",
                                  sampling.temperature, sampling.top_k, sampling.top_p, sampling.min_p));
    const MemoryNeed need = memory_need(summary, memory);
    json += std::format("  \"memory\": {{\"n_ctx\": {}, \"type_k\": {}, \"type_v\": {}, \"weights_bytes\": {}, "
                        "\"kv_bytes\": {}, \"total_bytes\": {}}}\n}}\n",
                        memory.n_ctx, json_string(format::to_string(memory.type_k)),
                        json_string(format::to_string(memory.type_v)), need.weights_bytes, need.kv_bytes,
                        need.total_bytes());
    return json;
}

CommandBody add_info_command(CLI::App& app) {
    struct Flags {
        std::filesystem::path model;
        int32_t n_ctx = 0;
        std::string type_k = "f16", type_v = "f16";
        bool is_json = false, shows_metadata = false, shows_tensors = false;
    };
    const auto flags = std::make_shared<Flags>();
    app.add_option("-m,--model,model", flags->model, "model file (GGUF); default: the demo model");
    app.add_option("-c,--ctx-size", flags->n_ctx, "context for the memory need; 0: what the model was trained with")
        ->check(CLI::NonNegativeNumber);
    app.add_option("--ctk,--cache-type-k", flags->type_k, "type of the K cache (-ctk)")->capture_default_str();
    app.add_option("--ctv,--cache-type-v", flags->type_v, "type of the V cache (-ctv)")->capture_default_str();
    app.add_flag("--json", flags->is_json, "as JSON");
    app.add_flag("--metadata", flags->shows_metadata, "also all metadata");
    app.add_flag("--tensors", flags->shows_tensors, "also all tensors");
    return [flags] {
        const format::GgufFile file(flags->model.empty() ? default_model_path() : flags->model);
        const ModelSummary summary = summarise(file);
        const MemoryCase memory{.n_ctx = flags->n_ctx > 0 ? flags->n_ctx : summary.n_ctx_train,
                                .type_k = parse_tensor_type("-ctk", flags->type_k),
                                .type_v = parse_tensor_type("-ctv", flags->type_v)};
        const std::string text = flags->is_json ? info_json(summary, memory) : info_text(summary, memory);
        std::fputs(text.c_str(), stdout);
        if (flags->shows_metadata) print_metadata(file);
        if (flags->shows_tensors) print_tensors(file);
        return kExitOk;
    };
}

} // namespace vkinfer::tools
