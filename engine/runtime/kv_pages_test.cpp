#include "runtime/kv_pages.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <set>

using namespace vkinfer;
using namespace vkinfer::runtime;

TEST_CASE("pages are handed out whole, kept while they are needed, and given back") {
    KvPages pages(4, 64, 2, 4);
    REQUIRE(pages.reserve(0, 1));
    CHECK(pages.pages_of(0).size() == 1);
    REQUIRE(pages.reserve(0, 64));
    CHECK(pages.pages_of(0).size() == 1);
    const uint32_t first = pages.pages_of(0)[0];
    REQUIRE(pages.reserve(0, 65));
    CHECK(pages.pages_of(0).size() == 2);
    CHECK(pages.pages_of(0)[0] == first);
    pages.truncate(0, 64);
    CHECK(pages.pages_of(0).size() == 1);
    CHECK(pages.n_free() == 3);
    pages.truncate(0, 0);
    CHECK(pages.n_free() == 4);
}

TEST_CASE("what does not fit is refused and changes nothing") {
    KvPages pages(3, 64, 2, 4);
    REQUIRE(pages.reserve(0, 128));
    const auto refused = pages.reserve(1, 65);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind() == ErrorKind::out_of_memory);
    CHECK(pages.pages_of(1).empty());
    CHECK(pages.n_free() == 1);
    CHECK(pages.reserve(1, 64));
    const auto too_long = pages.reserve(0, 257);
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().kind() == ErrorKind::context_overflow);
}

TEST_CASE("no page ever belongs to two sequences") {
    std::mt19937 random(1);
    KvPages pages(40, 16, 5, 20);
    for (int step = 0; step < 2000; ++step) {
        const uint32_t sequence = random() % 5;
        const uint32_t n_tokens = random() % 320;
        if (random() % 2 == 0) {
            (void)pages.reserve(sequence, n_tokens);
        } else {
            pages.truncate(sequence, n_tokens);
        }
        std::set<uint32_t> seen;
        size_t held = 0;
        for (uint32_t s = 0; s < 5; ++s) {
            for (const uint32_t page : pages.pages_of(s)) {
                CHECK(page < 40);
                seen.insert(page);
                ++held;
            }
        }
        REQUIRE(seen.size() == held);
        REQUIRE(held + pages.n_free() == 40);
    }
}
