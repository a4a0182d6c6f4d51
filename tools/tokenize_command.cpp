#include "tools/tokenize_command.h"

#include "base/error.h"
#include "format/gguf_file.h"
#include "runtime/vocabulary_from_gguf.h"
#include "text/unicode.h"
#include "tools/program.h"

#include <boost/json.hpp>
#include <format>
#include <iostream>
#include <memory>

namespace vkinfer::tools {

namespace {

namespace json = boost::json;

json::object tokenize_line(const text::Tokenizer& tokenizer, const std::string& line) {
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error) return {{"error", std::format("the line is not JSON: {}", error.message())}};
    const json::object* request = value.if_object();
    const json::value* text = request == nullptr ? nullptr : request->if_contains("text");
    if (text == nullptr || !text->is_string()) return {{"error", "the line is no object with a string \"text\""}};
    bool flags[2] = {};
    const char* const names[2] = {"add_special", "parse_special"};
    for (size_t i = 0; i < 2; ++i) {
        const json::value* flag = request->if_contains(names[i]);
        if (flag == nullptr) continue;
        if (!flag->is_bool()) return {{"error", std::format("\"{}\" is no boolean", names[i])}};
        flags[i] = flag->as_bool();
    }
    const json::string& bytes = text->as_string();
    const auto ids = tokenizer.encode(std::string_view(bytes.data(), bytes.size()), flags[0], flags[1]);
    json::object result;
    json::array& list = result["ids"].emplace_array();
    list.reserve(ids.size());
    for (const text::Token id : ids) list.emplace_back(id);
    const std::string back = tokenizer.decode(ids, true);
    if (text::is_valid_utf8(back)) {
        result["detok"] = back;
    } else {
        std::string hex;
        for (const char byte : back) hex += std::format("{:02x}", static_cast<uint8_t>(byte));
        result["detok_hex"] = hex;
    }
    return result;
}

} // namespace

size_t tokenize_lines(const text::Tokenizer& tokenizer, std::istream& in, std::ostream& out) {
    size_t n_errors = 0;
    for (std::string line; std::getline(in, line);) {
        if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
        const json::object result = tokenize_line(tokenizer, line);
        if (result.contains("error")) ++n_errors;
        out << json::serialize(result) << '\n' << std::flush;
    }
    if (!out) throw Error(ErrorKind::io, "the ids cannot be written");
    return n_errors;
}

int run_tokenize(const TokenizeOptions& options, std::istream& in, std::ostream& out) {
    format::GgufFile file(options.model);
    for (const std::string& entry : options.override_kv) file.override_metadata(entry);
    const text::Tokenizer tokenizer(runtime::vocabulary_from_gguf(file));
    return tokenize_lines(tokenizer, in, out) == 0 ? kExitOk : kExitFailed;
}

CommandBody add_tokenize_command(CLI::App& app) {
    const auto options = std::make_shared<TokenizeOptions>();
    const auto jsonl = std::make_shared<bool>(false);
    app.add_option("-m,--model", options->model, "GGUF file; one without tensors will do")->required();
    app.add_flag("--jsonl", *jsonl, "JSON lines on standard input and output (the only form there is)")->required();
    app.add_option("--override-kv", options->override_kv,
                   "KEY=TYPE:VALUE, replaces metadata of the file; may be repeated");
    return [options] { return run_tokenize(*options, std::cin, std::cout); };
}

} // namespace vkinfer::tools
