#include "server/ids.h"

#include <random>

namespace vkinfer::server {

std::string random_id(std::string_view prefix) {
    constexpr std::string_view kLetters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    constexpr int kLength = 24;
    thread_local std::mt19937_64 generator{std::random_device{}()};
    std::uniform_int_distribution<size_t> pick(0, kLetters.size() - 1);
    std::string id(prefix);
    for (int i = 0; i < kLength; ++i) id += kLetters[pick(generator)];
    return id;
}

} // namespace vkinfer::server
