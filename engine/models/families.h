// The architecture rows, each defined in the file of its family.
#pragma once

#include "models/architecture.h"
#include "models/decoder.h"

namespace vkinfer::models {

// llama.cpp
ModelConfig read_llama(const format::GgufFile& file);
// qwen2.cpp
ModelConfig read_qwen2(const format::GgufFile& file);
// qwen3.cpp
ModelConfig read_qwen3(const format::GgufFile& file);
// qwen_moe.cpp
ModelConfig read_qwen2moe(const format::GgufFile& file);
ModelConfig read_qwen3moe(const format::GgufFile& file);
// glm4moe.cpp
ModelConfig read_glm4moe(const format::GgufFile& file);
// gpt_oss.cpp
ModelConfig read_gpt_oss(const format::GgufFile& file);

inline constexpr Architecture kLlama{"llama", read_llama, decoder_tensors, build_decoder};
inline constexpr Architecture kQwen2{"qwen2", read_qwen2, decoder_tensors, build_decoder};
inline constexpr Architecture kQwen3{"qwen3", read_qwen3, decoder_tensors, build_decoder};
inline constexpr Architecture kQwen2Moe{"qwen2moe", read_qwen2moe, decoder_tensors, build_decoder};
inline constexpr Architecture kQwen3Moe{"qwen3moe", read_qwen3moe, decoder_tensors, build_decoder};
inline constexpr Architecture kGlm4Moe{"glm4moe", read_glm4moe, decoder_tensors, build_decoder};
inline constexpr Architecture kGptOss{"gpt-oss", read_gpt_oss, decoder_tensors, build_decoder};

} // namespace vkinfer::models
