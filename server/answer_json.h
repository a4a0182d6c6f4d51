// Parts that chat and text answers share.
#pragma once

#include "runtime/types.h"
#include "server/openai_types.h"
#include "server/reply.h"

#include <boost/json/object.hpp>

namespace vkinfer::server {

boost::json::object usage_json(const runtime::GenerationResult& result);

/// Speeds under llama.cpp's names; rates without a time are 0.
boost::json::object timings_json(const runtime::GenerationResult& result);

/// "stop" or "length".
const char* finish_reason(const runtime::GenerationResult& result);

/// id, object, created, model and system_fingerprint, with which every answer and every chunk begins.
boost::json::object answer_head(const std::string& id, const char* object, const runtime::ModelInfo& model);

/// The request for the engine; refuses prompts that cannot fit.
ApiResult<runtime::GenerationRequest> make_generation(std::vector<runtime::Token> prompt, GenerationFields fields,
                                                      const runtime::ModelInfo& model);

} // namespace vkinfer::server
