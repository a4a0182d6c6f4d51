// `vkinfer tokenize --jsonl`: texts on standard input -> token ids on standard output, for checks against other
// implementations.
#pragma once

#include "text/tokenizer.h"
#include "tools/command.h"

#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

namespace vkinfer::tools {

struct TokenizeOptions {
    std::filesystem::path model;          ///< a GGUF file; tensors are not needed
    std::vector<std::string> override_kv; ///< KEY=TYPE:VALUE, before the vocabulary is read
};

/// Each line of `in`, {"text": ..., "add_special": bool, "parse_special": bool} (both false when missing), becomes a
/// line of `out`: {"ids": [...], "detok": ...}, with "detok_hex" instead where the bytes are not UTF-8, or {"error":
/// ...}. Lines are flushed one by one, so that a program can talk to it. Returns the number of lines with an error.
size_t tokenize_lines(const text::Tokenizer& tokenizer, std::istream& in, std::ostream& out);

/// The whole command; throws Error when the model cannot be read. Returns the exit status: 1 when a line failed.
int run_tokenize(const TokenizeOptions& options, std::istream& in, std::ostream& out);

CommandBody add_tokenize_command(CLI::App& app);

} // namespace vkinfer::tools
