// Runs one dispatch: sets up waves as the hardware does from the compute registers, and steps them.
#pragma once

#include "rdna/counters.h"
#include "rdna/decoder.h"
#include "rdna/wave.h"

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace vkinfer::rdna {

struct Chip; // model.h

enum class WaveOrder : uint8_t { forward, reverse, random };

struct Options {
    bool check = true;          ///< the checks that hardware does not make
    bool strict_reads = false;  ///< a load beyond the end of a buffer is a fault; else it gives 0, as on the hardware
    const Chip* chip = nullptr; ///< gives counted waves clocks
    bool count = false;
    bool trace = false;                   ///< prints every instruction of wave 0 of the first group to stderr
    WaveOrder order = WaveOrder::forward; ///< of waves in a group, and of groups
    uint32_t seed = 1;
    std::string skip; ///< an opcode that does nothing: a fault planted by a test
    /// Groups that are run of a dispatch; of more, one out of each of as many stretches is, and the counts are scaled.
    /// Results are then wrong: for counts of kernels whose work does not depend on data. 0: all.
    uint32_t sampled_groups = 0;
    uint64_t max_instructions = uint64_t{1} << 32; ///< per dispatch; beyond it the kernel is taken for endless
};

/// What the command processor hands to the shader engines.
struct Dispatch {
    uint64_t code = 0; ///< address
    std::array<uint32_t, 3> groups{1, 1, 1};
    std::array<uint32_t, 3> threads{1, 1, 1};      ///< of a group
    std::array<uint32_t, 3> last_threads{0, 0, 0}; ///< of the last group of a dimension; 0: full
    uint32_t lanes = 64;
    std::array<uint32_t, 16> user_data{};
    uint32_t n_user_data = 0;
    bool group_id_x = false, group_id_y = false, group_id_z = false, group_size = false; ///< further SGPRs
    uint32_t lds_bytes = 0;
    bool flush_f32_denormals = true;
    uint32_t scratch_bytes = 0; ///< of a lane
    uint32_t vgprs = 0;         ///< allocated to a wave
    bool is_wgp = false;        ///< a group may spread over both CUs of a pair

    uint32_t threads_per_group() const { return threads[0] * threads[1] * threads[2]; }
    uint32_t waves_per_group() const { return (threads_per_group() + lanes - 1) / lanes; }
};

/// One instruction: its checks, its effect, its count. The caller has set next_pc.
void execute(Wave& w, const Instruction& in);

class Machine {
public:
    Machine(Arch arch, AddressSpace& memory) : arch_(arch), memory_(memory) {}

    /// Throws Fault with the place in the kernel.
    void run(const Dispatch& dispatch);
    Options& options() { return options_; }
    Counters& counters() { return counters_; }
    uint64_t n_instructions() const { return n_instructions_; }
    uint64_t reads_beyond() const { return group_.reads_beyond; }
    /// Rows of the opcode table that have run.
    const std::set<const Opcode*>& executed() const { return executed_; }
    /// Hash of the code at that address, as Program::fingerprint().
    uint64_t fingerprint(uint64_t address) { return program(address).fingerprint(); }

private:
    Program& program(uint64_t address);
    void run_group(const Dispatch& dispatch, Program& program, uint64_t index, GroupTrace* trace);
    void run_sample(const Dispatch& dispatch, Program& program, uint64_t n_groups, GroupTrace* trace);
    void start_wave(Wave& w, const Dispatch& dispatch, std::array<uint32_t, 3> id, std::array<uint32_t, 3> threads,
                    uint32_t index, uint32_t n_waves);
    void run_wave(Wave& w, Program& program);

    Arch arch_;
    AddressSpace& memory_;
    Options options_;
    Counters counters_;
    Workgroup group_;
    std::vector<Wave> waves_;
    std::map<uint64_t, std::unique_ptr<Program>> programs_;
    uint64_t n_instructions_ = 0, limit_ = 0;
    uint32_t random_ = 1;
    std::set<const Opcode*> executed_;
};

} // namespace vkinfer::rdna
