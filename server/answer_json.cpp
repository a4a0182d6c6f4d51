#include "server/answer_json.h"

#include <boost/json.hpp>
#include <ctime>

namespace vkinfer::server {

boost::json::object usage_json(const runtime::GenerationResult& result) {
    return {{"prompt_tokens", result.prompt_tokens},
            {"completion_tokens", result.completion_tokens},
            {"total_tokens", result.prompt_tokens + result.completion_tokens},
            {"prompt_tokens_details", {{"cached_tokens", result.cached_tokens}}}};
}

boost::json::object timings_json(const runtime::GenerationResult& result) {
    const auto per = [](double numerator, double denominator) {
        return denominator > 0 ? numerator / denominator : 0.0;
    };
    const int32_t prompt_n = result.prompt_tokens - result.cached_tokens;
    const int32_t predicted_n = result.completion_tokens;
    return {{"cache_n", result.cached_tokens},
            {"prompt_n", prompt_n},
            {"prompt_ms", result.prompt_ms},
            {"prompt_per_token_ms", per(result.prompt_ms, prompt_n)},
            {"prompt_per_second", per(1e3 * prompt_n, result.prompt_ms)},
            {"predicted_n", predicted_n},
            {"predicted_ms", result.completion_ms},
            {"predicted_per_token_ms", per(result.completion_ms, predicted_n)},
            {"predicted_per_second", per(1e3 * predicted_n, result.completion_ms)}};
}

const char* finish_reason(const runtime::GenerationResult& result) {
    return result.reason == runtime::FinishReason::length ? "length" : "stop";
}

boost::json::object answer_head(const std::string& id, const char* object, const runtime::ModelInfo& model) {
    return {{"id", id},
            {"object", object},
            {"created", static_cast<int64_t>(std::time(nullptr))},
            {"model", model.name},
            {"system_fingerprint", "vkinfer-" VKINFER_VERSION}};
}

ApiResult<runtime::GenerationRequest> make_generation(std::vector<runtime::Token> prompt, GenerationFields fields,
                                                      const runtime::ModelInfo& model) {
    if (prompt.empty()) return bad_field("prompt", "has no tokens");
    if (prompt.size() > static_cast<size_t>(model.n_ctx)) {
        return std::unexpected(context_overflow(static_cast<int64_t>(prompt.size()), model.n_ctx));
    }
    return runtime::GenerationRequest{.prompt = std::move(prompt),
                                      .sampling = std::move(fields.sampling),
                                      .max_tokens = fields.max_tokens,
                                      .stop = std::move(fields.stop),
                                      .ignore_eos = fields.ignore_eos};
}

} // namespace vkinfer::server
