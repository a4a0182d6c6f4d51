#include "tools/dequant_command.h"

#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <format>
#include <vector>

namespace vkinfer::tools {

uint64_t dequantise_stream(const format::TypeTraits& type, std::FILE* in, std::FILE* out, const Decoder& decode) {
    if (type.dequantise == nullptr) {
        throw Error(ErrorKind::unsupported, std::format("type {} has no float values.", type.name),
                    "Give a type of weights, like Q4_K.");
    }
    // 4 MiB of values: enough that a GPU's work outweighs the way there and back.
    constexpr size_t kChunkElements = size_t{1} << 20;
    const size_t chunk_blocks = kChunkElements / type.block_elements;
    std::vector<std::byte> blocks(chunk_blocks * type.block_bytes);
    std::vector<float> values(chunk_blocks * type.block_elements);
    uint64_t n_blocks = 0;
    for (;;) {
        // fread fills the buffer unless the input ends, so a short count is the end.
        const size_t n_read = std::fread(blocks.data(), 1, blocks.size(), in);
        if (std::ferror(in) != 0) throw Error(ErrorKind::io, std::format("read failed: {}.", std::strerror(errno)));
        if (n_read % type.block_bytes != 0) {
            throw Error(ErrorKind::invalid_input,
                        std::format("the input ends {} bytes into block {}; a block of {} has {} bytes.",
                                    n_read % type.block_bytes, n_blocks + n_read / type.block_bytes, type.name,
                                    type.block_bytes),
                        "Is it data of this type?");
        }
        const size_t n = n_read / type.block_bytes;
        const std::span decoded = std::span(values).first(n * type.block_elements);
        if (decode) {
            decode(std::span(blocks).first(n_read), decoded);
        } else {
            type.dequantise(blocks.data(), decoded.data(), decoded.size());
        }
        if (std::fwrite(decoded.data(), sizeof(float), decoded.size(), out) != decoded.size()) {
            throw Error(ErrorKind::io, std::format("write failed: {}.", std::strerror(errno)));
        }
        n_blocks += n;
        if (n_read < blocks.size()) break;
    }
    if (std::fflush(out) != 0) throw Error(ErrorKind::io, std::format("write failed: {}.", std::strerror(errno)));
    return n_blocks;
}

} // namespace vkinfer::tools
