// The codebooks of the IQ types as kernels read them: codes in the order of the packed dot product, so that eight
// elements take a load or two and no shuffling. TypeTraits::kernel_table of a type points here.
#pragma once

#include <cstdint>
#include <span>

namespace vkinfer::format::types {

/// IQ2: an entry is two words of value bytes, elements (0, 4, 1, 5) and (2, 6, 3, 7).
std::span<const uint32_t> iq2_xxs_table();
std::span<const uint32_t> iq2_xs_table();
std::span<const uint32_t> iq2_s_table();
/// IQ3: an entry is two words of value bytes with gaps, elements (0, -, 1, -) and (2, -, 3, -): the second entry of
/// eight elements goes into the gaps of the first.
std::span<const uint32_t> iq3_xxs_table();
std::span<const uint32_t> iq3_s_table();
/// IQ1: an entry is a word; low nibbles hold the codes of elements (0, 4, 1, 5), high nibbles those of (2, 6, 3, 7).
std::span<const uint32_t> iq1_table();

} // namespace vkinfer::format::types
