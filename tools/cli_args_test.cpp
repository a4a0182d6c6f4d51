#include "tools/cli_args.h"

#include <array>
#include <doctest/doctest.h>

using namespace vkinfer::tools;

namespace {

constexpr std::array<std::string_view, 3> kNames = {"ngl", "ctk", "fa"};

std::vector<std::string> rewrite(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "program");
    return rewrite_long_names(static_cast<int>(arguments.size()), arguments.data(), kNames);
}

using Strings = std::vector<std::string>;

} // namespace

TEST_CASE("listed names get a second dash, with and without a value") {
    CHECK(rewrite({"-ngl", "99", "-ctk=q8_0", "-fa"}) == Strings{"--ngl", "99", "--ctk=q8_0", "--fa"});
}

TEST_CASE("everything else stays as it is") {
    const Strings kept = {"-n", "5", "-nglx", "--ngl", "-5", "-", "", "-f", "a-ngl"};
    std::vector<const char*> raw;
    for (const std::string& text : kept) raw.push_back(text.c_str());
    CHECK(rewrite(raw) == kept);
}

TEST_CASE("nothing is rewritten after a lone double dash") {
    CHECK(rewrite({"-fa", "--", "-fa"}) == Strings{"--fa", "--", "-fa"});
}

TEST_CASE("the order for CLI11 is back to front") {
    const std::array<const char*, 3> argv = {"program", "-ngl", "1"};
    CHECK(cli11_arguments(3, argv.data(), kNames) == Strings{"1", "--ngl"});
    CHECK(cli11_arguments(0, nullptr, kNames).empty());
}
