"""The main function of Python tests: runs unittest and prints the line that tools/run-tests adds up."""

import sys
import unittest


class Result(unittest.TextTestResult):
    """Remembers which tests succeeded; those of which a part was skipped count as skipped."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.succeeded = set()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.succeeded.add(test.id())


def ids(pairs):
    return {getattr(test, "test_case", test).id() for test, _ in pairs}


def main():
    runner = unittest.TextTestRunner(resultclass=Result)
    result = unittest.main(module="__main__", exit=False, testRunner=runner).result
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    failed = ids(result.failures + result.errors) | {test.id() for test in result.unexpectedSuccesses}
    skipped = ids(result.skipped) - failed
    passed = result.succeeded - failed - skipped
    print(f"vkinfer-tests: {len(passed)} passed, {len(failed)} failed, {len(skipped)} skipped", flush=True)
    if failed or not passed and not skipped:
        sys.exit(1)
    sys.exit(0 if passed else 77)
