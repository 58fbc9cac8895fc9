"""What the documents and the locks claim, held against the tree: `make check` runs this.

Each rule yields sentences, and any sentence fails the check. The rules: the locks pin by hash and name no
address; the links of the documents lead somewhere, and their `make` words, `innoai` commands and
`folder/file.py` exist; the tables of settings and of exit codes, and those of scripts.tables, say what the
code says.
"""

from __future__ import annotations

import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from innoai.cli.failures import EXIT_MEANINGS
from innoai.cli.main import app
from innoai.config import SECTIONS, Model, OidcSettings, PriceSettings, TierSettings, Upstream
from scripts import conformance, reference, tables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parent.parent
PYTHON_LOCKS = ("requirements.lock", "requirements-dev.lock")
NODE_LOCKS = ("tests/contract/node/package-lock.json", "sdks/js/package-lock.json")
DOCUMENTS = ("*.md", "docs/**/*.md", "benchmarks/*.md")
SETTINGS_PAGE = "docs/configuration.md"
EXIT_CODES_PAGE = "docs/operating.md"
NESTED: dict[str, type[msgspec.Struct]] = {
    "models": Model,
    "price": PriceSettings,
    "upstreams": Upstream,
    "tiers": TierSettings,
    "oidc": OidcSettings,
}
"""What stands below names of the operator's own, and below other settings."""

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(?:#([^)\s]+))?")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
COMMAND = re.compile(
    r"(?:`(?:\.venv/bin/)?|^\.venv/bin/)innoai ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE
)
SETTING_ROW = re.compile(r"^\| `([a-z]+\.[a-z_]+)` \| (.+?) \| ", re.MULTILINE)
EXIT_ROW = re.compile(r"^\| (\d+) \| (.+?) \|$", re.MULTILINE)
MAKE_WORDS = re.compile(r"(?:`|^\s*(?:\$ )?)make((?: [a-z][a-z-]*)+)", re.MULTILINE)
MAKE_TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
SOURCE_FILE = re.compile(r"`((?:[\w.-]+/)+[\w-]+\.(?:py|toml|yaml|md))`")
ADDRESS = re.compile(r"\w+://|--(?:index-url|extra-index-url|find-links|trusted-host)")


def main() -> int:
    """Print every sentence that does not hold; 1 when there is one."""
    broken = [
        *python_locks(),
        *node_locks(),
        *documents(),
        *settings(),
        *exit_codes(),
        *tables.stale(),
        *conformance.stale(),
    ]
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


def node_locks() -> Iterator[str]:
    """npm's locks keep integrity hashes alone, and say nowhere where anything came from."""
    for name in NODE_LOCKS:
        for number, line in enumerate((ROOT / name).read_text().splitlines(), start=1):
            if "://" in line:
                yield f"{name}:{number}: a lock names no address; make lock writes none"


def documents() -> Iterator[str]:
    """Links, `make` words, commands and file names in the documents are real."""
    targets = set(MAKE_TARGET.findall((ROOT / "Makefile").read_text()))
    for document in sorted({path for pattern in DOCUMENTS for path in ROOT.glob(pattern)}):
        where = document.relative_to(ROOT)
        text = document.read_text()
        for link, anchor in LINK.findall(text):
            target = (document.parent / link).resolve()
            if target in _GENERATED:
                continue  # The site's own build, make docs, looks into these.
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                yield f"{where}: the link {link}{anchor and '#' + anchor} leads nowhere"
        for command, subcommand in COMMAND.findall(text):
            if not _is_command(command, subcommand):
                yield f"{where}: there is no `innoai {command} {subcommand}`"
        for words in MAKE_WORDS.findall(text):
            for word in words.split():
                if word not in targets:
                    yield f"{where}: there is no `make {word}`"
        for name in SOURCE_FILE.findall(text):
            if not any((base / name).exists() for base in (ROOT, ROOT / "src/innoai", document.parent)):
                yield f"{where}: there is no {name}"


def settings() -> Iterator[str]:
    """Every setting is in the table with its default, and no other is."""
    structs = {**SECTIONS, **NESTED}
    true = {
        f"{section}.{field.name}": _default(field)
        for section, struct in structs.items()
        for field in msgspec.structs.fields(struct)
    }
    stated = dict(SETTING_ROW.findall((ROOT / SETTINGS_PAGE).read_text()))
    yield from _differences(SETTINGS_PAGE, stated, true)


def exit_codes() -> Iterator[str]:
    """Every exit code is in the table with its meaning, and no other is."""
    true = {str(int(code)): meaning for code, meaning in EXIT_MEANINGS.items()}
    stated = dict(EXIT_ROW.findall((ROOT / EXIT_CODES_PAGE).read_text()))
    yield from _differences(EXIT_CODES_PAGE, stated, true)


def _differences(page: str, stated: Mapping[str, str], true: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(stated.keys() | true.keys()):
        if stated.get(name) != true.get(name):
            said, is_so = stated.get(name, "nothing"), true.get(name, "not there")
            yield f"{page}: of {name} it says {said}; it is {is_so}"


def _default(field: msgspec.structs.FieldInfo) -> str:
    """A setting's default as the table writes it."""
    if field.required:
        return "required"
    made = field.default_factory
    default = field.default if made is msgspec.NODEFAULT else made()
    if isinstance(default, Decimal):
        return f"`{default}`"
    return "none" if default is None else f"`{json.dumps(default)}`"


def _is_command(name: str, subcommand: str) -> bool:
    """Whether the CLI has it; behind a command that is no group comes whatever it takes."""
    command: Any = _CLI.commands.get(name)
    subcommands = getattr(command, "commands", None)
    return command is not None and (subcommands is None or not subcommand or subcommand in subcommands)


def _anchors(document: Path) -> set[str]:
    """The headings as links name them."""
    headings = HEADING.findall(document.read_text())
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


_GENERATED = {ROOT / "docs/reference" / name for name, _ in reference.pages()}
_CLI: Any = typer.main.get_command(app)

if __name__ == "__main__":
    sys.exit(main())
