#include "models/tensor_needs.h"

#include "format/gguf_file.h"

#include <format>

namespace vkinfer::models {

std::string blk(uint32_t layer, std::string_view name) {
    return std::format("blk.{}.{}", layer, name);
}

bool can_stack(const format::GgufFile& file, const std::vector<TensorNeed::Source>& sources) {
    const format::TensorInfo* first = file.find_tensor(sources[0].name);
    for (const auto& source : sources) {
        const format::TensorInfo* tensor = file.find_tensor(source.name);
        if (first == nullptr || tensor == nullptr || tensor->type != first->type) return false;
        if (source.n_rows % kernels::kStripRows != 0) return false;
    }
    return true;
}

void need_matrices(std::vector<TensorNeed>& needs, const format::GgufFile& file, const std::string& key,
                   std::vector<TensorNeed::Source> sources, uint32_t n_cols) {
    const bool is_one = can_stack(file, sources);
    for (size_t first = 0; first < sources.size();) {
        std::vector stack{sources[first]};
        while (first + stack.size() < sources.size()) {
            stack.push_back(sources[first + stack.size()]);
            if (can_stack(file, stack)) continue;
            stack.pop_back();
            break;
        }
        first += stack.size();
        needs.push_back({is_one ? key : stack[0].name, TensorNeed::Kind::matrix, std::move(stack), n_cols});
    }
}

void need_optional_vector(std::vector<TensorNeed>& needs, const format::GgufFile& file, const std::string& name,
                          uint32_t n) {
    if (file.find_tensor(name) != nullptr) needs.push_back({name, TensorNeed::Kind::vector, {{name, n}}, 0});
}

} // namespace vkinfer::models
