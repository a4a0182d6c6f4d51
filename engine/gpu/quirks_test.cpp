#include "gpu/quirks.h"

#include <doctest/doctest.h>

using namespace vkinfer::gpu;

TEST_CASE("quirks apply by driver and version range") {
    const Quirk table[] = {
        {"a", 3, 10, 20, "symptom", "link", [](Capabilities& c) { c.submit_budget_ms = 7; }},
        {"b", 4, 0, ~0u, "symptom", "link", [](Capabilities& c) { c.float16 = false; }},
    };
    Capabilities capabilities;
    capabilities.float16 = true;
    capabilities.driver_id = 3;
    capabilities.driver_version = 21;
    CHECK(apply_quirks(capabilities, table).empty());
    capabilities.driver_version = 20;
    CHECK(apply_quirks(capabilities, table).size() == 1);
    CHECK(capabilities.submit_budget_ms == 7);
    CHECK(capabilities.float16);
}

TEST_CASE("every quirk says what it is for") {
    for (const Quirk& quirk : quirk_table()) {
        CHECK(quirk.driver_id != 0);
        CHECK(quirk.first_version <= quirk.last_version);
        CHECK(std::string(quirk.symptom).size() > 10);
        CHECK_FALSE(std::string(quirk.link).empty());
        CHECK(quirk.apply != nullptr);
    }
}
