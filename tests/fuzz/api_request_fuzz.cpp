// Fuzz target: any bytes as the body of a request, the first one choosing the endpoint. A client's mistake never
// becomes an error of ours, every answer is JSON, and generated text, which is the body again, comes out of the
// formatters whole.
#include "server/json_text.h"
#include "server/routes.h"
#include "server/testing/fake_generator.h"

#include <boost/json.hpp>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace vkinfer;
using namespace vkinfer::server;

namespace {

void require(bool holds, const char* what, std::string_view text) {
    if (holds) return;
    std::fprintf(stderr, "%s: %.*s\n", what, static_cast<int>(text.size()), text.data());
    std::abort();
}

/// The formatter's output for `text` in pieces of `n` bytes, checked line by line.
void check_answer(Generation& generation, std::string_view text, size_t n) {
    std::string out;
    for (size_t at = 0; at < text.size(); at += n) {
        out += generation.formatter->feed({.text = std::string(text.substr(at, n))});
    }
    out += generation.formatter->feed({.result = runtime::GenerationResult{.prompt_tokens = 1}});
    if (!generation.stream) {
        require(parse_json(out).has_value(), "not JSON", out);
        return;
    }
    std::string_view rest = out;
    while (!rest.empty()) {
        const size_t end = rest.find("\n\n");
        require(end != std::string_view::npos && rest.starts_with("data: "), "not an event", rest);
        const std::string_view data = rest.substr(6, end - 6);
        require(data == "[DONE]" || parse_json(data).has_value(), "not JSON", data);
        rest.remove_prefix(end + 2);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static FakeGenerator model({.n_ctx = 1 << 20});
    if (size == 0) return 0;
    const auto all = routes();
    const Route& route = all[data[0] % all.size()];
    Request request{.method = route.method, .path = route.path};
    request.body.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
    const Context context{.model = &model};
    Reply reply = dispatch(context, request);
    if (auto* generation = std::get_if<Generation>(&reply)) {
        require(!generation->request.prompt.empty(), "empty prompt", request.body);
        check_answer(*generation, request.body, 1 + data[0] % 7);
        return 0;
    }
    const Response& response = std::get<Response>(reply);
    require(response.status < 500, "our error", response.body);
    require(parse_json(response.body).has_value(), "not JSON", response.body);
    return 0;
}
