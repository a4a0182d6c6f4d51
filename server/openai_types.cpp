#include "server/openai_types.h"

#include "server/chat_messages.h"
#include "server/json_text.h"

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <format>
#include <limits>

namespace vkinfer::server {

namespace json = boost::json;
using runtime::ModelInfo;
using runtime::SamplingParams;
using runtime::Token;

namespace {

constexpr double kInt32Max = std::numeric_limits<int32_t>::max();
/// OpenAI allows 4; llama.cpp's clients send more. Each is searched for at every token.
constexpr size_t kMaxStopStrings = 64;
constexpr size_t kMaxStopBytes = 4096;
constexpr size_t kMaxLogitBiases = 65536;
constexpr double kMaxLogitBias = 100;

// Ranges are those in which the number means something; OpenAI's limit of 2 for the temperature is kept for penalties
// only, because users of min-p go higher.
constexpr std::array kSamplingFields = {
    NumberField{"temperature", nullptr, 0, 100, false, "0: always the most probable token",
                [](SamplingParams& s, double v) { s.temperature = static_cast<float>(v); }},
    NumberField{"top_k", nullptr, -1, kInt32Max, true, "keep the k most probable tokens; 0 or -1: all",
                [](SamplingParams& s, double v) { s.top_k = v < 0 ? 0 : static_cast<int32_t>(v); }},
    NumberField{"top_p", nullptr, 0, 1, false, "keep the most probable tokens up to this total; 1: all",
                [](SamplingParams& s, double v) { s.top_p = static_cast<float>(v); }},
    NumberField{"min_p", nullptr, 0, 1, false, "keep tokens with at least this share of the best one's probability",
                [](SamplingParams& s, double v) { s.min_p = static_cast<float>(v); }},
    NumberField{"repeat_penalty", "repetition_penalty", 0.01, 100, false, "1: off",
                [](SamplingParams& s, double v) { s.repeat_penalty = static_cast<float>(v); }},
    NumberField{"repeat_last_n", nullptr, -1, kInt32Max, true, "tokens that penalties look back; -1: all, 0: off",
                [](SamplingParams& s, double v) { s.repeat_last_n = static_cast<int32_t>(v); }},
    NumberField{"presence_penalty", nullptr, -2, 2, false, "0: off",
                [](SamplingParams& s, double v) { s.presence_penalty = static_cast<float>(v); }},
    NumberField{"frequency_penalty", nullptr, -2, 2, false, "0: off",
                [](SamplingParams& s, double v) { s.frequency_penalty = static_cast<float>(v); }},
};

/// Fields that change the answer and that nothing here can honour yet. Clients send them with values that switch them
/// off; those pass, others are refused, because an answer that ignores them would be wrong without a sign.
struct UnsupportedField {
    const char* name;
    const char* off; ///< JSON texts that switch it off, with | between them
    const char* message;
};

constexpr UnsupportedField kUnsupported[] = {
    {"n", "1", "only one answer per request is supported; send the request several times"},
    {"best_of", "1|0", "only one answer per request is supported"},
    {"logprobs", "false", "token probabilities are not supported yet"},
    {"top_logprobs", "0", "token probabilities are not supported yet"},
    {"n_probs", "0", "token probabilities are not supported yet"},
    {"echo", "false", "the prompt cannot be echoed; put it before the answer yourself"},
    {"suffix", "\"\"", "filling in between a prompt and a suffix is not supported"},
    {"grammar", "\"\"", "constrained output is not supported yet"},
    {"json_schema", "{}", "constrained output is not supported yet"},
    {"functions", "[]", "use tools"},
    {"typical_p", "1|1.0", "this sampler is not supported"},
    {"top_n_sigma", "-1|-1.0|0|0.0", "this sampler is not supported"},
    {"xtc_probability", "0|0.0", "this sampler is not supported"},
    {"dry_multiplier", "0|0.0", "this sampler is not supported"},
    {"dynatemp_range", "0|0.0", "this sampler is not supported"},
    {"mirostat", "0", "this sampler is not supported"},
};

/// The member, or null where it is absent or JSON's null, which clients send for "not set".
const json::value* find(const json::object& object, const char* name) {
    const json::value* value = object.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

std::string shown(const json::value& value) {
    constexpr size_t kMaxShown = 80;
    std::string text = to_text(value);
    if (text.size() <= kMaxShown) return text;
    return text.substr(0, kMaxShown) + "...";
}

bool is_listed(std::string_view list, std::string_view text) {
    while (true) {
        const size_t bar = list.find('|');
        if (list.substr(0, bar) == text) return true;
        if (bar == std::string_view::npos) return false;
        list.remove_prefix(bar + 1);
    }
}

/// A finite number in a closed range.
ApiResult<double> read_number(const json::value& value, const char* name, double lowest, double highest,
                              bool is_integer) {
    if (!value.is_number()) return bad_field(name, std::format("expected a number, got {}", shown(value)));
    const double number = value.to_number<double>();
    // Written so that NaN fails as well.
    const bool in_range = number >= lowest && number <= highest;
    if (!in_range) {
        return bad_field(name, std::format("{} is out of range, {} to {} are allowed", shown(value), lowest, highest));
    }
    if (is_integer && number != std::floor(number)) {
        return bad_field(name, std::format("expected a whole number, got {}", shown(value)));
    }
    return number;
}

ApiResult<void> read_sampling(const json::object& body, SamplingParams& sampling) {
    for (const NumberField& field : kSamplingFields) {
        const char* name = field.name;
        const json::value* value = find(body, name);
        if (!value && field.alias) value = find(body, name = field.alias);
        if (!value) continue;
        const auto number = read_number(*value, name, field.lowest, field.highest, field.is_integer);
        if (!number) return std::unexpected(number.error());
        field.set(sampling, *number);
    }
    if (const json::value* seed = find(body, "seed")) {
        if (seed->is_uint64()) {
            sampling.seed = seed->get_uint64();
        } else if (seed->is_int64() && seed->get_int64() >= 0) {
            sampling.seed = static_cast<uint64_t>(seed->get_int64());
        } else if (seed->is_int64() && seed->get_int64() == -1) {
            sampling.seed.reset(); // llama.cpp: a random one
        } else {
            return bad_field("seed", std::format("{} is not a whole number of 0 to 2^64 - 1, or -1", shown(*seed)));
        }
    }
    return {};
}

ApiResult<int32_t> read_max_tokens(const json::object& body) {
    for (const char* name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
        const json::value* value = find(body, name);
        if (!value) continue;
        const auto number = read_number(*value, name, -1, kInt32Max, true);
        if (!number) {
            ApiError error = number.error();
            if (value->is_number()) error.message += "; -1: no limit, 0: only evaluate the prompt";
            return std::unexpected(std::move(error));
        }
        return static_cast<int32_t>(*number);
    }
    return -1;
}

ApiResult<std::vector<std::string>> read_stop(const json::object& body) {
    std::vector<std::string> stop;
    const json::value* value = find(body, "stop");
    if (!value) return stop;
    if (value->is_string()) {
        stop.emplace_back(value->get_string());
    } else if (value->is_array()) {
        for (const json::value& element : value->get_array()) {
            if (!element.is_string()) return bad_field("stop", std::format("expected texts, got {}", shown(element)));
            stop.emplace_back(element.get_string());
        }
    } else {
        return bad_field("stop", std::format("expected a text or a list of texts, got {}", shown(*value)));
    }
    std::erase(stop, std::string()); // an empty text would end every answer at once
    if (stop.size() > kMaxStopStrings) {
        return bad_field("stop", std::format("{} texts, at most {} are allowed", stop.size(), kMaxStopStrings));
    }
    for (const std::string& text : stop) {
        if (text.size() > kMaxStopBytes) {
            return bad_field("stop",
                             std::format("a text of {} bytes, at most {} are allowed", text.size(), kMaxStopBytes));
        }
    }
    return stop;
}

ApiResult<void> add_logit_bias(std::string_view token_text, const json::value& bias, const ModelInfo& model,
                               SamplingParams& sampling) {
    Token token = 0;
    const auto [end, failure] = std::from_chars(token_text.data(), token_text.data() + token_text.size(), token);
    if (failure != std::errc() || end != token_text.data() + token_text.size() || token < 0 || token >= model.n_vocab) {
        return bad_field("logit_bias",
                         std::format("{} is not a token id of 0 to {}", quote(token_text), model.n_vocab - 1));
    }
    if (bias.is_bool() && !bias.get_bool()) { // llama.cpp: never choose this token
        sampling.logit_bias.emplace_back(token, -std::numeric_limits<float>::infinity());
        return {};
    }
    const auto number = read_number(bias, "logit_bias", -kMaxLogitBias, kMaxLogitBias, false);
    if (!number) return std::unexpected(number.error());
    sampling.logit_bias.emplace_back(token, static_cast<float>(*number));
    return {};
}

/// OpenAI's form {"id": bias} and llama.cpp's form [[id, bias]].
ApiResult<void> read_logit_bias(const json::object& body, const ModelInfo& model, SamplingParams& sampling) {
    const json::value* value = find(body, "logit_bias");
    if (!value) return {};
    if (value->is_object()) {
        if (value->get_object().size() > kMaxLogitBiases) {
            return bad_field("logit_bias", std::format("more than {} entries", kMaxLogitBiases));
        }
        for (const auto& [token, bias] : value->get_object()) {
            if (auto added = add_logit_bias(token, bias, model, sampling); !added) return added;
        }
        return {};
    }
    if (value->is_array()) {
        if (value->get_array().size() > kMaxLogitBiases) {
            return bad_field("logit_bias", std::format("more than {} entries", kMaxLogitBiases));
        }
        for (const json::value& pair : value->get_array()) {
            const json::array* both = pair.if_array();
            if (!both || both->size() != 2) {
                return bad_field("logit_bias", std::format("expected [token, bias], got {}", shown(pair)));
            }
            if (auto added = add_logit_bias(to_text((*both)[0]), (*both)[1], model, sampling); !added) return added;
        }
        return {};
    }
    return bad_field("logit_bias", std::format("expected an object or a list, got {}", shown(*value)));
}

ApiResult<void> refuse_unsupported(const json::object& body) {
    for (const UnsupportedField& field : kUnsupported) {
        const json::value* value = find(body, field.name);
        if (value && !is_listed(field.off, to_text(*value))) return unsupported_field(field.name, field.message);
    }
    if (const json::value* format = find(body, "response_format")) {
        const json::object* object = format->if_object();
        const json::value* type = object ? find(*object, "type") : nullptr;
        if (!type || !type->is_string()) return bad_field("response_format", "expected an object with a type");
        if (type->get_string() != "text") {
            return unsupported_field("response_format", "constrained output is not supported yet, only type text is");
        }
    }
    return {};
}

/// Where tools may be used: the template sees them unless tool_choice is none.
ApiResult<bool> read_tool_choice(const json::object& body) {
    const json::value* choice = find(body, "tool_choice");
    if (!choice) return true;
    if (choice->is_string() && choice->get_string() == "auto") return true;
    if (choice->is_string() && choice->get_string() == "none") return false;
    return unsupported_field("tool_choice", std::format("{} is not supported yet, only \"auto\" and \"none\" are: the "
                                                        "model cannot be forced to call a tool",
                                                        shown(*choice)));
}

} // namespace

std::span<const NumberField> sampling_fields() {
    return kSamplingFields;
}

ApiResult<json::object> parse_body(std::string_view body) {
    std::string problem;
    auto value = parse_json(body, &problem);
    if (!value) {
        ApiError error;
        error.message = std::format("The body is not JSON: {}", problem);
        error.code = "invalid_json";
        return std::unexpected(std::move(error));
    }
    if (!value->is_object()) {
        ApiError error;
        error.message = std::format("The body must be a JSON object, it is {}", shown(*value));
        error.code = "invalid_json";
        return std::unexpected(std::move(error));
    }
    return std::move(value->get_object());
}

ApiResult<bool> read_bool(const json::object& object, const char* name, bool fallback) {
    const json::value* value = find(object, name);
    if (!value) return fallback;
    if (!value->is_bool()) return bad_field(name, std::format("expected true or false, got {}", shown(*value)));
    return value->get_bool();
}

ApiResult<GenerationFields> parse_generation_fields(const json::object& body, const ModelInfo& model) {
    GenerationFields fields;
    fields.sampling = model.default_sampling;
    if (auto checked = refuse_unsupported(body); !checked) return std::unexpected(checked.error());
    if (auto read = read_sampling(body, fields.sampling); !read) return std::unexpected(read.error());
    if (auto read = read_logit_bias(body, model, fields.sampling); !read) return std::unexpected(read.error());

    const auto max_tokens = read_max_tokens(body);
    if (!max_tokens) return std::unexpected(max_tokens.error());
    fields.max_tokens = *max_tokens;

    auto stop = read_stop(body);
    if (!stop) return std::unexpected(stop.error());
    fields.stop = std::move(*stop);

    const auto stream = read_bool(body, "stream", false);
    if (!stream) return std::unexpected(stream.error());
    fields.stream = *stream;
    const auto ignore_eos = read_bool(body, "ignore_eos", false);
    if (!ignore_eos) return std::unexpected(ignore_eos.error());
    fields.ignore_eos = *ignore_eos;

    if (const json::value* options = find(body, "stream_options")) {
        if (!options->is_object()) return bad_field("stream_options", "expected an object");
        const auto include_usage = read_bool(options->get_object(), "include_usage", false);
        if (!include_usage) return std::unexpected(include_usage.error());
        fields.include_usage = *include_usage;
    }
    if (const json::value* name = find(body, "model"); name && !name->is_string()) {
        return bad_field("model", std::format("expected a text, got {}", shown(*name)));
    }
    return fields;
}

ApiResult<runtime::ChatRequest> parse_chat(const json::object& body, std::string_view body_text) {
    runtime::ChatRequest chat;
    const json::value* messages = find(body, "messages");
    if (!messages) return bad_field("messages", "is missing");
    auto normalised = normalise_messages(*messages, member_text(body_text, "messages"));
    if (!normalised) return std::unexpected(normalised.error());
    chat.messages_json = std::move(*normalised);

    const auto use_tools = read_tool_choice(body);
    if (!use_tools) return std::unexpected(use_tools.error());
    if (const json::value* tools = find(body, "tools")) {
        if (!tools->is_array()) return bad_field("tools", std::format("expected a list, got {}", shown(*tools)));
        for (const json::value& tool : tools->get_array()) {
            if (!tool.is_object()) return bad_field("tools", std::format("expected objects, got {}", shown(tool)));
        }
        if (*use_tools && !tools->get_array().empty()) chat.tools_json = member_text(body_text, "tools");
    }
    if (const json::value* arguments = find(body, "chat_template_kwargs")) {
        if (!arguments->is_object()) return bad_field("chat_template_kwargs", "expected an object");
        chat.template_kwargs_json = member_text(body_text, "chat_template_kwargs");
    }
    const auto generation_prompt = read_bool(body, "add_generation_prompt", true);
    if (!generation_prompt) return std::unexpected(generation_prompt.error());
    chat.add_generation_prompt = *generation_prompt;
    return chat;
}

ApiResult<ChatCompletionRequest> parse_chat_completion(std::string_view body_text, const ModelInfo& model) {
    const auto body = parse_body(body_text);
    if (!body) return std::unexpected(body.error());
    auto fields = parse_generation_fields(*body, model);
    if (!fields) return std::unexpected(fields.error());
    auto chat = parse_chat(*body, body_text);
    if (!chat) return std::unexpected(chat.error());
    const bool parse_tool_calls = !chat->tools_json.empty();
    return ChatCompletionRequest{std::move(*fields), std::move(*chat), parse_tool_calls};
}

ApiResult<std::vector<Token>> parse_tokens(const json::array& array, const char* field, const ModelInfo& model) {
    std::vector<Token> tokens;
    tokens.reserve(array.size());
    for (const json::value& element : array) {
        if (!element.is_int64() || element.get_int64() < 0 || element.get_int64() >= model.n_vocab) {
            return bad_field(field, std::format("{} is not a token id of 0 to {}", shown(element), model.n_vocab - 1));
        }
        tokens.push_back(static_cast<Token>(element.get_int64()));
    }
    return tokens;
}

ApiResult<CompletionRequest> parse_completion(std::string_view body_text, const ModelInfo& model) {
    const auto body = parse_body(body_text);
    if (!body) return std::unexpected(body.error());
    auto fields = parse_generation_fields(*body, model);
    if (!fields) return std::unexpected(fields.error());
    CompletionRequest request{.fields = std::move(*fields)};

    const json::value* prompt = find(*body, "prompt");
    if (!prompt) return bad_field("prompt", "is missing");
    const bool is_list_of_prompts = prompt->is_array() && !prompt->get_array().empty() &&
                                    (prompt->get_array()[0].is_string() || prompt->get_array()[0].is_array());
    if (is_list_of_prompts) {
        if (prompt->get_array().size() != 1) {
            return unsupported_field(
                "prompt", std::format("{} prompts in one request, only one is supported", prompt->get_array().size()));
        }
        prompt = &prompt->get_array()[0];
    }
    if (prompt->is_string()) {
        request.prompt_text = std::string(prompt->get_string());
        return request;
    }
    if (!prompt->is_array()) {
        return bad_field("prompt", std::format("expected a text or a list of token ids, got {}", shown(*prompt)));
    }
    auto tokens = parse_tokens(prompt->get_array(), "prompt", model);
    if (!tokens) return std::unexpected(tokens.error());
    if (tokens->empty()) return bad_field("prompt", "is empty");
    request.prompt_tokens = std::move(*tokens);
    return request;
}

} // namespace vkinfer::server
