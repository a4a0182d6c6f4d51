// POST /v1/completions: continues a text.
#include "server/answer_json.h"
#include "server/endpoints/endpoints.h"
#include "server/ids.h"
#include "server/json_text.h"
#include "server/sse.h"

#include <boost/json.hpp>

namespace vkinfer::server {

namespace json = boost::json;

namespace {

class CompletionFormatter : public AnswerFormatter {
public:
    CompletionFormatter(const runtime::ModelInfo& model, bool stream, bool include_usage)
        : head_(answer_head(random_id("cmpl-"), "text_completion", model)), stream_(stream),
          include_usage_(include_usage) {}

    std::string feed(const runtime::GenerationEvent& event) override {
        return stream_ ? feed_stream(event) : feed_whole(event);
    }

private:
    static json::object choice(std::string_view text, json::value reason) {
        return {{"text", text}, {"index", 0}, {"logprobs", nullptr}, {"finish_reason", std::move(reason)}};
    }

    std::string feed_whole(const runtime::GenerationEvent& event) {
        text_ += event.text;
        if (!event.result) return {};
        json::object answer = head_;
        answer["choices"] = json::array{choice(text_, finish_reason(*event.result))};
        answer["usage"] = usage_json(*event.result);
        answer["timings"] = timings_json(*event.result);
        return to_text(answer);
    }

    std::string feed_stream(const runtime::GenerationEvent& event) {
        std::string out;
        if (!event.text.empty()) out += chunk(choice(event.text, nullptr), nullptr);
        if (!event.result) return out;
        out += chunk(choice("", finish_reason(*event.result)), &*event.result);
        if (include_usage_) {
            json::object last = head_;
            last["choices"] = json::array();
            last["usage"] = usage_json(*event.result);
            out += sse_event(to_text(last));
        }
        return out.append(kSseDone);
    }

    std::string chunk(json::object choice_json, const runtime::GenerationResult* result) const {
        json::object answer = head_;
        answer["choices"] = json::array{std::move(choice_json)};
        if (include_usage_) answer["usage"] = nullptr;
        if (result) answer["timings"] = timings_json(*result);
        return sse_event(to_text(answer));
    }

    json::object head_;
    bool stream_;
    bool include_usage_;
    std::string text_;
};

} // namespace

Reply completions(const Context& context, const Request& request) {
    const runtime::ModelInfo& info = context.model->info();
    auto parsed = parse_completion(request.body, info);
    if (!parsed) return error_response(parsed.error());
    std::vector<runtime::Token> prompt = parsed->prompt_text ? context.model->tokenize(*parsed->prompt_text, true, true)
                                                             : std::move(parsed->prompt_tokens);
    const bool stream = parsed->fields.stream;
    const bool include_usage = parsed->fields.include_usage;
    auto generation = make_generation(std::move(prompt), std::move(parsed->fields), info);
    if (!generation) return error_response(generation.error());
    return Generation{.request = std::move(*generation),
                      .formatter = std::make_unique<CompletionFormatter>(info, stream, include_usage),
                      .stream = stream};
}

} // namespace vkinfer::server
