#include "rdna/tables.h"

#include "rdna/wave.h"

#include <vector>

namespace vkinfer::rdna {

namespace {

struct Table {
    std::vector<const Opcode*> by_number[2][kFormats];
    std::vector<const Opcode*> all;

    void add(std::vector<const Opcode*>& list, const Opcode& row, int number) {
        if (number < 0) return;
        if (list.size() <= static_cast<size_t>(number)) list.resize(static_cast<size_t>(number) + 1);
        const Opcode*& slot = list[static_cast<size_t>(number)];
        if (slot != nullptr) fault("opcodes {} and {} have one number, {}", slot->name, row.name, number);
        slot = &row;
    }
    Table() {
        for (const auto rows : {scalar_rows(), vector_rows(), compare_rows(), lane_rows(), packed_rows(), float8_rows(),
                                matrix_rows(), memory_rows(), lds_rows()}) {
            for (const Opcode& row : rows) {
                all.push_back(&row);
                add(by_number[0][static_cast<size_t>(row.format)], row, row.op11);
                add(by_number[1][static_cast<size_t>(row.format)], row, row.op12);
            }
        }
    }
};

const Table& table() {
    static const Table* const instance = new Table; // never destroyed: it is asked after main and its destructors
    return *instance;
}

} // namespace

const Opcode* find_opcode(Arch arch, Format format, uint32_t number) {
    const auto& list = table().by_number[arch == Arch::gfx12][static_cast<size_t>(format)];
    return number < list.size() ? list[number] : nullptr;
}

std::span<const Opcode* const> all_opcodes() {
    return table().all;
}

std::string_view to_string(Format format) {
    constexpr std::string_view kNames[] = {"SOP2",   "SOPK", "SOP1", "SOPC",    "SOPP",   "SMEM",
                                           "VOP1",   "VOP2", "VOPC", "VOP3",    "VOP3P",  "VOPD X",
                                           "VOPD Y", "DS",   "FLAT", "SCRATCH", "GLOBAL", "BUFFER"};
    return kNames[static_cast<size_t>(format)];
}

std::string_view to_string(Class cls) {
    constexpr std::string_view kNames[] = {"scalar", "scalar memory", "vector", "transcendental", "dual",
                                           "dot",    "matrix",        "lds",    "load",           "store",
                                           "atomic", "branch",        "wait",   "barrier",        "other"};
    return kNames[static_cast<size_t>(cls)];
}

} // namespace vkinfer::rdna
