#include "format/types/iq_tables.h"

#include "format/types/iq_grids.h"

#include <vector>

namespace vkinfer::format::types {

namespace {

/// Element in byte b of word w.
constexpr int kOrder[2][4] = {{0, 4, 1, 5}, {2, 6, 3, 7}};

std::vector<uint32_t> make_iq2(std::span<const uint16_t> words) {
    std::vector<uint32_t> table;
    for (const uint16_t word : words) {
        for (const auto& elements : kOrder) {
            uint32_t packed = 0;
            for (int b = 0; b < 4; ++b) packed |= static_cast<uint32_t>(iq2_value(word, elements[b])) << (8 * b);
            table.push_back(packed);
        }
    }
    return table;
}

std::vector<uint32_t> make_iq3(std::span<const uint16_t> words, float (*value)(uint16_t word, int j)) {
    std::vector<uint32_t> table;
    for (const uint16_t word : words) {
        for (const int first : {0, 2}) {
            table.push_back(static_cast<uint32_t>(value(word, first)) | static_cast<uint32_t>(value(word, first + 1))
                                                                            << 16);
        }
    }
    return table;
}

std::vector<uint32_t> make_iq1(std::span<const uint16_t> words) {
    std::vector<uint32_t> table;
    for (const uint16_t word : words) {
        uint32_t packed = 0;
        for (int w = 0; w < 2; ++w) {
            for (int b = 0; b < 4; ++b) packed |= ((word >> (2 * kOrder[w][b])) & 3u) << (8 * b + 4 * w);
        }
        table.push_back(packed);
    }
    return table;
}

} // namespace

std::span<const uint32_t> iq2_xxs_table() {
    static const std::vector<uint32_t> table = make_iq2(kIq2xxsWords);
    return table;
}
std::span<const uint32_t> iq2_xs_table() {
    static const std::vector<uint32_t> table = make_iq2(kIq2xsWords);
    return table;
}
std::span<const uint32_t> iq2_s_table() {
    static const std::vector<uint32_t> table = make_iq2(kIq2sWords);
    return table;
}
std::span<const uint32_t> iq3_xxs_table() {
    static const std::vector<uint32_t> table = make_iq3(kIq3xxsWords, iq3_xxs_value);
    return table;
}
std::span<const uint32_t> iq3_s_table() {
    static const std::vector<uint32_t> table = make_iq3(kIq3sWords, iq3_s_value);
    return table;
}
std::span<const uint32_t> iq1_table() {
    static const std::vector<uint32_t> table = make_iq1(kIq1sWords);
    return table;
}

} // namespace vkinfer::format::types
