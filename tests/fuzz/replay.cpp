// Runs a fuzz target without libFuzzer: every file of the given folders as it is and with random mutations. The same
// inputs each time. Usage: NAME_fuzz_replay MUTATIONS_PER_FILE FOLDER...
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/resource.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

using Bytes = std::vector<uint8_t>;

uint64_t state = 1;
uint64_t random_below(uint64_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % limit;
}

void mutate(Bytes& bytes, const Bytes& other) {
    static constexpr uint64_t kInteresting[] = {0,
                                                1,
                                                7,
                                                0x7f,
                                                0x80,
                                                0xff,
                                                0xffff,
                                                0x7fffffff,
                                                0x80000000,
                                                0xffffffff,
                                                0x7fffffffffffffff,
                                                0x8000000000000000,
                                                0xffffffffffffffff};
    const size_t n_changes = 1 + random_below(4);
    for (size_t i = 0; i < n_changes && !bytes.empty(); ++i) {
        const size_t at = random_below(bytes.size());
        switch (random_below(6)) {
        case 0:
            bytes[at] ^= static_cast<uint8_t>(1u << random_below(8));
            break;
        case 1:
            bytes[at] = static_cast<uint8_t>(random_below(256));
            break;
        case 2: { // a number of 1, 2, 4 or 8 bytes
            const uint64_t value = kInteresting[random_below(std::size(kInteresting))];
            std::memcpy(&bytes[at], &value, std::min<size_t>(size_t{1} << random_below(4), bytes.size() - at));
            break;
        }
        case 3:
            bytes.resize(at);
            break;
        case 4: // a piece of the input again, or less of it
            if (random_below(2) == 0) {
                const Bytes piece(bytes.begin() + static_cast<ptrdiff_t>(at),
                                  bytes.begin() +
                                      static_cast<ptrdiff_t>(std::min(bytes.size(), at + random_below(64))));
                bytes.insert(bytes.begin() + static_cast<ptrdiff_t>(random_below(bytes.size())), piece.begin(),
                             piece.end());
            } else {
                bytes.erase(bytes.begin() + static_cast<ptrdiff_t>(at),
                            bytes.begin() + static_cast<ptrdiff_t>(std::min(bytes.size(), at + 1 + random_below(16))));
            }
            break;
        case 5: // the end of another input
            if (other.size() > at) {
                bytes.resize(at);
                bytes.insert(bytes.end(), other.begin() + static_cast<ptrdiff_t>(at), other.end());
            }
            break;
        }
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s MUTATIONS_PER_FILE FOLDER...\n", argv[0]);
        return 2;
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && !defined(__clang__)
    // Whoever believes a number of the input and allocates by it ends here with bad_alloc.
    const rlimit limit = {rlim_t{1} << 30, rlim_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &limit);
#endif
    std::vector<std::filesystem::path> paths;
    for (int i = 2; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) continue; // no regressions yet
        for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i])) {
            if (entry.is_regular_file() && entry.path().filename() != ".gitkeep") paths.push_back(entry.path());
        }
    }
    std::ranges::sort(paths);
    std::vector<Bytes> inputs;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    if (inputs.empty()) {
        std::fprintf(stderr, "no inputs found\n");
        return 1;
    }
    const long n_mutations = std::atol(argv[1]);
    for (size_t i = 0; i < inputs.size(); ++i) {
        // Named before it runs, so that a crash says which file it was.
        std::printf("%s\n", paths[i].c_str());
        std::fflush(stdout);
        LLVMFuzzerTestOneInput(inputs[i].data(), inputs[i].size());
        for (long n = 0; n < n_mutations; ++n) {
            Bytes bytes = inputs[i];
            mutate(bytes, inputs[random_below(inputs.size())]);
            bytes.shrink_to_fit(); // so that ASan sees a read past the end
            LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
        }
    }
    std::printf("vkinfer-tests: 1 passed, 0 failed, 0 skipped\n");
    return 0;
}
