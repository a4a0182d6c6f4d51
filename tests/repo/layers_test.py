"""Checks that every include goes in the allowed direction, and that the engine neither prints nor exits.

The picture is in docs/architecture.md. A folder includes only what stands below it; programs are included by nobody.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import py_totals
import repo

BASE = {"base"}
RUNTIME_DOWN = {"base", "gpu", "memory", "format", "text", "kernels", "graph", "models", "runtime"}
ALLOWED = {
    "engine/base": set(),
    "engine/gpu": BASE,
    "engine/memory": BASE | {"gpu"},
    "engine/format": BASE,
    "engine/text": BASE,
    "engine/kernels": BASE | {"gpu", "format"},
    "engine/graph": BASE | {"gpu", "format", "kernels"},
    "engine/models": BASE | {"format", "kernels", "graph"},
    "engine/runtime": RUNTIME_DOWN - {"runtime"},
    "server": BASE | {"runtime", "text", "format"},
    "tools": BASE | {"runtime", "text", "format", "gpu", "memory"},
    "benchmarks": RUNTIME_DOWN,
    "tests": RUNTIME_DOWN,
}
LAYERS = RUNTIME_DOWN
# Libraries that only one part of the program may know, by the start of the header's name.
CONFINED = {
    "volk.h": ("engine/gpu",),
    "vulkan/": ("engine/gpu",),
    "pcre2.h": ("engine/text",),
    "boost/asio": ("server", "tests", "benchmarks"),
    "boost/beast": ("server", "tests", "benchmarks"),
    "CLI/": ("tools", "server", "benchmarks"),
}
SHARED_BY_PROGRAMS = {"tools/cli_args.h", "tools/engine_flags.h", "tools/progress_bar.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]', re.MULTILINE)
PRINTS = re.compile(r"\bstd::(?:cout|cerr|clog|print|println|puts|printf|exit|quick_exit|terminate)\b"
                    r"|(?<![\w:.])(?:printf|fprintf|puts|fputs|putchar|exit|_exit)\s*\(")


def layer_of(path):
    """`engine/gpu` of engine/gpu/buffer.h, `server` of server/endpoints/health.cpp, nothing for other files."""
    parts = path.parts
    if parts[0] == "engine" and len(parts) > 2:
        return "/".join(parts[:2])
    return parts[0] if parts[0] in ALLOWED else None


def is_test(path):
    return path.stem.endswith("_test") or "testing" in path.parts or path.parts[0] == "tests"


def sources():
    for path, text in repo.text_files():
        if path.suffix in (".cpp", ".h", ".hpp", ".inc", ".def") and layer_of(path):
            yield path, text


def violations(path, text):
    """What the file includes and must not, as sentences."""
    layer = layer_of(path)
    own = layer.rsplit("/", 1)[-1]
    for kind, name in INCLUDE.findall(text):
        folder = name.split("/")[0]
        if kind == "<":
            for prefix, owners in CONFINED.items():
                if name.startswith(prefix) and layer not in owners:
                    yield f"{path} includes <{name}>, which only {', '.join(owners)} may"
        elif folder in LAYERS:
            if folder != own and folder not in ALLOWED[layer]:
                yield f"{path} includes \"{name}\", but {layer} must not see {folder}"
        elif folder in ("server", "tools", "benchmarks", "tests", "support") and folder != own:
            if not is_test(path) and not (layer == "server" and name in SHARED_BY_PROGRAMS):
                yield f"{path} includes \"{name}\", but nobody includes programs or tests"


class Layers(unittest.TestCase):
    def test_includes_follow_the_layers(self):
        found = [v for path, text in sources() for v in violations(path, text)]
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_every_layer_has_a_rule(self):
        folders = {f"engine/{p.name}" for p in (repo.ROOT / "engine").iterdir() if p.is_dir()}
        self.assertEqual(folders - set(ALLOWED), set())

    def test_sources_were_found(self):
        self.assertGreater(len(list(sources())), 10)

    def test_a_wrong_include_is_named(self):
        for file, line in (("engine/gpu/x.cpp", '#include "format/tensor_type.h"'),
                           ("engine/text/x.h", '  #  include "format/gguf_file.h"'),
                           ("engine/models/x.cpp", '#include "gpu/buffer.h"'),
                           ("engine/runtime/x.cpp", "#include <vulkan/vulkan.h>"),
                           ("engine/runtime/x.cpp", '#include "server/http.h"'),
                           ("server/x.cpp", '#include "gpu/device.h"')):
            self.assertEqual(len(list(violations(pathlib.Path(file), line))), 1, line)
        self.assertEqual(list(violations(pathlib.Path("engine/gpu/x.cpp"), '#include "gpu/y.h"\n#include <volk.h>')), [])

    def test_the_engine_neither_prints_nor_exits(self):
        found = []
        for path, text in sources():
            if path.parts[0] != "engine" or is_test(path) or path.name.startswith("test_"):
                continue
            for number, line in enumerate(text.splitlines(), 1):
                code = line.split("//")[0]
                if PRINTS.search(code):
                    found.append(f"{path}:{number}: {line.strip()}")
        self.assertEqual(found, [], "\n" + "\n".join(found))


if __name__ == "__main__":
    py_totals.main()
