"""What a command writes: JSON and tables to stdout, notes and failures to stderr.

A terminal gets colour and folded columns; anything else gets plain lines, never cut. Text that came
over the network is made printable first, so that no name can move somebody's cursor.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from innoai.cli.failures import foreign_answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from innoai.cli.failures import CommandError

_GAP = "  "
_RULED_GAP = 3  # columns between two columns of a ruled table
_MARKS = ("✓", "✗", "·")
_ASCII_MARKS = ("+", "x", ".")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a checklist. `passed` is None for a check that was not reached."""

    name: str
    passed: bool | None
    detail: str


def write_json(value: object, *, indent: int | None = 2) -> None:
    """`value` as JSON: readable where stdout can carry it, else escaped to ASCII; one line without indent."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if not (_is_printable(text) and _can_encode(text, sys.stdout)):
        text = json.dumps(value, indent=indent)
    print(text)


def write_fields(fields: Mapping[str, object]) -> None:
    """One object: a line a member. Values are never folded, so that a key or token can be copied."""
    width = max(map(len, fields), default=0)
    for name, value in fields.items():
        _write_line(Text.assemble((name.ljust(width), "bold"), _GAP, cell(value)))


def write_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None
) -> None:
    """Many objects: a line each under `columns`, or a block each on a terminal too narrow for that."""
    cells = [[cell(value) for value in row] for row in rows]
    if title is not None:
        _write_line(Text(title, "bold"))
    if not sys.stdout.isatty():
        _write_aligned([list(columns), *cells])
    elif sum(_longest_words(columns, cells)) + _RULED_GAP * len(columns) <= _console(sys.stdout).width:
        _write_folded(columns, cells)
    else:
        _write_blocks(columns, cells)


def write_checks(checks: Sequence[Check]) -> None:
    """A list with a mark before each line."""
    passed, refused, not_reached = _MARKS if _can_encode("".join(_MARKS), sys.stdout) else _ASCII_MARKS
    width = max((cell_len(printable(check.name)) for check in checks), default=0)
    for check in checks:
        mark = {True: (passed, "green"), False: (refused, "bold red"), None: (not_reached, "dim")}[
            check.passed
        ]
        name = printable(check.name)
        padding = " " * (width - cell_len(name))
        _write_line(Text.assemble(mark, f" {name}{padding}{_GAP}{printable(check.detail)}".rstrip()))


def write_line(text: str, style: str = "") -> None:
    """One line for the person who reads stdout."""
    _write_line(Text(printable(text), style))


def note(text: str) -> None:
    """A remark for people; stdout stays for the result."""
    print(printable(text), file=sys.stderr)


def note_next(page: Mapping[str, Any], words: Sequence[str]) -> None:
    """The whole command that gets the rest of a list, if there is one; `words` got this part of it."""
    cursor = page.get("next_cursor")
    if cursor is not None:
        again = _without(words, "--cursor", "--api-key")
        note(f"There is more: {shlex.join(['innoai', *again, '--cursor', cursor])}")


def members(answer: Mapping[str, Any], name: str = "data") -> list[dict[str, Any]]:
    """The objects in a list member of an answer. Raises CommandError if the peer sent something else."""
    found = answer.get(name)
    if not isinstance(found, list) or not all(isinstance(member, dict) for member in found):
        raise foreign_answer(f"its member `{name}` is no list of objects")
    return found


def write_error(failure: CommandError) -> None:
    """`error: …` in one line; below it what to do and the server's request id, where there are any."""
    console = _console(sys.stderr)
    _print(console, Text.assemble(("error:", "bold red"), " ", " ".join(printable(failure.message).split())))
    if failure.hint is not None:
        _print(console, Text.assemble(("hint:", "bold"), " ", printable(failure.hint)))
    if failure.request_id is not None:
        _print(console, Text.assemble(("request id:", "bold"), " ", printable(failure.request_id)))


def cell(value: object) -> str:
    """A member's value as people read it."""
    if value in (None, [], {}):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(cell, value))
        case dict():
            return ", ".join(f"{cell(name)}={cell(member)}" for name, member in value.items())
        case _:
            return printable(str(value))


def printable(text: str) -> str:
    """`text` with control characters and other invisible ones spelled out, line breaks turned into spaces."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text.replace("\n", " ")
    )


def tolerate_narrow_encodings() -> None:
    """Let a character that the terminal's encoding lacks come out escaped instead of ending the command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def keep_help_plain() -> None:
    """Let --help be without escapes, as all else is where NO_COLOR is set."""
    if os.environ.get("NO_COLOR"):
        from typer import rich_utils

        rich_utils.COLOR_SYSTEM = None


def flush() -> None:
    """Hand everything written so far to the reader. Raises BrokenPipeError if there is none any more."""
    sys.stdout.flush()
    sys.stderr.flush()


def abandon() -> None:
    """Nobody reads any more: point stdout and stderr at nothing, so that closing them stays quiet."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nothing, stream.fileno())
    os.close(nothing)


def _without(words: Sequence[str], *options: str) -> list[str]:
    """The words of a command line without these options and their values."""
    kept: list[str] = []
    is_value = False
    for word in words:
        if is_value:
            is_value = False
        elif word in options:
            is_value = True
        elif word.partition("=")[0] not in options:
            kept.append(word)
    return kept


def _is_printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))


def _can_encode(text: str, stream: TextIO) -> bool:
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _write_aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text + " " * (width - cell_len(text)) for text, width in zip(row, widths, strict=True))
        print(_GAP.join(padded).rstrip())


def _longest_words(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """How narrow each column can become without a break inside a word."""
    return [max(map(cell_len, " ".join(column).split())) for column in zip(columns, *rows, strict=True)]


def _write_folded(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for column, width in zip(columns, _longest_words(columns, rows), strict=True):
        table.add_column(column, min_width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    _console(sys.stdout).print(table)


def _write_blocks(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        write_fields(dict(zip(columns, row, strict=True)))
        write_line("")


def _write_line(line: Text) -> None:
    _print(_console(sys.stdout), line)


def _console(stream: TextIO) -> Console:
    # FORCE_COLOR must not colour a pipe, so the stream alone says whether it is a terminal.
    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        highlight=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
    )


def _print(console: Console, line: Text) -> None:
    console.print(line, soft_wrap=True)
