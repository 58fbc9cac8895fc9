"""The table of docs/sdks/conformance.md: `python -m scripts.conformance` runs every SDK, and writes it.

Each SDK's own runner leaves its verdicts where INNOAI_CONFORMANCE_OUT says. The page says of which vectors it
tells, by their digest, and of which versions; scripts.facts sees whether these are today's. A language that
is not installed here keeps the column that it has.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
SUITE = ROOT / "sdks" / "conformance"
PAGE = "docs/sdks/conformance.md"
BEGIN, END = "<!-- conformance -->", "<!-- /conformance -->"
STATED = re.compile(r"^vectors `([0-9a-f]{12})`$", re.MULTILINE)
SECONDS = 3_600


@dataclass(frozen=True, slots=True)
class Sdk:
    """An SDK: what runs its vectors, in which folder, and where its version is written."""

    name: str
    title: str
    command: tuple[str, ...]
    folder: str
    manifest: str
    version: str

    @property
    def stated_version(self) -> str:
        """The version that its manifest, or its source, has."""
        found = re.search(self.version, (ROOT / self.manifest).read_text("utf-8"), re.MULTILINE)
        return found[1] if found else ""


SDKS = (
    Sdk(
        "python",
        "Python",
        (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/sdk/test_conformance.py"),
        ".",
        "pyproject.toml",
        r'^version = "(.+)"$',
    ),
    Sdk(
        "js",
        "JavaScript",
        ("node", "--test", "test/conformance.test.mjs"),
        "sdks/js",
        "sdks/js/package.json",
        r'"version": "(.+)"',
    ),
    Sdk(
        "php",
        "PHP",
        ("phpunit", "--testsuite", "conformance"),
        "sdks/php",
        "sdks/php/src/Version.php",
        r"NUMBER = '(.+)'",
    ),
    Sdk(
        "ruby",
        "Ruby",
        ("ruby", "-Ilib", "-Itest", "test/conformance_test.rb"),
        "sdks/ruby",
        "sdks/ruby/lib/innoai/version.rb",
        r'VERSION = "(.+)"',
    ),
)


def main() -> int:
    """Run what can be run here, and write the page; 1 when a vector failed."""
    wanted = _vectors()
    columns = _columns()
    failed = 0
    for sdk in SDKS:
        if shutil.which(sdk.command[0]) is None:
            print(f"{sdk.title}: {sdk.command[0]} is not installed; its column stays", file=sys.stderr)
            continue
        version, passed, lost = _run(sdk)
        for suite, case in lost:
            print(f"{sdk.title} {version}: {suite}: {case} failed", file=sys.stderr)
        failed += len(lost)
        columns[sdk.name] = {
            "version": version,
            **{suite: f"{passed[suite]} of {len(names)}" for suite, names in wanted.items()},
        }
    path = ROOT / PAGE
    head, _, rest = path.read_text("utf-8").partition(BEGIN)
    table = "\n".join(_table(columns, wanted))
    path.write_text(f"{head}{BEGIN}\n\n{table}\n\n{END}{rest.partition(END)[2]}", "utf-8")
    return 1 if failed else 0


def stale() -> Iterator[str]:
    """A sentence for what the page says of other vectors, versions or SDKs than there are."""
    text = (ROOT / PAGE).read_text("utf-8")
    stated = STATED.search(text)
    if stated is None or stated[1] != digest():
        yield f"{PAGE}: it tells of other vectors; run `python -m scripts.conformance`"
    columns = _columns()
    for sdk in SDKS:
        told = columns.get(sdk.name, {}).get("version", "nothing")
        if told != sdk.stated_version:
            yield f"{PAGE}: of {sdk.title} it says {told}; it is {sdk.stated_version}"


def digest() -> str:
    """A name for the vectors as they are."""
    hashed = hashlib.sha256()
    for file in sorted(SUITE.glob("*.json")):
        hashed.update(f"{file.name}\n".encode() + file.read_bytes())
    return hashed.hexdigest()[:12]


def _run(sdk: Sdk) -> tuple[str, Counter[str], list[tuple[str, str]]]:
    """The version that ran, how many cases of each suite passed, and those that did not."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "verdicts.json"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("INNOAI_")},
            "INNOAI_CONFORMANCE_OUT": str(out),
            "INNOAI_PYTHON": sys.executable,
        }
        ended = subprocess.run(
            sdk.command,
            cwd=ROOT / sdk.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        if not out.exists():
            raise SystemExit(f"{sdk.title}: no verdicts\n{ended.stdout}{ended.stderr}")
        told = json.loads(out.read_text("utf-8"))
    verdicts = {(each["suite"], each["case"]): each["passed"] for each in told["results"]}
    known = {(suite, case) for suite, cases in _vectors().items() for case in cases}
    passed = Counter(suite for (suite, case) in known if verdicts.get((suite, case)))
    return told["version"], passed, sorted(each for each in known if not verdicts.get(each))


def _vectors() -> dict[str, set[str]]:
    """The names of the cases of each suite."""
    return {
        file.stem: {
            case["name"]
            for cases in json.loads(file.read_text("utf-8")).values()
            if isinstance(cases, list)
            for case in cases
        }
        for file in sorted(SUITE.glob("*.json"))
    }


def _columns() -> dict[str, dict[str, str]]:
    """What the page says of each SDK, by the names of its rows."""
    path = ROOT / PAGE
    inside = path.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in inside.splitlines()
        if line[:1] == "|"
    ]
    if not rows:
        return {}
    named = {sdk.title: sdk.name for sdk in SDKS}
    return {
        named[title]: {row[0].strip("`"): row[number] for row in rows[2:]}
        for number, title in enumerate(rows[0])
        if title in named
    }


def _table(columns: dict[str, dict[str, str]], wanted: dict[str, set[str]]) -> Iterator[str]:
    yield f"vectors `{digest()}`"
    yield ""
    yield "| | " + " | ".join(sdk.title for sdk in SDKS) + " |"
    yield "|---|" + "---|" * len(SDKS)
    for row in ("version", *wanted):
        cells = " | ".join(columns.get(sdk.name, {}).get(row, "not run") for sdk in SDKS)
        yield f"| {row if row == 'version' else f'`{row}`'} | {cells} |"


if __name__ == "__main__":
    sys.exit(main())
