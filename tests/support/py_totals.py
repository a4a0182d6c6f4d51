"""The main function of Python tests: runs unittest and prints the line that tools/run-tests adds up."""

import sys
import unittest


def main():
    program = unittest.main(module="__main__", exit=False, verbosity=1)
    result = program.result
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    for test, reason in result.skipped:
        print(f"skipped: {test.id()}: {reason}")
    passed = result.testsRun - failed - len(result.skipped)
    # An error in setUpClass has no test of its own, so the difference can fall below zero.
    print(f"vkinfer-tests: {max(passed, 0)} passed, {failed} failed, {len(result.skipped)} skipped", flush=True)
    if failed or result.testsRun == 0 and not result.skipped:
        sys.exit(1)
    sys.exit(77 if passed <= 0 else 0)
