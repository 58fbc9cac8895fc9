"""What the documents and the locks claim, held against the tree: `make check` runs this.

Each rule yields sentences, and any sentence fails the check. The rules: the locks pin by hash and name no
address; the links of the documents lead somewhere, and their `make` words and `folder/file.py` exist.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
PYTHON_LOCKS = ("requirements.lock", "requirements-dev.lock")
NODE_LOCK = "tests/contract/node/package-lock.json"
DOCUMENTS = ("*.md", "docs/**/*.md", "benchmarks/*.md")

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
MAKE_WORDS = re.compile(r"(?:`|^\s*(?:\$ )?)make((?: [a-z][a-z-]*)+)", re.MULTILINE)
MAKE_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
SOURCE_FILE = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|toml|yaml|md))`")
ADDRESS = re.compile(r"\w+://|--(?:index-url|extra-index-url|find-links|trusted-host)")


def main() -> int:
    """Print every sentence that does not hold; 1 when there is one."""
    broken = [*python_locks(), *node_lock(), *documents()]
    for sentence in broken:
        print(sentence, file=sys.stderr)
    return 1 if broken else 0


def python_locks() -> Iterator[str]:
    """Every requirement is pinned and hashed, and no line says where it came from."""
    for name in PYTHON_LOCKS:
        text = (ROOT / name).read_text()
        for number, line in enumerate(text.splitlines(), start=1):
            if ADDRESS.search(line):
                yield f"{name}:{number}: a lock names no address; make lock writes none"
        for requirement in re.split(r"\n(?=\w)", text):
            if "==" not in requirement.splitlines()[0] or "--hash=sha256:" not in requirement:
                yield f"{name}: {requirement.splitlines()[0]!r} is not pinned by hash"


def node_lock() -> Iterator[str]:
    """npm's lock keeps integrity hashes alone; `.npmrc` beside it asks for that."""
    if '"resolved"' in (ROOT / NODE_LOCK).read_text():
        yield f"{NODE_LOCK}: a lock names no address; the .npmrc beside it leaves them out"


def documents() -> Iterator[str]:
    """Links, `make` words and file names in the documents are real."""
    targets = set(MAKE_TARGET.findall((ROOT / "Makefile").read_text()))
    for document in sorted({path for pattern in DOCUMENTS for path in ROOT.glob(pattern)}):
        where = document.relative_to(ROOT)
        text = document.read_text()
        for link in LINK.findall(text):
            if not (document.parent / link).exists():
                yield f"{where}: the link {link} leads nowhere"
        for words in MAKE_WORDS.findall(text):
            for word in words.split():
                if word not in targets:
                    yield f"{where}: there is no `make {word}`"
        for name in SOURCE_FILE.findall(text):
            if not any((base / name).exists() for base in (ROOT, ROOT / "src/innoai", document.parent)):
                yield f"{where}: there is no {name}"


if __name__ == "__main__":
    sys.exit(main())
