// A GPU for programs that know nothing of it: preloaded before Mesa's no-op DRM shim, this library sees the buffers
// that RADV maps and the command buffers that it submits, and executes them on the interpreter before the submission
// returns.
//
//   LD_PRELOAD="libvkinfer_rdna.so libamdgpu_noop_drm_shim.so" AMDGPU_GPU_ID=gfx1201 program
//
// VKINFER_RDNA holds options separated by commas: nocheck, strict (no load beyond a buffer), reverse, random=SEED,
// report, count, product=NAME (that the chip is taken for in the model), opcodes or opcodes=FILE, trace, sample=N
// (groups that are run of a dispatch), max=N (instructions a dispatch). A fault is printed and counted; the dispatch is
// left where it is, and the program's exit status becomes 1.
#include "rdna/drm_device.h"
#include "rdna/command_processor.h"
#include "rdna/coverage.h"
#include "rdna/report.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <drm/amdgpu_drm.h>
#include <mutex>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace vkinfer::rdna {

namespace {

using Ioctl = int (*)(int, unsigned long, ...);

Ioctl next_ioctl() {
    static const auto next = reinterpret_cast<Ioctl>(dlsym(RTLD_NEXT, "ioctl"));
    return next;
}

class Gpu {
public:
    static Gpu& get() {
        // Never destroyed: threads of the driver may still be running at exit.
        static Gpu* const instance = new Gpu;
        return *instance;
    }

    void map(int fd, const drm_amdgpu_gem_va& va) {
        const std::lock_guard lock(mutex_);
        if (va.operation == AMDGPU_VA_OP_UNMAP || va.operation == AMDGPU_VA_OP_CLEAR) {
            unmap(va.va_address);
        } else if (va.operation == AMDGPU_VA_OP_MAP || va.operation == AMDGPU_VA_OP_REPLACE) {
            unmap(va.va_address);
            drm_amdgpu_gem_mmap request{};
            request.in.handle = va.handle;
            if (next_ioctl()(fd, DRM_IOCTL_AMDGPU_GEM_MMAP, &request) != 0) return;
            // The shim maps no more than was asked for at creation; addresses are in whole pages.
            const auto size = sizes_.find(va.handle);
            const uint64_t bytes = size == sizes_.end() ? va.map_size : std::min<uint64_t>(va.map_size, size->second);
            void* host = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                              static_cast<off_t>(request.out.addr_ptr + va.offset_in_bo));
            if (host == MAP_FAILED) {
                std::fprintf(stderr, "rdna: buffer %u of %llu bytes cannot be mapped: %s\n", va.handle,
                             static_cast<unsigned long long>(va.map_size), std::strerror(errno));
                return;
            }
            memory_.map(va.va_address, bytes, static_cast<std::byte*>(host));
            hosts_[va.va_address] = {host, bytes};
        }
    }

    void created(uint32_t handle, uint64_t bytes) {
        const std::lock_guard lock(mutex_);
        sizes_[handle] = bytes;
    }

    void submit(const drm_amdgpu_cs& cs) {
        const std::lock_guard lock(mutex_);
        const auto* chunks = reinterpret_cast<const uint64_t*>(cs.in.chunks);
        for (uint32_t i = 0; i < cs.in.num_chunks; ++i) {
            const auto& chunk = *reinterpret_cast<const drm_amdgpu_cs_chunk*>(chunks[i]);
            if (chunk.chunk_id != AMDGPU_CHUNK_ID_IB) continue;
            const auto& ib = *reinterpret_cast<const drm_amdgpu_cs_chunk_ib*>(chunk.chunk_data);
            if (ib.ip_type == AMDGPU_HW_IP_COMPUTE || ib.ip_type == AMDGPU_HW_IP_GFX) {
                try {
                    processor().run(ib.va_start, ib.ib_bytes);
                } catch (const Fault& f) {
                    ++n_faults_;
                    last_fault_ = f.what();
                    std::fprintf(stderr, "rdna: %s\n", f.what());
                }
            } else {
                ++n_faults_;
                std::fprintf(stderr, "rdna: a command buffer for engine %u was not executed\n", ib.ip_type);
            }
        }
    }

    CommandProcessor& processor() {
        if (!processor_) {
            const char* chip = std::getenv("AMDGPU_GPU_ID");
            const std::string_view name = chip ? chip : "";
            const bool is_gfx12 = name.starts_with("gfx12");
            const bool is_gfx11 = name.starts_with("strix") || name.starts_with("navi3") || name.starts_with("phoenix");
            if (!is_gfx11 && !is_gfx12) {
                std::fprintf(stderr, "rdna: chip \"%s\" is not one that the interpreter knows\n", chip ? chip : "");
                _exit(1);
            }
            chip_ = name;
            arch_ = is_gfx12 ? Arch::gfx12 : Arch::gfx11;
            processor_ = std::make_unique<CommandProcessor>(arch_, memory_);
            apply_options();
        }
        return *processor_;
    }

    uint64_t n_faults() const { return n_faults_; }
    const std::string& last_fault() const { return last_fault_; }
    void forget_faults() { n_faults_ = 0; }
    bool report() const { return report_; }
    uint64_t n_dispatches() const { return n_dispatches_; }
    double seconds() const { return seconds_; }
    bool is_started() const { return processor_ != nullptr; }
    std::vector<DispatchRecord>& records() { return records_; }

    void print_counts() const {
        if (prints_counts_) std::fputs(report_by_kernel_.text().c_str(), stderr);
    }
    /// The counts since the last call as JSON; with the first call counting begins.
    const char* take_counts() {
        counts_by_kernel_ = processor().machine().options().count = true;
        json_ = report_by_kernel_.json(processor_->machine().options().chip);
        report_by_kernel_.clear();
        return json_.c_str();
    }
    /// Which rows of the opcode table ran, and where to add their names.
    void report_opcodes() {
        if (!reports_opcodes_) return;
        const auto& executed = processor().machine().executed();
        print_coverage(arch_, executed);
        if (!opcode_file_.empty()) append_coverage(opcode_file_, arch_, executed);
    }

private:
    void unmap(uint64_t address) {
        memory_.unmap(address);
        const auto it = hosts_.find(address);
        if (it == hosts_.end()) return;
        munmap(it->second.first, it->second.second);
        hosts_.erase(it);
    }

    void apply_options() {
        Options& options = processor_->machine().options();
        options.chip = find_chip(chip_);
        const char* text = std::getenv("VKINFER_RDNA");
        std::string_view rest = text ? text : "";
        while (!rest.empty()) {
            const size_t comma = rest.find(',');
            const std::string_view word = rest.substr(0, comma);
            rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
            const auto number = [&](std::string_view name) {
                return std::strtoull(word.data() + name.size(), nullptr, 10);
            };
            if (word == "nocheck")
                options.check = false;
            else if (word == "trace")
                options.trace = true;
            else if (word == "count")
                options.count = prints_counts_ = counts_by_kernel_ = true;
            else if (word == "opcodes")
                reports_opcodes_ = true;
            else if (word.starts_with("opcodes=")) {
                reports_opcodes_ = true;
                opcode_file_ = word.substr(word.find('=') + 1);
            } else if (word == "strict")
                options.strict_reads = true;
            else if (word == "reverse")
                options.order = WaveOrder::reverse;
            else if (word.starts_with("random=")) {
                options.order = WaveOrder::random;
                options.seed = static_cast<uint32_t>(number("random="));
            } else if (word == "report")
                report_ = true;
            else if (word.starts_with("product=")) {
                options.chip = find_chip(chip_, word.substr(word.find('=') + 1));
                if (options.chip == nullptr) {
                    std::fprintf(stderr, "rdna: no %s is a \"%.*s\"\n", chip_.c_str(), static_cast<int>(word.size()),
                                 word.data());
                    _exit(1);
                }
            } else if (word.starts_with("sample="))
                options.sampled_groups = static_cast<uint32_t>(number("sample="));
            else if (word.starts_with("max="))
                options.max_instructions = number("max=");
            else {
                std::fprintf(stderr, "rdna: unknown option \"%.*s\"\n", static_cast<int>(word.size()), word.data());
                _exit(1);
            }
        }
        processor_->before_dispatch = [this](const Dispatch&) { start_ = std::chrono::steady_clock::now(); };
        processor_->after_dispatch = [this](const Dispatch& dispatch) {
            ++n_dispatches_;
            const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
            seconds_ += seconds;
            Machine& machine = processor_->machine();
            if (!machine.options().count) return;
            if (counts_by_kernel_)
                report_by_kernel_.add(dispatch, machine.fingerprint(dispatch.code), machine.counters(),
                                      processor_->machine().options().chip);
            else
                records_.push_back({dispatch, machine.counters(), seconds});
            machine.counters() = {};
        };
    }

    std::mutex mutex_;
    AddressSpace memory_;
    std::map<uint64_t, std::pair<void*, size_t>> hosts_;
    std::map<uint32_t, uint64_t> sizes_; ///< of buffer objects, by handle
    std::unique_ptr<CommandProcessor> processor_;
    std::string last_fault_;
    uint64_t n_faults_ = 0, n_dispatches_ = 0;
    bool report_ = false;
    std::chrono::steady_clock::time_point start_;
    double seconds_ = 0;
    std::vector<DispatchRecord> records_;

    Report report_by_kernel_;
    bool counts_by_kernel_ = false, prints_counts_ = false, reports_opcodes_ = false;
    std::string json_, opcode_file_, chip_;
    Arch arch_ = Arch::gfx12;
};

/// After everything else: a program that met faults does not end well, whatever it returns.
[[gnu::destructor]] void finish() {
    Gpu& gpu = Gpu::get();
    if (!gpu.is_started()) return;
    const uint64_t n = gpu.processor().machine().n_instructions();
    gpu.print_counts();
    gpu.report_opcodes();
    if (gpu.report())
        std::fprintf(
            stderr,
            "rdna: %llu dispatches, %llu instructions in %.2f s (%.1f M/s), %llu faults, %llu loads beyond a buffer\n",
            static_cast<unsigned long long>(gpu.n_dispatches()), static_cast<unsigned long long>(n), gpu.seconds(),
            static_cast<double>(n) / gpu.seconds() / 1e6, static_cast<unsigned long long>(gpu.n_faults()),
            static_cast<unsigned long long>(gpu.processor().machine().reads_beyond()));
    if (gpu.n_faults() > 0) {
        std::fprintf(stderr, "rdna: %llu faults\n", static_cast<unsigned long long>(gpu.n_faults()));
        std::fflush(nullptr);
        _exit(1);
    }
}

} // namespace

} // namespace vkinfer::rdna

using vkinfer::rdna::Gpu;

extern "C" {

[[gnu::visibility("default")]] int ioctl(int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    // The kernel goes by type and number alone; libdrm asks for other directions than the header says.
    const bool is_drm = (request >> 8 & 0xff) == DRM_IOCTL_BASE;
    const unsigned long number = (request & 0xff) - DRM_COMMAND_BASE;
    uint64_t bytes = 0; // the answer takes the place of the question
    if (is_drm && number == DRM_AMDGPU_GEM_CREATE)
        bytes = static_cast<const drm_amdgpu_gem_create*>(argument)->in.bo_size;
    const int result = vkinfer::rdna::next_ioctl()(fd, request, argument);
    if (result != 0 || !is_drm) return result;
    if (number == DRM_AMDGPU_GEM_CREATE)
        Gpu::get().created(static_cast<const drm_amdgpu_gem_create*>(argument)->out.handle, bytes);
    else if (number == DRM_AMDGPU_GEM_VA)
        Gpu::get().map(fd, *static_cast<const drm_amdgpu_gem_va*>(argument));
    else if (number == DRM_AMDGPU_CS)
        Gpu::get().submit(*static_cast<const drm_amdgpu_cs*>(argument));
    return result;
}

/// For programs that only want numbers: what was counted since the last call, as JSON. The text lives until the next
/// call.
[[gnu::visibility("default")]] const char* vkinfer_rdna_take_counts() {
    return Gpu::get().take_counts();
}

[[gnu::visibility("default")]] vkinfer::rdna::RigApi* vkinfer_rdna_api() {
    using namespace vkinfer::rdna;
    static RigApi api{
        .options = [] -> Options& { return Gpu::get().processor().machine().options(); },
        .n_faults = [] { return Gpu::get().n_faults(); },
        .last_fault = [] { return Gpu::get().last_fault().c_str(); },
        .forget_faults = [] { Gpu::get().forget_faults(); },
        .records = [] -> std::vector<DispatchRecord>& { return Gpu::get().records(); },
        .n_instructions = [] { return Gpu::get().processor().machine().n_instructions(); },
    };
    return &api;
}
}
