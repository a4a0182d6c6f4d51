"""Checks that what the README and docs/ name is there: files, links, command-line flags, endpoints, programs, options.

Names in backticks and in code blocks are looked at. A name with a placeholder (<type>, *, X) stands for a family and is
checked as a pattern or left alone.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import py_totals
import repo

FILES = [str(p) for p in repo.files()]
TOP = sorted({f.split("/")[0] for f in FILES if "/" in f})
BASENAMES = {pathlib.Path(f).name for f in FILES}
# Folders whose text defines what a flag or an endpoint is.
CODE = "\n".join(text for path, text in repo.text_files()
                 if path.parts[0] in ("tools", "server", "benchmarks", "engine", ".ci") and path.suffix != ".md")
SERVER = "\n".join(text for path, text in repo.text_files() if path.parts[0] in ("server", "engine"))
BUILD = "\n".join(text for path, text in repo.text_files() if path.name in ("meson.build", "meson.options"))
# Flags of other people's programs that the docs may show.
FOREIGN_FLAGS = {"--ff-only", "-C", "-fsSL", "-s", "-d", "-H", "-N", "-X", "-i", "-Db_sanitize", "-Dwerror", "--no-rebuild",
                 "--suite", "--print-errorlogs", "--prefix", "-fa", "-o", "-j"}
EXTENSIONS = r"(?:cpp|h|comp|glsl|py|md|json|build|options|def|txt|gguf)"


def documents():
    return [(path, text) for path, text in repo.text_files() if path.suffix == ".md" and path.parts[0] in ("README.md", "docs")]


def code_of(text):
    """What stands in code blocks and backticks, with the number of its line."""
    blocks = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif inside:
            blocks.append((number, line))
        else:
            blocks += [(number, code) for code in re.findall(r"`([^`]+)`", line)]
    return blocks


def file_exists(name):
    name = re.sub(r"<[^>]*>|\{[^}]*\}", "*", name).rstrip("/")
    if "*" in name:
        return any(pathlib.PurePath(f).match(name) for f in FILES) or any(True for _ in repo.ROOT.glob(name))
    return (repo.ROOT / name).exists()


def wrong_names(path, text):
    for number, code in code_of(text):
        where = f"{path}:{number}"
        for name in re.findall(r"(?<![\w./-])((?:" + "|".join(map(re.escape, TOP)) + r")/[\w./*<>{}-]*)", code):
            if not file_exists(name.rstrip(".,")):
                yield f"{where}: no file {name}"
        for name in re.findall(r"(?<![\w./*<>{}-])([\w-]+\." + EXTENSIONS + r")\b(?!/)", code):
            if name not in BASENAMES and not re.match(r"(?:model|your|my|example|prompt|out|ids|result)", name, re.I):
                yield f"{where}: no file is called {name}"
        for flag in re.findall(r"(?<![\w-])(--[a-z][\w-]+|-[a-zA-Z]{1,3})(?![\w-])", code):
            if flag not in FOREIGN_FLAGS and not re.search(r"(?<![\w-])" + re.escape(flag) + r"(?![\w-])", CODE):
                yield f"{where}: no program has the flag {flag}"
        for endpoint in re.findall(r"(?:GET|POST) (/[\w/]*)|[0-9]/?(/v1/[\w/]+|/health|/metrics)", code):
            endpoint = endpoint[0] or endpoint[1]
            if f'"{endpoint}"' not in SERVER:
                yield f"{where}: the server has no endpoint {endpoint}"
        for program in re.findall(r"(?<![\w/.-])(vkinfer-[a-z][a-z-]*)\b", code):
            if f"'{program}'" not in BUILD and program not in BASENAMES:
                yield f"{where}: nothing builds {program}"
        for option in re.findall(r"-D([a-z_]+)=", code):
            if f"option('{option}'" not in BUILD and not option.startswith(("b_", "werror", "buildtype", "cpp_", "optim", "prefix")):
                yield f"{where}: meson has no option {option}"


class Docs(unittest.TestCase):
    def test_names_exist(self):
        found = [w for path, text in documents() for w in wrong_names(path, text)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_links_exist(self):
        found = []
        for path, text in documents():
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target) or target.startswith("#"):
                    continue
                if not (repo.ROOT / path.parent / target.split("#")[0]).exists():
                    found.append(f"{path}: broken link {target}")
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_wrong_names_are_found(self):
        text = ("`tools/no-such-tool --no-such-flag`, `no_such_file.cpp`, `POST /v1/nothing`, `vkinfer-nothing`, "
                "`-Dnothing=true`, `engine/nothing/`")
        self.assertEqual(len(list(wrong_names(pathlib.Path("x.md"), text))), 7)

    def test_documents_were_found(self):
        self.assertGreater(len(documents()), 3)


if __name__ == "__main__":
    py_totals.main()
