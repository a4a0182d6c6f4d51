#include "server/options.h"

#include "base/error.h"

#include <cstdio>
#include <doctest/doctest.h>
#include <fstream>
#include <sstream>

using namespace vkinfer;
using namespace vkinfer::server;

namespace {

struct Parsed {
    std::expected<Options, int> options;
    std::string out;
    std::string err;
};

Parsed parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "vkinfer-server");
    std::ostringstream out;
    std::ostringstream err;
    auto options = parse_options(static_cast<int>(arguments.size()), arguments.data(), out, err);
    return {std::move(options), out.str(), err.str()};
}

} // namespace

TEST_CASE("defaults") {
    const auto options = parse({}).options;
    REQUIRE(options);
    CHECK(options->server.host == "127.0.0.1");
    CHECK(options->server.port == 8080);
    CHECK(options->server.api_keys.empty());
    CHECK(options->server.handle_signals);
    CHECK(options->engine.model.empty());
    CHECK(options->engine.n_parallel >= 2);
}

TEST_CASE("llama.cpp's spellings") {
    const auto options =
        parse({"-m",        "x.gguf",    "-c",   "512",         "-ub",   "64",      "-b",   "2048",
               "-np",       "3",         "-ngl", "99",          "-fa",   "on",      "-ctk", "q8_0",
               "-ctv=q4_0", "--device",  "1",    "-a",          "name",  "--host",  "::1",  "--port",
               "0",         "--api-key", "a, b", "--coopmat",   "off",   "--act",   "f32",  "--chat-template",
               "{{x}}",     "--timeout", "2.5",  "--log-level", "debug", "--jinja", "-cb",  "--drain-timeout",
               "0"})
            .options;
    REQUIRE(options);
    CHECK(options->engine.model == "x.gguf");
    CHECK(options->engine.n_ctx == 512);
    CHECK(options->engine.n_ubatch == 64);
    CHECK(options->engine.n_parallel == 3);
    CHECK(options->engine.type_k == "q8_0");
    CHECK(options->engine.type_v == "q4_0");
    CHECK(options->engine.device == "1");
    CHECK(options->engine.alias == "name");
    CHECK(options->engine.coopmat == "off");
    CHECK(options->engine.act == "f32");
    CHECK(options->engine.chat_template == "{{x}}");
    CHECK(options->server.host == "::1");
    CHECK(options->server.port == 0);
    CHECK(options->server.api_keys == std::vector<std::string>{"a", "b"});
    CHECK(options->server.limits.write_timeout == std::chrono::milliseconds(2500));
    CHECK(options->server.limits.drain_timeout == std::chrono::milliseconds(0));
    CHECK(options->log_level == LogLevel::debug);
}

TEST_CASE("help and version say something and end well") {
    const Parsed help = parse({"--help"});
    CHECK(help.options.error() == 0);
    for (const char* flag : {"--model", "--ctx-size", "--parallel", "--host", "--port", "--api-key", "--alias"}) {
        CHECK(help.out.contains(flag));
    }
    const Parsed version = parse({"--version"});
    CHECK(version.options.error() == 0);
    CHECK(version.out.contains("vkinfer"));
}

TEST_CASE("mistakes end with 2 and a message") {
    for (const std::vector<const char*>& arguments : {std::vector<const char*>{"--nonsense"},
                                                      {"--port", "70000"},
                                                      {"--port", "x"},
                                                      {"-c", "-1"},
                                                      {"-np", "0"},
                                                      {"--coopmat", "maybe"},
                                                      {"--timeout", "0"},
                                                      {"--log-level", "loud"},
                                                      {"-m"}}) {
        CAPTURE(arguments[0]);
        const Parsed parsed = parse(arguments);
        REQUIRE_FALSE(parsed.options);
        CHECK(parsed.options.error() == 2);
        CHECK_FALSE(parsed.err.empty());
    }
}

TEST_CASE("files of keys and templates") {
    const std::string path = "options_test_keys.txt";
    std::ofstream(path) << "# ours\n  one \r\n\ntwo\n";
    const auto options = parse({"--api-key-file", path.c_str(), "--chat-template-file", path.c_str()}).options;
    CHECK(options->server.api_keys == std::vector<std::string>{"one", "two"});
    CHECK(options->engine.chat_template.starts_with("# ours"));
    std::ofstream(path) << "# nobody\n";
    CHECK_THROWS_AS(parse({"--api-key-file", path.c_str()}), Error);
    std::remove(path.c_str());
    CHECK_THROWS_AS(parse({"--api-key-file", path.c_str()}), Error);
}
