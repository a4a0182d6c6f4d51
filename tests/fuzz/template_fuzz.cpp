// Fuzz target: any bytes as a chat template, rendered with a small conversation under tight limits. Behind a zero byte
// may follow the conversation, as one line of `vkinfer template`.
#include "base/error.h"
#include "text/chat_template.h"
#include "text/jinja/sandbox.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace vkinfer;

namespace {

constexpr std::string_view kConversation =
    R"({"messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"é"}]},)"
    R"({"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function",)"
    R"("function":{"name":"f","arguments":{"a":1.0,"b":[true,null,12345678901234567890]}}}]},)"
    R"({"role":"tool","content":"42","tool_call_id":"1"},{"role":"user","content":"U"}],)"
    R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],)"
    R"("kwargs":{"add_generation_prompt":true,"l":[3,1,2],"d":{"b":1,"a":"x"},"n":7},)"
    R"("bos_token":"<s>","eos_token":"</s>"})";

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    const size_t zero = input.find('\0');
    const std::string_view line = zero == std::string_view::npos ? kConversation : input.substr(zero + 1);
    try {
        text::ChatTemplate chat{std::string(input.substr(0, zero))};
        text::jinja::Limits limits;
        limits.steps = 100'000;
        limits.output_bytes = size_t{1} << 20;
        limits.live_bytes = size_t{16} << 20;
        chat.set_limits(limits);
        for (const auto rules : {text::TemplateRules::strict, text::TemplateRules::strict_then_lenient}) {
            const std::string outcome = chat.render_json(line, 0, rules);
            if (!outcome.starts_with("{\"result\": ") && !outcome.starts_with("{\"error\": ")) std::abort();
            // What is caught as std::exception is a bug; its text names the library's own complaint. A fuzzer that
            // knows these words writes them into its inputs, which proves nothing.
            for (const std::string_view complaint :
                 {"bad_variant_access", "chat template: vector", "chat template: basic_string"}) {
                if (outcome.contains(complaint) && !input.contains(complaint)) std::abort();
            }
        }
    } catch (const Error& error) {
        if (error.message().empty()) std::abort();
    }
    return 0;
}
