#include "rdna/coverage.h"

#include <cstdio>
#include <format>
#include <iterator>

namespace vkinfer::rdna {

namespace {

std::string_view name_of(Arch arch) {
    return arch == Arch::gfx12 ? "gfx12" : "gfx11";
}
bool has_row(const Opcode& row, Arch arch) {
    return (arch == Arch::gfx12 ? row.op12 : row.op11) >= 0;
}

} // namespace

void print_coverage(Arch arch, const std::set<const Opcode*>& executed) {
    size_t n_rows = 0, n_run = 0;
    for (const Opcode* row : all_opcodes()) {
        if (!has_row(*row, arch)) continue;
        ++n_rows;
        n_run += executed.contains(row);
    }
    std::fputs(std::format("rdna: opcode table of {}: {} of {} rows ran ({:.0f} %)\n", name_of(arch), n_run, n_rows,
                           100.0 * static_cast<double>(n_run) / static_cast<double>(n_rows))
                   .c_str(),
               stderr);
}

void append_coverage(const std::string& path, Arch arch, const std::set<const Opcode*>& executed,
                     std::string_view who) {
    std::string text;
    for (const Opcode* row : all_opcodes()) {
        if (!has_row(*row, arch)) continue;
        std::format_to(std::back_inserter(text), "{} {} {} known\n", name_of(arch), to_string(row->format), row->name);
        if (executed.contains(row))
            std::format_to(std::back_inserter(text), "{} {} {} {}\n", name_of(arch), to_string(row->format), row->name,
                           who);
    }
    std::FILE* file = std::fopen(path.c_str(), "a");
    if (file == nullptr) return;
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
}

} // namespace vkinfer::rdna
