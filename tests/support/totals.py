"""Adds up what the test programs said, for tools/run-tests.

Every test program prints one line `vkinfer-tests: P passed, F failed, S skipped`. A program that failed without saying what
failed (a crash, a time-out) counts as one failed test; one that says nothing and succeeds or skips counts as one. Output
of the validation layer that names an error, and a test that did not run at all, count as failed too.

    totals.py [--expect N] MESON_LOG_DIR/testlog.json
"""

import argparse
import json
import re
import sys

LINE = re.compile(r"^vkinfer-tests: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
VALIDATION = re.compile(r"Validation Error|VUID-|SYNC-HAZARD")


def count(entry):
    """Returns (passed, failed, skipped) and the reason of a failure that the program itself did not report."""
    output = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    passed, failed, skipped = (sum(column) for column in zip((0, 0, 0), *(map(int, m) for m in LINE.findall(output))))
    result = entry["result"]
    reason = ""
    if result in ("OK", "EXPECTEDFAIL"):
        if passed + failed + skipped == 0:
            passed = 1
        if failed:
            reason = "it reported failures and exited with success"
    elif result == "SKIP":
        if passed + failed + skipped == 0:
            skipped = 1
    elif failed == 0:
        failed = 1
        reason = f"{result.lower()} (exit status {entry.get('returncode')}) without a failed test"
    if VALIDATION.search(output) and failed == 0:
        failed = 1
        reason = "the validation layer reported errors"
    return passed, failed, skipped, reason


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--expect", type=int, default=0, help="number of programs that should have run")
    parser.add_argument("log")
    arguments = parser.parse_args()

    try:
        with open(arguments.log, encoding="utf-8") as file:
            entries = [json.loads(line) for line in file if line.strip()]
    except OSError:
        entries = []
    totals = [0, 0, 0]
    for entry in entries:
        passed, failed, skipped, reason = count(entry)
        totals = [a + b for a, b in zip(totals, (passed, failed, skipped))]
        if failed:
            print(f"failed: {entry['name']}: {reason or f'{failed} tests'}")
        for line in re.findall(r"^skipped: .*$", entry.get("stdout", ""), re.MULTILINE):
            print(f"{line}   [{entry['name']}]")
    if len(entries) < arguments.expect:
        print(f"failed: {arguments.expect - len(entries)} of {arguments.expect} test programs did not run")
        totals[1] += arguments.expect - len(entries)
    if sum(totals[:2]) == 0:
        print("failed: no test ran")
        totals[1] = 1
    print(f"{totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 1 if totals[1] else 0


if __name__ == "__main__":
    sys.exit(main())
