// Template text -> tree. The grammar is Jinja's, with the tags that chat templates may use.
#pragma once

#include "text/jinja/ast.h"
#include "text/jinja/errors.h"

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace vkinfer::text::jinja {

/// The names a template uses, numbered so that scopes are searched by number.
class SymbolTable {
public:
    int intern(const std::string& name);
    std::optional<int> find(std::string_view name) const;
    const std::vector<std::string>& names() const { return names_; }

private:
    std::vector<std::string> names_;
    std::unordered_map<std::string, int> ids_;
};

constexpr int kLoopSymbol = 0; ///< the name `loop` in every template

/// A parsed template. Immutable.
struct Program {
    Body body;
    SymbolTable symbols;
    /// Names that the template sets at its top level before it reads them there. As in Jinja, loops and macros that run
    /// earlier find nothing under such a name, even if there is an input variable or a global function called so.
    std::vector<int> hidden_inputs;
    /// Set when Hugging Face's environment would refuse to compile this (from_json outside of any condition).
    std::optional<Failure> strict_failure;
};

/// Throws Failure{syntax} with the line.
Program parse(std::string_view source);

} // namespace vkinfer::text::jinja
