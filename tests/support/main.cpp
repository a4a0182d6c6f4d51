// Runs doctest and prints one line that tools/run-tests adds up:  vkinfer-tests: P passed, F failed, S skipped
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "skips.h"

#include <cstdio>

namespace {

struct Totals : doctest::IReporter {
    static inline int run = 0;
    static inline int failed = 0;

    explicit Totals(const doctest::ContextOptions&) {}
    void report_query(const doctest::QueryData&) override {}
    void test_run_start() override {}
    void test_run_end(const doctest::TestRunStats& stats) override {
        run = static_cast<int>(stats.numTestCasesPassingFilters);
        failed = static_cast<int>(stats.numTestCasesFailed);
    }
    void test_case_start(const doctest::TestCaseData&) override {}
    void test_case_reenter(const doctest::TestCaseData&) override {}
    void test_case_end(const doctest::CurrentTestCaseStats&) override {}
    void test_case_exception(const doctest::TestCaseException&) override {}
    void subcase_start(const doctest::SubcaseSignature&) override {}
    void subcase_end() override {}
    void log_assert(const doctest::AssertData&) override {}
    void log_message(const doctest::MessageData&) override {}
    void test_case_skipped(const doctest::TestCaseData&) override {}
};

DOCTEST_REGISTER_LISTENER("totals", 1, Totals);

} // namespace

int main(int argc, char** argv) {
    doctest::Context context(argc, argv);
    const int result = context.run();
    if (context.shouldExit()) return result;
    const int skipped = vkinfer::test::skip_count();
    const int passed = Totals::run - Totals::failed - skipped;
    std::printf("vkinfer-tests: %d passed, %d failed, %d skipped\n", passed, Totals::failed, skipped);
    if (result == 0 && Totals::run == 0) {
        std::printf("error: no test case matched\n");
        return 1;
    }
    if (result == 0 && passed == 0 && skipped > 0) return 77;
    return result;
}
