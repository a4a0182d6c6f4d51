#include "rdna/report.h"

#include <algorithm>
#include <format>
#include <iterator>
#include <vector>

namespace vkinfer::rdna {

namespace {

double ratio(uint64_t a, uint64_t b) {
    return b == 0 ? 1.0 : static_cast<double>(a) / static_cast<double>(b);
}

} // namespace

void Report::add(const Dispatch& dispatch, uint64_t code, const Counters& counters, const Chip* chip) {
    Kernel& kernel = kernels_[code];
    kernel.last = dispatch;
    ++kernel.n_dispatches;
    kernel.counters += counters;
    if (chip == nullptr) return;
    kernel.occupancy = occupancy(dispatch, *chip);
    const Estimate made = estimate(counters, dispatch, *chip);
    kernel.estimate += made;
    kernel.clocks += made.clocks();
}

std::string Report::text() const {
    std::vector<std::pair<uint64_t, const Kernel*>> order;
    for (const auto& [code, kernel] : kernels_) order.emplace_back(code, &kernel);
    std::ranges::sort(order, std::greater<>(), [](const auto& entry) { return entry.second->counters.total(); });
    std::string out;
    for (const auto& [code, kernel] : order) {
        const Counters& c = kernel->counters;
        std::format_to(std::back_inserter(out), "rdna: {:016x} wave{} {} dispatches {} waves {} instructions:", code,
                       kernel->last.lanes, kernel->n_dispatches, c.waves, c.total());
        for (size_t i = 0; i < kClasses; ++i)
            if (c.instructions[i] > 0)
                std::format_to(std::back_inserter(out), " {} {}", to_string(static_cast<Class>(i)), c.instructions[i]);
        std::format_to(std::back_inserter(out),
                       "; loaded {} bytes, lines {:.0f} % used; LDS conflicts x{:.2f}; {} VGPRs, occupancy {}",
                       c.loads.requested_bytes, 100 * c.loads.line_utilisation(),
                       ratio(c.lds_cycles, c.lds_ideal_cycles), kernel->last.vgprs, kernel->occupancy);
        const Estimate& e = kernel->estimate;
        std::format_to(std::back_inserter(out),
                       "; model clocks {:.0f} ({}): vector {:.0f} (matrix {:.0f}) scalar {:.0f} memory {:.0f} "
                       "LDS {:.0f} DRAM {:.0f} latency {:.0f} together {:.0f}\n",
                       kernel->clocks, e.bound(), e.vector, e.matrix, e.scalar, e.memory, e.lds, e.dram, e.latency,
                       e.together);
    }
    return out;
}

std::string Report::json(const Chip* chip) const {
    std::string out = "{";
    const auto add = [&]<class... Args>(std::format_string<Args...> text, Args&&... args) {
        std::format_to(std::back_inserter(out), text, std::forward<Args>(args)...);
    };
    if (chip != nullptr) {
        add("\"chip\": {{\"id\": \"{}\", \"product\": \"{}\", \"compute_units\": {}, \"vgprs\": {}, \"vgpr_granule\": "
            "{}, "
            "\"clock_ghz\": {}, \"memory_gb_per_s\": {}}},\n \"constants\": [",
            chip->id, chip->product, chip->compute_units, chip->vgprs, chip->vgpr_granule, chip->clock_ghz,
            chip->memory_gb_per_s);
        for (const ModelConstant& c : model_constants())
            add("{}\n  {{\"name\": \"{}\", \"value\": {}, \"unit\": \"{}\", \"source\": \"{}\"}}",
                c.cost == Cost::instruction ? "" : ",", c.name, c.value, c.unit, c.source);
        add("],\n ");
    }
    add("\"kernels\": [");
    bool is_first = true;
    for (const auto& [code, kernel] : kernels_) {
        const Counters& c = kernel.counters;
        add("{}\n  {{\"code\": \"{:016x}\", \"lanes\": {}, \"vgprs\": {}, \"lds_bytes\": {}, \"scratch_bytes\": {}, "
            "\"occupancy\": {}, \"dispatches\": {}, \"groups\": {}, \"waves\": {}, \"instructions\": {{",
            is_first ? "" : ",", code, kernel.last.lanes, kernel.last.vgprs, kernel.last.lds_bytes,
            kernel.last.scratch_bytes, kernel.occupancy, kernel.n_dispatches, c.groups, c.waves);
        is_first = false;
        for (size_t i = 0; i < kClasses; ++i)
            add("{}\"{}\": {}", i == 0 ? "" : ", ", to_string(static_cast<Class>(i)), c.instructions[i]);
        add("}}");
        for (const auto& [name, t] : {std::pair{"loads", &c.loads}, {"stores", &c.stores}})
            add(", \"{}\": {{\"instructions\": {}, \"requested_bytes\": {}, \"unique_bytes\": {}, \"lines\": {}, "
                "\"line_use\": {:.4f}}}",
                name, t->instructions, t->requested_bytes, t->unique_bytes, t->lines, t->line_utilisation());
        add(", \"scalar_bytes\": {}, \"touched_lines\": {}, \"lds_clocks\": {}, \"lds_ideal_clocks\": {}",
            c.scalar_load_bytes, c.n_touched_lines(), c.lds_cycles, c.lds_ideal_cycles);
        const Estimate& e = kernel.estimate;
        add(", \"model\": {{\"clocks\": {:.0f}, \"bound\": \"{}\", \"vector\": {:.0f}, \"matrix\": {:.0f}, \"scalar\": "
            "{:.0f}, \"memory\": {:.0f}, \"lds\": {:.0f}, \"dram\": {:.0f}, \"latency\": {:.0f}, \"together\": {:.0f}, "
            "\"wave\": {:.0f}, "
            "\"issue\": {:.0f}}}, \"wave_clocks\": {}}}",
            kernel.clocks, e.bound(), e.vector, e.matrix, e.scalar, e.memory, e.lds, e.dram, e.latency, e.together,
            e.wave / static_cast<double>(kernel.n_dispatches), e.issue, c.wave_clocks);
    }
    out += "]}\n";
    return out;
}

} // namespace vkinfer::rdna
