#include "tools/bench_output.h"

#include "tools/build_info.h"
#include "tools/json_text.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <format>
#include <functional>

namespace vkinfer::tools {

std::vector<double> BenchResult::samples_ts() const {
    std::vector<double> values;
    const double n_tokens = test.n_prompt + test.n_gen;
    for (const uint64_t ns : samples_ns) values.push_back(ns == 0 ? 0.0 : n_tokens * 1e9 / static_cast<double>(ns));
    return values;
}

double mean(const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double standard_deviation(const std::vector<double>& values) {
    if (values.size() < 2) return 0;
    const double center = mean(values);
    double sum = 0;
    for (const double value : values) sum += (value - center) * (value - center);
    return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::ranges::sort(values);
    const size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

namespace {

enum class FieldType { text, integer, boolean, real };

struct Field {
    const char* name;
    FieldType type;
    std::function<std::string(const BenchResult&)> value; ///< booleans as "0" and "1"
};

std::vector<double> as_doubles(const std::vector<uint64_t>& values) {
    return {values.begin(), values.end()};
}

std::string real(double value) {
    return std::format("{:.6f}", value);
}
std::string whole(double value) {
    return std::format("{}", static_cast<uint64_t>(value));
}

/// All fields in order. What vkinfer decides by itself has llama-bench's default.
const std::vector<Field>& fields() {
    using R = const BenchResult&;
    const auto constant = [](const char* text) { return [text](R) { return std::string(text); }; };
    const auto number = [](auto member) { return [member](R r) { return std::to_string(r.test.*member); }; };
    using enum FieldType;
    static const std::vector<Field> list = {
        {"build_commit", text, constant(kBuildCommit)},
        {"build_number", integer, [](R) { return std::to_string(kBuildNumber); }},
        {"cpu_info", text, [](R r) { return r.cpu_info; }},
        {"gpu_info", text, [](R r) { return r.gpu_info; }},
        {"backends", text, constant("Vulkan")},
        {"model_filename", text, [](R r) { return r.test.model; }},
        {"model_type", text, [](R r) { return r.model_type; }},
        {"model_size", integer, [](R r) { return std::to_string(r.model_size); }},
        {"model_n_params", integer, [](R r) { return std::to_string(r.model_n_params); }},
        {"n_batch", integer, number(&BenchTest::n_batch)},
        {"n_ubatch", integer, number(&BenchTest::n_ubatch)},
        {"n_threads", integer, number(&BenchTest::n_threads)},
        {"cpu_mask", text, constant("0x0")},
        {"cpu_strict", boolean, constant("0")},
        {"poll", integer, constant("50")},
        {"type_k", text, [](R r) { return r.test.type_k; }},
        {"type_v", text, [](R r) { return r.test.type_v; }},
        {"n_gpu_layers", integer, number(&BenchTest::n_gpu_layers)},
        {"n_cpu_moe", integer, constant("0")},
        {"split_mode", text, constant("layer")},
        {"main_gpu", integer, constant("0")},
        {"no_kv_offload", boolean, constant("0")},
        {"flash_attn", integer, number(&BenchTest::flash_attn)},
        {"devices", text, [](R r) { return r.test.device; }},
        {"tensor_split", text, constant("0.00")},
        {"tensor_buft_overrides", text, constant("none")},
        {"load_mode", text, [](R r) { return r.test.load_mode; }},
        {"lazy_mode", text, constant("auto")},
        {"embeddings", boolean, constant("0")},
        {"no_op_offload", integer, constant("0")},
        {"no_host", boolean, constant("0")},
        {"repack", boolean, constant("1")},
        {"fit_target", integer, constant("0")},
        {"fit_min_ctx", integer, constant("0")},
        {"n_prompt", integer, number(&BenchTest::n_prompt)},
        {"n_gen", integer, number(&BenchTest::n_gen)},
        {"n_depth", integer, number(&BenchTest::n_depth)},
        {"test_time", text, [](R r) { return r.test_time; }},
        {"avg_ns", integer, [](R r) { return whole(mean(as_doubles(r.samples_ns))); }},
        {"stddev_ns", integer, [](R r) { return whole(standard_deviation(as_doubles(r.samples_ns))); }},
        {"avg_ts", FieldType::real, [](R r) { return tools::real(mean(r.samples_ts())); }},
        {"stddev_ts", FieldType::real, [](R r) { return tools::real(standard_deviation(r.samples_ts())); }},
    };
    return list;
}

std::string field_names(const char* separator) {
    std::string names;
    for (const Field& field : fields()) names += (names.empty() ? "" : separator) + std::string(field.name);
    return names;
}

std::string json_value(const Field& field, const BenchResult& result) {
    const std::string value = field.value(result);
    if (field.type == FieldType::text) return json_string(value);
    if (field.type == FieldType::boolean) return value == "1" ? "true" : "false";
    return value;
}

template<class T>
std::string joined(const std::vector<T>& values, const char* pattern) {
    std::string text;
    for (const T& value : values)
        text += (text.empty() ? "" : ", ") + std::vformat(pattern, std::make_format_args(value));
    return text;
}

class CsvPrinter final : public BenchPrinter {
public:
    std::string begin() override { return field_names(",") + "\n"; }
    std::string result(const BenchResult& result) override {
        std::string line;
        for (const Field& field : fields()) {
            if (!line.empty()) line += ',';
            line += '"';
            for (const char c : field.value(result)) {
                if (c == '"') line += '"';
                line += c;
            }
            line += '"';
        }
        return line + "\n";
    }
    std::string end() override { return ""; }
};

class JsonPrinter final : public BenchPrinter {
public:
    std::string begin() override { return "[\n"; }
    std::string result(const BenchResult& result) override {
        std::string text = is_first_ ? "  {\n" : ",\n  {\n";
        is_first_ = false;
        for (const Field& field : fields()) {
            text += std::format("    \"{}\": {},\n", field.name, json_value(field, result));
        }
        text += std::format("    \"samples_ns\": [ {} ],\n", joined(result.samples_ns, "{}"));
        text += std::format("    \"samples_ts\": [ {} ],\n", joined(result.samples_ts(), "{:g}"));
        for (const auto& [name, value] : result.more_numbers) {
            text += std::format("    {}: {},\n", json_string(name), json_number(value));
        }
        text += std::format("    \"median_ts\": {},\n", real(median(result.samples_ts())));
        text += std::format("    \"paths\": {}\n  }}", json_string(result.paths));
        return text;
    }
    std::string end() override { return "\n]\n"; }

private:
    bool is_first_ = true;
};

class JsonLinesPrinter final : public BenchPrinter {
public:
    std::string begin() override { return ""; }
    std::string result(const BenchResult& result) override {
        std::string text = "{";
        for (const Field& field : fields()) text += std::format("\"{}\": {}, ", field.name, json_value(field, result));
        text += std::format("\"samples_ns\": [ {} ],\"samples_ts\": [ {} ],", joined(result.samples_ns, "{}"),
                            joined(result.samples_ts(), "{:g}"));
        for (const auto& [name, value] : result.more_numbers) {
            text += std::format("{}: {}, ", json_string(name), json_number(value));
        }
        return text + std::format("\"median_ts\": {}, \"paths\": {}}}\n", real(median(result.samples_ts())),
                                  json_string(result.paths));
    }
    std::string end() override { return ""; }
};

class SqlPrinter final : public BenchPrinter {
public:
    std::string begin() override {
        std::string columns;
        for (const Field& field : fields()) {
            const char* type = field.type == FieldType::text   ? "TEXT"
                               : field.type == FieldType::real ? "REAL"
                                                               : "INTEGER";
            columns += std::format("{}  {} {}", columns.empty() ? "" : ",\n", field.name, type);
        }
        return "CREATE TABLE IF NOT EXISTS llama_bench (\n" + columns + "\n);\n\n";
    }
    std::string result(const BenchResult& result) override {
        std::string values;
        for (const Field& field : fields()) {
            values += values.empty() ? "'" : ", '";
            for (const char c : field.value(result)) {
                if (c == '\'') values += '\'';
                values += c;
            }
            values += '\'';
        }
        return std::format("INSERT INTO llama_bench ({}) VALUES ({});\n", field_names(", "), values);
    }
    std::string end() override { return ""; }
};

struct Column {
    const char* title;
    int width;
    bool is_left;
    std::function<std::string(const BenchResult&)> value;
};

/// Characters of UTF-8 text: the plus-minus sign has two bytes.
size_t n_characters(const std::string& text) {
    return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

class MarkdownPrinter final : public BenchPrinter {
public:
    explicit MarkdownPrinter(const BenchParams& params) {
        using R = const BenchResult&;
        const BenchParams defaults;
        const auto number = [](auto member) { return [member](R r) { return std::to_string(r.test.*member); }; };
        const auto text = [](auto member) { return [member](R r) { return r.test.*member; }; };
        columns_ = {{"model", 30, true, [](R r) { return r.model_type; }},
                    {"size", 10, false, size_text},
                    {"params", 10, false, params_text},
                    {"backend", 10, true, [](R) { return std::string("Vulkan"); }},
                    {"ngl", 3, false, number(&BenchTest::n_gpu_layers)}};
        const auto add_if = [&](bool differs, Column column) {
            if (differs) columns_.push_back(std::move(column));
        };
        add_if(params.n_threads != defaults.n_threads, {"threads", 7, false, number(&BenchTest::n_threads)});
        add_if(params.n_batch != defaults.n_batch, {"n_batch", 7, false, number(&BenchTest::n_batch)});
        add_if(params.n_ubatch != defaults.n_ubatch, {"n_ubatch", 8, false, number(&BenchTest::n_ubatch)});
        add_if(params.type_k != defaults.type_k, {"type_k", 6, false, text(&BenchTest::type_k)});
        add_if(params.type_v != defaults.type_v, {"type_v", 6, false, text(&BenchTest::type_v)});
        add_if(params.flash_attn != defaults.flash_attn, {"fa", 3, false, number(&BenchTest::flash_attn)});
        add_if(params.devices != defaults.devices, {"dev", 12, true, text(&BenchTest::device)});
        add_if(params.load_mode != defaults.load_mode, {"lm", 10, false, text(&BenchTest::load_mode)});
        columns_.push_back({"test", 15, false, test_text});
        columns_.push_back({"t/s", 20, false, [](R r) {
                                const auto samples = r.samples_ts();
                                return std::format("{:.2f} ± {:.2f}", mean(samples), standard_deviation(samples));
                            }});
    }

    std::string begin() override {
        std::string titles = "|", rule = "|";
        for (const Column& column : columns_) {
            titles += " " + padded(column, column.title) + " |";
            const std::string dashes(static_cast<size_t>(column.width) - (column.is_left ? 0 : 1), '-');
            rule += " " + dashes + (column.is_left ? " |" : ": |");
        }
        return titles + "\n" + rule + "\n";
    }
    std::string result(const BenchResult& result) override {
        std::string line = "|";
        for (const Column& column : columns_) line += " " + padded(column, column.value(result)) + " |";
        return line + "\n";
    }
    std::string end() override { return std::format("\nbuild: {} ({})\n", kBuildCommit, kBuildNumber); }

private:
    static std::string padded(const Column& column, const std::string& value) {
        const size_t n = n_characters(value);
        const auto width = static_cast<size_t>(column.width);
        const std::string spaces(n < width ? width - n : 0, ' ');
        return column.is_left ? value + spaces : spaces + value;
    }
    static std::string size_text(const BenchResult& result) {
        const double mib = static_cast<double>(result.model_size) / (1 << 20);
        return mib < 1024 ? std::format("{:.2f} MiB", mib) : std::format("{:.2f} GiB", mib / 1024);
    }
    static std::string params_text(const BenchResult& result) {
        const auto n = static_cast<double>(result.model_n_params);
        return n < 1e9 ? std::format("{:.2f} M", n / 1e6) : std::format("{:.2f} B", n / 1e9);
    }
    static std::string test_text(const BenchResult& result) {
        const BenchTest& test = result.test;
        std::string text;
        if (test.n_prompt > 0) text = std::format("pp{}", test.n_prompt);
        if (test.n_gen > 0) text += std::format("{}tg{}", text.empty() ? "" : "+", test.n_gen);
        if (test.n_depth > 0) text += std::format(" @ d{}", test.n_depth);
        return text;
    }

    std::vector<Column> columns_;
};

} // namespace

std::unique_ptr<BenchPrinter> make_printer(const std::string& format, const BenchParams& params) {
    if (format == "md") return std::make_unique<MarkdownPrinter>(params);
    if (format == "csv") return std::make_unique<CsvPrinter>();
    if (format == "json") return std::make_unique<JsonPrinter>();
    if (format == "jsonl") return std::make_unique<JsonLinesPrinter>();
    if (format == "sql") return std::make_unique<SqlPrinter>();
    return nullptr;
}

} // namespace vkinfer::tools
