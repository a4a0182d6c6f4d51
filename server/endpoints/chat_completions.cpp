// POST /v1/chat/completions: answers a conversation.
#include "server/answer_json.h"
#include "server/endpoints/endpoints.h"
#include "server/ids.h"
#include "server/json_text.h"
#include "server/sse.h"
#include "server/tool_calls.h"

#include <boost/json.hpp>
#include <optional>

namespace vkinfer::server {

namespace json = boost::json;

namespace {

json::object call_json(const ToolCall& call) {
    return {{"id", call.id}, {"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
}

/// Splits generated text into content and tool calls, and knows how the answer ended.
class ChatText {
public:
    explicit ChatText(bool parse_tool_calls) {
        if (parse_tool_calls) parser_.emplace();
    }

    ToolCallParser::Piece feed(const runtime::GenerationEvent& event) {
        if (!parser_) return {.content = event.text};
        ToolCallParser::Piece piece = parser_->feed(event.text);
        if (event.result) {
            ToolCallParser::Piece rest = parser_->finish();
            piece.content += rest.content;
            for (ToolCall& call : rest.calls) piece.calls.push_back(std::move(call));
        }
        return piece;
    }

    const char* reason(const runtime::GenerationResult& result) const {
        const bool ended = result.reason == runtime::FinishReason::stop;
        return ended && parser_ && parser_->found_calls() ? "tool_calls" : finish_reason(result);
    }

private:
    std::optional<ToolCallParser> parser_;
};

class WholeChatFormatter : public AnswerFormatter {
public:
    WholeChatFormatter(const runtime::ModelInfo& model, bool parse_tool_calls)
        : head_(answer_head(random_id("chatcmpl-"), "chat.completion", model)), text_(parse_tool_calls) {}

    std::string feed(const runtime::GenerationEvent& event) override {
        const ToolCallParser::Piece piece = text_.feed(event);
        content_ += piece.content;
        reasoning_ += event.reasoning;
        for (const ToolCall& call : piece.calls) calls_.push_back(call_json(call));
        if (!event.result) return {};

        json::object message{{"role", "assistant"}, {"content", content_}};
        if (!reasoning_.empty()) message["reasoning_content"] = reasoning_;
        if (!calls_.empty()) {
            if (content_.empty()) message["content"] = nullptr;
            message["tool_calls"] = std::move(calls_);
        }
        json::object answer = std::move(head_);
        answer["choices"] = json::array{json::object{{"index", 0},
                                                     {"message", std::move(message)},
                                                     {"logprobs", nullptr},
                                                     {"finish_reason", text_.reason(*event.result)}}};
        answer["usage"] = usage_json(*event.result);
        answer["timings"] = timings_json(*event.result);
        return to_text(answer);
    }

private:
    json::object head_;
    ChatText text_;
    std::string content_, reasoning_;
    json::array calls_;
};

class StreamedChatFormatter : public AnswerFormatter {
public:
    StreamedChatFormatter(const runtime::ModelInfo& model, bool parse_tool_calls, bool include_usage)
        : head_(answer_head(random_id("chatcmpl-"), "chat.completion.chunk", model)), text_(parse_tool_calls),
          include_usage_(include_usage) {}

    std::string feed(const runtime::GenerationEvent& event) override {
        std::string out;
        if (!started_) out += chunk({{"role", "assistant"}, {"content", ""}}, nullptr, nullptr);
        started_ = true;

        if (!event.reasoning.empty()) out += chunk({{"reasoning_content", event.reasoning}}, nullptr, nullptr);
        const ToolCallParser::Piece piece = text_.feed(event);
        if (!piece.content.empty()) out += chunk({{"content", piece.content}}, nullptr, nullptr);
        for (const ToolCall& call : piece.calls) {
            json::object delta = call_json(call);
            delta["index"] = n_calls_++;
            out += chunk({{"tool_calls", json::array{std::move(delta)}}}, nullptr, nullptr);
        }
        if (!event.result) return out;

        out += chunk({}, text_.reason(*event.result), &*event.result);
        if (include_usage_) {
            json::object last = head_;
            last["choices"] = json::array();
            last["usage"] = usage_json(*event.result);
            out += sse_event(to_text(last));
        }
        return out.append(kSseDone);
    }

private:
    std::string chunk(json::object delta, json::value reason, const runtime::GenerationResult* result) const {
        json::object answer = head_;
        answer["choices"] = json::array{json::object{
            {"index", 0}, {"delta", std::move(delta)}, {"logprobs", nullptr}, {"finish_reason", std::move(reason)}}};
        if (include_usage_) answer["usage"] = nullptr;
        if (result) answer["timings"] = timings_json(*result);
        return sse_event(to_text(answer));
    }

    json::object head_;
    ChatText text_;
    bool include_usage_;
    bool started_ = false;
    int n_calls_ = 0;
};

} // namespace

Reply chat_completions(const Context& context, const Request& request) {
    const runtime::ModelInfo& info = context.model->info();
    auto parsed = parse_chat_completion(request.body, info);
    if (!parsed) return error_response(parsed.error());
    const auto prompt = context.model->apply_template(parsed->chat);
    if (!prompt) return error_response(from_error(prompt.error()));

    const bool stream = parsed->fields.stream;
    const bool include_usage = parsed->fields.include_usage;
    // The template writes BOS itself where the model wants one.
    auto generation = make_generation(context.model->tokenize(*prompt, false, true), std::move(parsed->fields), info);
    if (!generation) return error_response(generation.error());

    std::unique_ptr<AnswerFormatter> formatter;
    if (stream) {
        formatter = std::make_unique<StreamedChatFormatter>(info, parsed->parse_tool_calls, include_usage);
    } else {
        formatter = std::make_unique<WholeChatFormatter>(info, parsed->parse_tool_calls);
    }
    return Generation{.request = std::move(*generation), .formatter = std::move(formatter), .stream = stream};
}

} // namespace vkinfer::server
