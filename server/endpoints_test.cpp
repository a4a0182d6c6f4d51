// Endpoint handlers as functions: a request goes in, a response or the text of a stream comes out. No socket.
#include "server/api_error.h"
#include "server/json_text.h"
#include "server/openai_types.h"
#include "server/routes.h"
#include "server/testing/fake_generator.h"

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <format>
#include <future>
#include <limits>

using namespace vkinfer;
using namespace vkinfer::server;
namespace json = boost::json;

namespace {

/// Runs requests as connection.cpp does, but waits.
struct Bench {
    FakeGenerator model;

    Reply reply(Method method, std::string path, std::string body) {
        const Context context{.model = &model};
        return dispatch(context, Request{.method = method, .path = std::move(path), .body = std::move(body)});
    }

    Response run(Generation generation) {
        std::promise<runtime::GenerationResult> ended;
        Response response;
        const auto submitted =
            model.submit(std::move(generation.request), [&](runtime::RequestId, runtime::GenerationEvent event) {
                if (!event.result || !event.result->error) {
                    response.body += generation.formatter->feed(event);
                }
                if (event.result) ended.set_value(*event.result);
            });
        if (!submitted) return error_response(from_error(submitted.error()));
        const runtime::GenerationResult result = ended.get_future().get();
        if (result.error) return error_response(from_error(*result.error));
        return response;
    }

    Response post(std::string path, std::string body) {
        Reply answer = reply(Method::post, std::move(path), std::move(body));
        if (auto* response = std::get_if<Response>(&answer)) return *response;
        return run(std::move(std::get<Generation>(answer)));
    }

    /// A chat with one message; `fields` are further members of the body.
    json::value chat(std::string_view text, std::string_view fields = "") {
        const Response response = post("/v1/chat/completions", chat_body(text, fields));
        CHECK_MESSAGE(response.status == 200, response.body);
        return json::parse(response.body);
    }

    static std::string chat_body(std::string_view text, std::string_view fields = "") {
        return std::format(R"({{"messages":[{{"role":"user","content":{}}}]{}{}}})", quote(text),
                           fields.empty() ? "" : ",", fields);
    }
};

/// The JSON of each event; the last one is [DONE].
std::vector<json::value> events_of(std::string_view stream) {
    std::vector<json::value> events;
    bool done = false;
    while (!stream.empty()) {
        REQUIRE(stream.starts_with("data: "));
        const size_t end = stream.find("\n\n");
        REQUIRE(end != std::string_view::npos);
        const std::string_view data = stream.substr(6, end - 6);
        REQUIRE_FALSE(done);
        done = data == "[DONE]";
        if (!done) events.push_back(json::parse(data));
        stream.remove_prefix(end + 2);
    }
    CHECK(done);
    return events;
}

json::value error_of(const Response& response) {
    const json::value body = json::parse(response.body);
    const json::object& error = body.at("error").as_object();
    CHECK(error.at("message").is_string());
    CHECK(error.at("type").is_string());
    CHECK(error.contains("param"));
    CHECK(error.contains("code"));
    return error;
}

} // namespace

TEST_CASE("health and models") {
    Bench bench;
    const Context loading{};
    auto get = [&](const Context& context, const char* path) {
        return std::get<Response>(dispatch(context, Request{.method = Method::get, .path = path}));
    };
    const Context ready{.model = &bench.model};
    CHECK(get(ready, "/health").body == R"({"status":"ok"})");
    CHECK(get(ready, "/v1/health").status == 200);
    CHECK(get(loading, "/health").status == 503);
    CHECK(get(loading, "/health").body ==
          R"({"error":{"code":503,"message":"Loading model","type":"unavailable_error"}})");
    CHECK(get(loading, "/v1/models").status == 503);

    const auto models = json::parse(get(ready, "/v1/models").body);
    CHECK(models.at("object") == "list");
    CHECK(models.at("data").at(0).at("id") == "fake");
    CHECK(models.at("data").at(0).at("object") == "model");
    CHECK(models.at("data").at(0).at("meta").at("n_ctx") == 1024);
    CHECK(get(ready, "/models").status == 200);
    CHECK(json::parse(get(ready, "/v1/models/fake").body).at("id") == "fake");
    CHECK(get(ready, "/v1/models/other").status == 404);
}

TEST_CASE("a chat answer") {
    Bench bench;
    const auto answer = bench.chat("echo 1 < 2 \u20ac");
    CHECK(answer.at("object") == "chat.completion");
    CHECK(answer.at("id").as_string().starts_with("chatcmpl-"));
    CHECK(answer.at("model") == "fake");
    CHECK(answer.at("created").as_int64() > 1'700'000'000);
    const auto& choice = answer.at("choices").at(0);
    CHECK(choice.at("message").at("role") == "assistant");
    CHECK(choice.at("finish_reason") == "stop");
    CHECK(choice.at("index") == 0);
    const auto& usage = answer.at("usage");
    CHECK(usage.at("prompt_tokens").as_int64() == std::string_view("<user>echo 1 < 2 \u20ac\n").size());
    CHECK(usage.at("total_tokens").as_int64() ==
          usage.at("prompt_tokens").as_int64() + usage.at("completion_tokens").as_int64());
    CHECK(usage.at("prompt_tokens_details").at("cached_tokens") == 1);
    const auto& timings = answer.at("timings");
    CHECK(timings.at("prompt_ms").to_number<double>() == 10.0);
    CHECK(timings.at("prompt_n").as_int64() == usage.at("prompt_tokens").as_int64() - 1);
    CHECK(timings.at("predicted_per_second").to_number<double>() == doctest::Approx(200.0));
}

TEST_CASE("a streamed chat") {
    Bench bench;
    const Response response =
        bench.post("/v1/chat/completions",
                   Bench::chat_body("count 5", R"("stream":true,"stream_options":{"include_usage":true})"));
    const auto events = events_of(response.body);
    REQUIRE(events.size() == 8);
    std::string text;
    for (size_t i = 0; i < events.size(); ++i) {
        CHECK(events[i].at("object") == "chat.completion.chunk");
        CHECK(events[i].at("id") == events[0].at("id"));
        if (i + 1 == events.size()) break;
        CHECK(events[i].at("usage").is_null());
        const auto& delta = events[i].at("choices").at(0).at("delta").as_object();
        if (const auto* content = delta.if_contains("content")) text += content->as_string();
    }
    CHECK(text == "1 2 3 4 5 ");
    CHECK(events[0].at("choices").at(0).at("delta").at("role") == "assistant");
    CHECK(events[5].at("choices").at(0).at("finish_reason").is_null());
    CHECK(events[6].at("choices").at(0).at("finish_reason") == "stop");
    CHECK(events[6].at("choices").at(0).at("delta").as_object().empty());
    CHECK(events[6].at("timings").at("predicted_n") == 5);
    CHECK(events[7].at("choices").as_array().empty());
    CHECK(events[7].at("usage").at("completion_tokens") == 5);

    const auto without =
        events_of(bench.post("/v1/chat/completions", Bench::chat_body("count 1", R"("stream":true)")).body);
    CHECK(without.size() == 3);
    CHECK_FALSE(without[0].as_object().contains("usage"));
}

TEST_CASE("text completions") {
    Bench bench;
    const auto whole = json::parse(bench.post("/v1/completions", R"({"prompt":"count 3"})").body);
    CHECK(whole.at("object") == "text_completion");
    CHECK(whole.at("choices").at(0).at("text") == "1 2 3 ");
    CHECK(whole.at("choices").at(0).at("finish_reason") == "stop");
    CHECK(whole.at("usage").at("completion_tokens") == 3);

    const auto alias = json::parse(bench.post("/completions", R"({"prompt":["count 3"],"max_tokens":2})").body);
    CHECK(alias.at("choices").at(0).at("text") == "1 2 ");
    CHECK(alias.at("choices").at(0).at("finish_reason") == "length");

    // "count 2" as token ids
    const auto ids = json::parse(bench.post("/v1/completions", R"({"prompt":[99,111,117,110,116,32,50]})").body);
    CHECK(ids.at("choices").at(0).at("text") == "1 2 ");

    const auto events = events_of(
        bench.post("/v1/completions", R"({"prompt":"count 2","stream":true,"stream_options":{"include_usage":true}})")
            .body);
    REQUIRE(events.size() == 4);
    CHECK(events[0].at("choices").at(0).at("text") == "1 ");
    CHECK(events[2].at("choices").at(0).at("finish_reason") == "stop");
    CHECK(events[3].at("usage").at("completion_tokens") == 2);
}

TEST_CASE("stop texts and token limits") {
    Bench bench;
    const auto content = [](const json::value& answer) {
        return std::string(answer.at("choices").at(0).at("message").at("content").as_string());
    };
    CHECK(content(bench.chat("count 9", R"("stop":"4")")) == "1 2 3 ");
    CHECK(content(bench.chat("count 9", R"("stop":["7","3 4"])")) == "1 2 ");
    CHECK(content(bench.chat("count 9", R"("stop":null)")) == "1 2 3 4 5 6 7 8 9 ");
    CHECK(content(bench.chat("count 3", R"("stop":[""])")) == "1 2 3 ");
    const auto limited = bench.chat("count 9", R"("max_completion_tokens":4,"max_tokens":7)");
    CHECK(content(limited) == "1 2 3 4 ");
    CHECK(limited.at("choices").at(0).at("finish_reason") == "length");
    CHECK(content(bench.chat("count 9", R"("max_tokens":-1)")) == "1 2 3 4 5 6 7 8 9 ");
    CHECK(content(bench.chat("count 9", R"("max_tokens":null)")) == "1 2 3 4 5 6 7 8 9 ");
    const auto nothing = bench.chat("count 9", R"("max_tokens":0)");
    CHECK(content(nothing).empty());
    CHECK(nothing.at("usage").at("completion_tokens") == 0);
    CHECK(nothing.at("choices").at(0).at("finish_reason") == "length");
}

TEST_CASE("sampling fields reach the engine") {
    Bench bench;
    bench.chat("count 1", R"("temperature":0.25,"top_k":-1,"top_p":0.5,"min_p":0.125,"repetition_penalty":1.5,
        "repeat_last_n":-1,"presence_penalty":-1,"frequency_penalty":2,"seed":18446744073709551615,
        "logit_bias":{"7":-100,"200":1.5},"ignore_eos":true)");
    const auto request = bench.model.last_request();
    CHECK(request.sampling.temperature == 0.25f);
    CHECK(request.sampling.top_k == 0);
    CHECK(request.sampling.top_p == 0.5f);
    CHECK(request.sampling.min_p == 0.125f);
    CHECK(request.sampling.repeat_penalty == 1.5f);
    CHECK(request.sampling.repeat_last_n == -1);
    CHECK(request.sampling.presence_penalty == -1.0f);
    CHECK(request.sampling.frequency_penalty == 2.0f);
    CHECK(request.sampling.seed == 18446744073709551615u);
    CHECK(request.sampling.logit_bias == std::vector<std::pair<runtime::Token, float>>{{7, -100.0f}, {200, 1.5f}});
    CHECK(request.ignore_eos);

    bench.chat("count 1", R"("seed":-1,"logit_bias":[[3,false]])");
    CHECK_FALSE(bench.model.last_request().sampling.seed);
    CHECK(bench.model.last_request().sampling.logit_bias.at(0).second == -std::numeric_limits<float>::infinity());
    CHECK(bench.model.last_request().sampling.temperature == 0.8f);
    CHECK(bench.model.last_request().sampling.logit_bias.size() == 1);
}

TEST_CASE("every sampling field refuses what is out of its range") {
    Bench bench;
    for (const NumberField& field : sampling_fields()) {
        CAPTURE(field.name);
        for (const std::string& value : {std::format("{}", field.lowest - 1), std::format("{}", field.highest + 1),
                                         std::string("1e999"), std::string("\"1\""), std::string("[]")}) {
            CAPTURE(value);
            const Response response = bench.post(
                "/v1/chat/completions", Bench::chat_body("count 1", std::format("\"{}\":{}", field.name, value)));
            CHECK(response.status == 400);
            CHECK(error_of(response).at("param") == field.name);
        }
        for (const double value : {field.lowest, field.highest}) {
            bench.chat("count 1", std::format("\"{}\":{}", field.name, value));
        }
    }
}

TEST_CASE("wrong fields are named") {
    Bench bench;
    const std::pair<const char*, const char*> cases[] = {
        {"max_tokens", R"("max_tokens":-5)"},
        {"max_tokens", R"("max_tokens":1.5)"},
        {"max_tokens", R"("max_tokens":"many")"},
        {"max_tokens", R"("max_tokens":99999999999)"},
        {"max_completion_tokens", R"("max_completion_tokens":-2)"},
        {"temperature", R"("temperature":-0.1)"},
        {"top_k", R"("top_k":1.5)"},
        {"seed", R"("seed":-7)"},
        {"seed", R"("seed":1.5)"},
        {"stop", R"("stop":5)"},
        {"stop", R"("stop":["a",5])"},
        {"stream", R"("stream":"yes")"},
        {"stream_options", R"("stream_options":1)"},
        {"include_usage", R"("stream_options":{"include_usage":1})"},
        {"logit_bias", R"("logit_bias":{"x":1})"},
        {"logit_bias", R"("logit_bias":{"256":1})"},
        {"logit_bias", R"("logit_bias":{"-1":1})"},
        {"logit_bias", R"("logit_bias":{"1":101})"},
        {"logit_bias", R"("logit_bias":[[1]])"},
        {"logit_bias", R"("logit_bias":7)"},
        {"n", R"("n":2)"},
        {"logprobs", R"("logprobs":true)"},
        {"top_logprobs", R"("top_logprobs":3)"},
        {"response_format", R"("response_format":{"type":"json_object"})"},
        {"response_format", R"("response_format":7)"},
        {"grammar", R"("grammar":"root ::= x")"},
        {"mirostat", R"("mirostat":2)"},
        {"tools", R"("tools":{})"},
        {"tools", R"("tools":[1])"},
        {"tool_choice", R"("tool_choice":"required")"},
        {"chat_template_kwargs", R"("chat_template_kwargs":[])"},
        {"model", R"("model":7)"},
    };
    for (const auto& [param, fields] : cases) {
        CAPTURE(fields);
        const Response response = bench.post("/v1/chat/completions", Bench::chat_body("count 1", fields));
        CHECK(response.status == 400);
        const auto error = error_of(response);
        CHECK(error.at("param") == param);
        CHECK(error.at("type") == "invalid_request_error");
        CHECK(error.at("message").as_string().find(param) != std::string::npos);
    }
    // Values that say "off" pass.
    bench.chat("count 1", R"("n":1,"logprobs":false,"top_logprobs":null,"grammar":"","mirostat":0,"typical_p":1.0,
        "response_format":{"type":"text"},"tool_choice":"auto","functions":null,"user":"x","unknown":{"a":[]})");
}

TEST_CASE("messages") {
    Bench bench;
    const auto status = [&](std::string_view body) {
        const Response response = bench.post("/v1/chat/completions", std::string(body));
        if (response.status == 400) CHECK(error_of(response).at("type") == "invalid_request_error");
        return response.status;
    };
    CHECK(status("") == 400);
    CHECK(status("hello") == 400);
    CHECK(status("[]") == 400);
    CHECK(status("{}") == 400);
    CHECK(status(std::string(100'000, '[')) == 400);
    CHECK(status(R"({"messages":[]})") == 400);
    CHECK(status(R"({"messages":"hi"})") == 400);
    CHECK(status(R"({"messages":[1]})") == 400);
    CHECK(status(R"({"messages":[{"content":"hi"}]})") == 400);
    CHECK(status(R"({"messages":[{"role":5,"content":"hi"}]})") == 400);
    CHECK(status(R"({"messages":[{"role":"user"}]})") == 400);
    CHECK(status(R"({"messages":[{"role":"user","content":5}]})") == 400);
    CHECK(status(R"({"messages":[{"role":"user","content":[{"type":"image_url"}]}]})") == 400);
    CHECK(status(R"({"messages":[{"role":"user","content":[{"type":"text"}]}]})") == 400);
    CHECK(status(R"({"messages":[{"role":"alien","content":"hi"}]})") == 400);
    CHECK(
        status(
            R"({"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"count 2"}]}]})") ==
        200);
    CHECK(json::parse(bench.model.last_chat().messages_json).at(0).at("content") == "a\ncount 2");
    CHECK(bench.model.last_chat().add_generation_prompt);
}

TEST_CASE("templates see tools and numbers as the client spelled them") {
    Bench bench;
    const std::string tools =
        R"([{"type":"function", "function":{"name":"f","big":123456789012345678901234,"x":1.50}}])";
    const std::string body = std::format(
        R"({{"messages":[{{"role":"assistant","content":null,"tool_calls":[{{"type":"function","function":{{"name":"f","arguments":"{{\"a\": 1.50}}"}}}}]}},)"
        R"({{"role":"tool","content":"7"}},{{"role":"user","content":"count 1"}}],"tools":{},"chat_template_kwargs":{{"enable_thinking":false}}}})",
        tools);
    CHECK(bench.post("/v1/chat/completions", body).status == 200);
    const auto chat = bench.model.last_chat();
    CHECK(chat.tools_json == tools);
    CHECK(chat.template_kwargs_json == R"({"enable_thinking":false})");
    CHECK(chat.messages_json.find(R"("arguments":{"a": 1.50})") != std::string::npos);
    CHECK(parse_json(chat.messages_json));

    const std::string none = Bench::chat_body("count 1", R"("tool_choice":"none","tools":)" + tools);
    CHECK(bench.post("/v1/chat/completions", none).status == 200);
    CHECK(bench.model.last_chat().tools_json.empty());
}

TEST_CASE("tool calls in answers") {
    Bench bench;
    const std::string call = "echo sure <tool_call>{\"name\":\"add\",\"arguments\":{\"a\":1}}</tool_call>";
    const std::string tools = R"("tools":[{"type":"function","function":{"name":"add"}}])";
    const auto answer = bench.chat(call, tools);
    const auto& choice = answer.at("choices").at(0);
    CHECK(choice.at("finish_reason") == "tool_calls");
    CHECK(choice.at("message").at("content") == "sure");
    const auto& made = choice.at("message").at("tool_calls").at(0);
    CHECK(made.at("type") == "function");
    CHECK(made.at("function").at("name") == "add");
    CHECK(made.at("function").at("arguments") == R"({"a":1})");

    const auto events =
        events_of(bench.post("/v1/chat/completions", Bench::chat_body(call, "\"stream\":true," + tools)).body);
    std::string content;
    int n_calls = 0;
    for (const auto& event : events) {
        const auto& delta = event.at("choices").at(0).at("delta").as_object();
        if (const auto* text = delta.if_contains("content")) content += text->as_string();
        if (const auto* calls = delta.if_contains("tool_calls")) {
            ++n_calls;
            CHECK(calls->at(0).at("index") == 0);
            CHECK(calls->at(0).at("function").at("arguments") == R"({"a":1})");
        }
    }
    CHECK(content == "sure");
    CHECK(n_calls == 1);
    CHECK(events.back().at("choices").at(0).at("finish_reason") == "tool_calls");

    // Without tools in the request the text stays as it is.
    CHECK(bench.chat(call).at("choices").at(0).at("finish_reason") == "stop");
}

TEST_CASE("thoughts come apart from the answer, whole and streamed") {
    for (const bool stream : {false, true}) {
        Bench bench;
        Reply reply =
            bench.reply(Method::post, "/v1/chat/completions", Bench::chat_body("hi", stream ? R"("stream":true)" : ""));
        AnswerFormatter& formatter = *std::get<Generation>(reply).formatter;
        std::string body = formatter.feed({.text = "", .reasoning = "Let me ", .tokens = {1}, .result = {}});
        body += formatter.feed({.text = "", .reasoning = "think.", .tokens = {2}, .result = {}});
        body += formatter.feed({.text = "Two.", .reasoning = "", .tokens = {3}, .result = runtime::GenerationResult{}});
        if (!stream) {
            const json::value message = json::parse(body).at("choices").at(0).at("message");
            CHECK(message.at("reasoning_content") == "Let me think.");
            CHECK(message.at("content") == "Two.");
            continue;
        }
        std::string reasoning, content;
        for (const json::value& event : events_of(body)) {
            const json::object& delta = event.at("choices").at(0).at("delta").as_object();
            if (const auto* part = delta.if_contains("reasoning_content")) reasoning += part->as_string();
            if (const auto* part = delta.if_contains("content")) content += part->as_string();
        }
        CHECK(reasoning == "Let me think.");
        CHECK(content == "Two.");
    }
}

TEST_CASE("a prompt beyond the context") {
    Bench bench;
    for (const char* path : {"/v1/chat/completions", "/v1/completions"}) {
        const std::string text(2000, 'x');
        const std::string body = std::string_view(path).contains("chat") ? Bench::chat_body(text)
                                                                         : std::format(R"({{"prompt":"{}"}})", text);
        const Response response = bench.post(path, body);
        CHECK(response.status == 400);
        const auto error = error_of(response);
        CHECK(error.at("type") == "invalid_request_error");
        CHECK(error.at("code") == "context_length_exceeded");
        CHECK(error.at("n_ctx") == 1024);
        CHECK(error.at("n_prompt_tokens").as_int64() >= 2000);
        CHECK(error.at("message").as_string().find("n_ctx") != std::string::npos);
        CHECK(error.at("message").as_string().find("1024") != std::string::npos);
    }
}

TEST_CASE("prompts of text completions") {
    Bench bench;
    for (const char* body :
         {R"({})", R"({"prompt":""})", R"({"prompt":[]})", R"({"prompt":[256]})", R"({"prompt":[-1]})",
          R"({"prompt":[1.5]})", R"({"prompt":5})", R"({"prompt":["a","b"]})", R"({"prompt":[[]]})",
          R"({"prompt":"a","echo":true})", R"({"prompt":"a","logprobs":3})", R"({"prompt":"a","suffix":"b"})"}) {
        CAPTURE(body);
        const Response response = bench.post("/v1/completions", body);
        CHECK(response.status == 400);
        error_of(response);
    }
}

TEST_CASE("errors of the engine") {
    Bench bench;
    const Response response = bench.post("/v1/completions", R"({"prompt":"fail now"})");
    CHECK(response.status == 500);
    CHECK(error_of(response).at("code") == "device_lost");
    CHECK(error_response(from_error(Error(ErrorKind::unavailable, "full"))).status == 503);
    CHECK(error_response(from_error(Error(ErrorKind::unavailable, "full"))).headers.at(0).first == "Retry-After");
    CHECK(error_response(from_error(Error(ErrorKind::context_overflow, "long"))).status == 400);
}

TEST_CASE("tokenize, detokenize and apply-template") {
    Bench bench;
    CHECK(bench.post("/tokenize", R"({"content":"ab"})").body == R"({"tokens":[97,98]})");
    CHECK(bench.post("/tokenize", R"({"content":"a","with_pieces":true})").body ==
          R"({"tokens":[{"id":97,"piece":"a"}]})");
    CHECK(bench.post("/detokenize", R"({"tokens":[97,98]})").body == R"({"content":"ab"})");
    CHECK(bench.post("/detokenize", R"({"tokens":[255]})").body == "{\"content\":\"\xEF\xBF\xBD\"}");
    CHECK(bench.post("/apply-template", R"({"messages":[{"role":"user","content":"hi"}]})").body ==
          R"({"prompt":"<user>hi\n"})");
    CHECK(bench.post("/tokenize", "{}").status == 400);
    CHECK(bench.post("/tokenize", R"({"content":"a","add_special":1})").status == 400);
    CHECK(bench.post("/detokenize", R"({"tokens":[999]})").status == 400);
    CHECK(bench.post("/detokenize", "{}").status == 400);
    CHECK(bench.post("/apply-template", "{}").status == 400);
}

TEST_CASE("paths, methods and keys are checked before any body is read") {
    const std::vector<std::string> keys = {"secret", "other"};
    const auto early = [&](Method method, const char* path, std::string authorization, std::string key = "") {
        const Request head{
            .method = method, .path = path, .authorization = std::move(authorization), .api_key = std::move(key)};
        return answer_early(head, keys);
    };
    CHECK_FALSE(early(Method::post, "/v1/completions", "Bearer secret"));
    CHECK_FALSE(early(Method::post, "/v1/completions", "Bearer other"));
    CHECK_FALSE(early(Method::post, "/v1/completions", "", "other"));
    CHECK_FALSE(early(Method::get, "/health", ""));
    CHECK_FALSE(early(Method::head, "/v1/health", ""));
    for (const char* wrong : {"", "Bearer", "Bearer ", "Bearer secre", "Bearer secret ", "Basic secret", "secret"}) {
        CAPTURE(wrong);
        const auto answer = early(Method::post, "/v1/completions", wrong);
        REQUIRE(answer);
        CHECK(answer->status == 401);
        CHECK(error_of(*answer).at("code") == "invalid_api_key");
    }
    CHECK(early(Method::get, "/secret-path", "")->status == 401);
    CHECK(early(Method::get, "/nowhere", "Bearer secret")->status == 404);
    const auto wrong_method = early(Method::get, "/v1/completions", "Bearer secret");
    CHECK(wrong_method->status == 405);
    CHECK(wrong_method->headers.at(0) == std::pair<std::string, std::string>{"Allow", "POST"});
    CHECK(early(Method::other, "/health", "Bearer secret")->status == 405);
    CHECK(early(Method::options, "/v1/completions", "")->status == 204);
}

TEST_CASE("heads and chunks") {
    const std::string head = format_head(Response{.body = "abc", .headers = {{"X", "y"}}}, BodyFraming::length, true);
    CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(head.ends_with("X: y\r\n\r\n"));
    CHECK(head.contains("Content-Length: 3\r\n"));
    CHECK(head.contains("Connection: keep-alive\r\n"));
    CHECK(format_head(Response{}, BodyFraming::close, true).contains("Connection: close\r\n"));
    CHECK_FALSE(format_head(Response{.status = 204}, BodyFraming::length, true).contains("Content-"));
    CHECK(format_chunk("0123456789abcdef") == "10\r\n0123456789abcdef\r\n");
    CHECK(format_chunk("").empty());
}
