"""Checks the text of the repository: nothing of one machine in it, no left-over notes, and the layout of clang-format.

The layout fails in CI only: on a desk it is reported as skipped, with the files to format.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import py_totals
import repo

# Folders in which people and machines keep their own things; system folders such as /usr and /etc are everybody's.
MACHINE = re.compile(r"(?<![\w.$}/)*-])/(?:home|root|Users|mnt|media|srv|work|workspace|scratch|builds|data)/[\w.-]+")
NOTES = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
SELF = pathlib.Path("tests/repo/tidy_test.py")


def hosts_of_this_machine():
    """Hosts that this machine's package manager uses; whichever they are, the repository does not depend on them."""
    hosts = set()
    for file in [pathlib.Path("/etc/apt/sources.list"), *pathlib.Path("/etc/apt/sources.list.d").glob("*")]:
        try:
            hosts |= set(re.findall(r"https?://([^/\s]+)", file.read_text(errors="replace")))
        except OSError:
            continue
    return hosts


def lines_matching(pattern):
    return [f"{path}:{number}: {line.strip()[:160]}" for path, text in repo.text_files() if path != SELF
            for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]


class Tidy(unittest.TestCase):
    def test_no_paths_of_a_machine(self):
        found = lines_matching(MACHINE)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_the_pattern_finds_paths_of_a_machine(self):
        self.assertTrue(MACHINE.search("cd " + "/home/somebody/vkinfer"))
        self.assertTrue(MACHINE.search('"' + "/scratch/models" + '"'))
        self.assertFalse(MACHINE.search("/usr/share/vulkan, $HOME/data/x, HOME=/root, docs/data/x"))

    def test_no_hosts_of_a_machine(self):
        hosts = hosts_of_this_machine()
        if not hosts:
            self.skipTest("this system has no apt sources")
        found = lines_matching(re.compile("|".join(map(re.escape, hosts))))
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_no_left_over_notes(self):
        found = lines_matching(NOTES)
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_scripts_can_be_run(self):
        wrong = [str(p) for p, text in repo.text_files()
                 if text.startswith("#!") and not p.suffix and not (repo.ROOT / p).stat().st_mode & 0o100]
        self.assertEqual(wrong, [])

    def test_layout(self):
        formatter = shutil.which("clang-format-19")
        if not formatter:
            self.skipTest("clang-format-19 is not installed")
        sources = [str(p) for p in repo.files() if p.suffix in (".cpp", ".h") and p.parts[0] != "shaders"]
        done = subprocess.run([formatter, "--dry-run", "-Werror", *sources], cwd=repo.ROOT, capture_output=True, text=True)
        wrong = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", done.stderr, re.MULTILINE)))
        if wrong and not os.environ.get("CI"):
            self.skipTest("clang-format-19 -i would change: " + " ".join(wrong))
        self.assertEqual(wrong, [])


if __name__ == "__main__":
    py_totals.main()
