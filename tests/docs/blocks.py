"""The fenced blocks of the documents, and what the comments before them say of how they run.

A block's directives are HTML comments directly before its fence, one each:

<!-- not run: WHY -->          it cannot run here; such blocks are counted
<!-- continues -->             it goes on where the last block of its language on the page ended
<!-- given: A THING; ANOTHER --> what has to be there before, by the names of tests/docs/givens.py
<!-- status: 401 -->           the HTTP status that its last curl gets; without it every status is 2xx
<!-- exit: 4 -->               the status that it ends with; without it 0
<!-- goes on -->              it goes on until it is interrupted, and prints something for each event
<!-- receives: PATH -->        it is a receiver of webhooks, which is sent a real delivery and a forged one
<!-- body: POST /v1/keys -->   JSON: it is sent there
<!-- answer: GET /v1/keys -->  JSON: it has the shape of that operation's answer

A JSON or text block right behind a block that runs, with at most one line that ends in a colon between them,
is what that one prints. JSON that is a refusal or an event is known by its looks.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/**/*.md", "sdks/*.md", "sdks/*/*.md", "benchmarks/*.md", "deploy/**/*.md")
DIRECTIVES = (
    "not run",
    "continues",
    "given",
    "status",
    "exit",
    "goes on",
    "receives",
    "body",
    "answer",
)
LANGUAGES = {
    "bash": "bash",
    "sh": "bash",
    "shell": "bash",
    "javascript": "javascript",
    "js": "javascript",
    "typescript": "typescript",
    "ts": "typescript",
    "python": "python",
    "php": "php",
    "ruby": "ruby",
    "json": "json",
    "jsonc": "json",
    "toml": "toml",
    "yaml": "yaml",
    "nginx": "nginx",
    "caddyfile": "caddyfile",
    "ini": "ini",
    "text": "text",
    "": "text",
}
"""The labels of fences; a block with another one has to say why it is not run."""
PROGRAMS = ("bash", "javascript", "typescript", "python", "php", "ruby")

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})[ ]*([\w+-]*)[^`\n]*$")
_COMMENT = re.compile(r"^<!-- *(?P<name>[a-z ]+?)(?:: *(?P<value>.*?))? *-->$")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where it is, what it says, and what is said of it.

    `lead`: the lines of text between the block before it and this one.
    """

    page: str
    line: int
    label: str
    text: str
    directives: Mapping[str, str]
    lead: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def language(self) -> str | None:
        return LANGUAGES.get(self.label)

    @property
    def runs(self) -> bool:
        """Whether it is a program that runs here."""
        return self.language in PROGRAMS and "not run" not in self.directives

    def is_output_of(self, before: Block) -> bool:
        """Whether it shows what the block before it prints."""
        if not before.runs or self.language not in ("json", "text") or self.directives:
            return False
        return len(self.lead) <= 1 and all(line.rstrip("*").endswith(":") for line in self.lead)


@dataclass(slots=True)
class Chain:
    """Blocks of one language that run as one program, each with what it is said to print."""

    blocks: list[Block]
    prints: dict[int, Block] = field(default_factory=dict)

    @property
    def first(self) -> Block:
        return self.blocks[0]

    @property
    def language(self) -> str:
        return self.first.language or ""

    @property
    def givens(self) -> list[str]:
        named = (block.directives.get("given", "") for block in self.blocks)
        return [given.strip() for each in named for given in each.split(";") if given.strip()]


def pages() -> list[Path]:
    """Every document that has snippets."""
    found = {page for pattern in PAGES for page in ROOT.glob(pattern)}
    return sorted(page for page in found if not {"node_modules", "vendor"} & set(page.parts))


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, in order. A ValueError tells of a comment before a fence that is no directive."""
    lines = page.read_text("utf-8").splitlines()
    found: list[Block] = []
    lead: list[str] = []
    number = 0
    while number < len(lines):
        opened = _FENCE.match(lines[number])
        if opened is None:
            lead.append(lines[number].strip())
            number += 1
            continue
        end = next(
            at
            for at in range(number + 1, len(lines))
            if lines[at].strip() == opened[2] or at == len(lines) - 1
        )
        where = page.relative_to(ROOT).as_posix()
        directives = _directives(lead, f"{where}:{number + 1}")
        text = textwrap.dedent("\n".join(lines[number + 1 : end])) + "\n"
        said = tuple(line for line in lead if line and not line.startswith("<!--"))
        found.append(Block(where, number + 1, opened[3], text, directives, said))
        lead = []
        number = end + 1
    return found


def chains_of(page: Path) -> Iterator[Chain]:
    """The programs of a page, each with what it is said to print, and every other block by itself."""
    chains: list[Chain] = []
    last: dict[str, Chain] = {}
    before: Block | None = None
    for block in blocks_of(page):
        if before is not None and block.is_output_of(before):
            chain = last[before.language or ""]
            chain.prints[len(chain.blocks) - 1] = block
        elif "continues" in block.directives:
            last[block.language or ""].blocks.append(block)
        else:
            chain = Chain([block])
            chains.append(chain)
            if block.runs:
                last[chain.language] = chain
        before = block
    yield from chains


def _directives(lead: list[str], where: str) -> dict[str, str]:
    """The comments at the end of what stands before a fence."""
    found: dict[str, str] = {}
    for line in reversed(lead):
        if not line:
            continue
        comment = _COMMENT.match(line)
        if comment is None:
            break
        name = comment["name"]
        if name not in DIRECTIVES:
            raise ValueError(f"{where}: {name!r} is no directive; they are {', '.join(DIRECTIVES)}")
        found[name] = comment["value"] or ""
    return dict(reversed(found.items()))
