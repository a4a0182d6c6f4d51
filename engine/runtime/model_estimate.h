// The memory of a model that this version cannot run, from names and sizes in its header: enough to choose a machine.
#pragma once

#include "runtime/model_memory.h"

namespace vkinfer::runtime {

/// Weights as in the file; K and V of the layers that the usual keys describe (grouped heads, latent attention, layers
/// without attention); recurrent state by the ssm keys; activations by the widths.
ModelMemory estimate_memory(const format::GgufFile& file, const MemoryWish& wish);

} // namespace vkinfer::runtime
