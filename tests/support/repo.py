"""The files of the repository, for tests that read them."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = {".gguf", ".f32", ".png", ".spv", ".npz"}


def files():
    """Paths relative to ROOT of all files that belong to the repository, whether or not git is at hand."""
    try:
        listing = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                                 capture_output=True, check=True).stdout.decode()
        names = sorted(set(filter(None, listing.split("\0"))))
    except (OSError, subprocess.CalledProcessError):
        names = sorted(str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file())
        names = [n for n in names if not n.startswith(("build", ".git/")) and "__pycache__" not in n]
    return [pathlib.Path(n) for n in names if (ROOT / n).is_file()]


def text_files():
    """(path, text) of all files that are text."""
    for path in files():
        if path.suffix in BINARY:
            continue
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
