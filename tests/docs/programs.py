"""A chain of blocks as one program of its language, run by the real tool, with what each block printed.

Every language is told to write a line between two blocks, on stdout and stderr, so that what was printed can
be told apart.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.docs.world import COMPILER, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.docs.blocks import Block, Chain
    from tests.docs.world import World

CUT = "---- the next block ----"
SECONDS = 240
"""As long as a program may take on a busy machine."""
SDKS = ROOT / "sdks"


@dataclass(frozen=True, slots=True)
class Run:
    """How a program ended: its status, and what each of its blocks printed."""

    status: int
    out: list[str]
    err: list[str]

    def statuses(self, block: int) -> list[int]:
        """The HTTP statuses that the curls of a block got."""
        return [int(status) for status in re.findall(r"\[HTTP (\d+)\]", self.err[block])]


@dataclass(frozen=True, slots=True)
class Language:
    """How a language runs: its file, its command, and how it defines variables and cuts between blocks."""

    command: Callable[[Path], list[str]]
    suffix: str
    define: Callable[[str, Any], str]
    cut: str
    head: str = ""
    strip: str = ""
    """What begins a block and may stand in a program once alone."""


def run(chain: Chain, world: World) -> Run:
    """Run all blocks of the chain in its world."""
    command = program(chain.blocks, world)
    ended = subprocess.run(
        command,
        cwd=world.directory,
        env=world.whole_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    out, err = ended.stdout.split(CUT), ended.stderr.split(CUT)
    missing = [""] * (len(chain.blocks) - len(out))
    return Run(ended.returncode, [*out, *missing], [*err, *missing])


def run_until_it_prints(chain: Chain, world: World, happen: Callable[[], object]) -> Run:
    """Run a chain whose last block goes on, let things happen until that has printed, and interrupt it."""
    process = started(chain.blocks, world)
    out: list[str] = []
    reader = threading.Thread(target=lambda: out.extend(process.stdout or ()))
    reader.start()
    try:
        ends = time.monotonic() + SECONDS
        cuts = len(chain.blocks) - 1
        while sum(CUT in line for line in out) < cuts or not out or CUT in out[-1]:
            assert process.poll() is None, "".join(out)
            assert time.monotonic() < ends, "".join(out)
            happen()
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(SECONDS)
    finally:
        ended(process)
        reader.join()
        closed(process)
    printed = "".join(out).split(CUT)
    return Run(0, printed, [""] * len(printed))


def program(blocks: list[Block], world: World) -> list[str]:
    """Write the blocks as one program; the command that runs it."""
    language = LANGUAGES[blocks[0].language or ""]
    texts = [world.filled(block.text) for block in blocks]
    if language.strip:
        texts = [re.sub(language.strip, "", text, count=1) for text in texts]
    defined = "".join(language.define(name, value) for name, value in world.variables.items())
    whole = language.head + defined + language.cut.join(texts)
    suffix = language.suffix
    if suffix == ".mjs" and "require(" in whole and "import " not in whole:
        suffix = ".cjs"
    file = world.directory / f"snippet{suffix}"
    file.write_text(whole, "utf-8")
    return language.command(file)


def _shell_value(name: str, value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{name}='{text.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'\n"


def _php_value(name: str, value: Any) -> str:
    text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"${name} = json_decode('{text}', true);\n"


def _ruby_value(name: str, value: Any) -> str:
    return f"{name} = JSON.parse({json.dumps(json.dumps(value))})\n".replace("#{", "\\#{")


def _php_command(file: Path) -> list[str]:
    # $_ENV is what it is without Debian's php.ini, which leaves it empty.
    told = {
        "display_errors": "stderr",
        "variables_order": "EGPCS",
        "auto_prepend_file": SDKS / "php/autoload.php",
    }
    return ["php", *(f"-d{name}={value}" for name, value in told.items()), str(file)]


LANGUAGES: Mapping[str, Language] = {
    "bash": Language(
        lambda file: ["bash", str(file)],
        ".sh",
        _shell_value,
        f"\necho '{CUT}'\necho '{CUT}' >&2\n",
        "set -euo pipefail\n",
    ),
    "python": Language(
        lambda file: [sys.executable, str(file)],
        ".py",
        lambda name, value: f"{name} = {value!r}\n",
        f"\nimport sys; print('{CUT}', flush=True); print('{CUT}', file=sys.stderr, flush=True)\n",
    ),
    "javascript": Language(
        lambda file: ["node", str(file)],
        ".mjs",
        lambda name, value: f"const {name} = {json.dumps(value)};\n",
        f"\nconsole.log('{CUT}'); console.error('{CUT}');\n",
    ),
    "php": Language(
        _php_command,
        ".php",
        _php_value,
        f"\nfwrite(STDOUT, '{CUT}'); fwrite(STDERR, '{CUT}');\n",
        "<?php\n",
        r"\A<\?php\s*",
    ),
    "ruby": Language(
        lambda file: ["ruby", "-I", str(SDKS / "ruby" / "lib"), "-rjson", str(file)],
        ".rb",
        _ruby_value,
        f"\n$stdout.puts '{CUT}'; $stdout.flush; $stderr.puts '{CUT}'\n",
    ),
    "typescript": Language(
        lambda file: ["sh", "-c", _typescript(file)],
        ".ts",
        lambda name, value: f"const {name} = {json.dumps(value)};\n",
        f"\nconsole.log('{CUT}'); console.error('{CUT}');\n",
    ),
}
"""How each language runs."""


def _typescript(file: Path) -> str:
    """Compile, with the types checked, and run."""
    options = "--strict --target es2022 --module nodenext --moduleResolution nodenext --skipLibCheck"
    return f"'{COMPILER}' {options} '{file}' && node '{file.with_suffix('.js')}'"


def started(blocks: list[Block], world: World, **environment: str) -> subprocess.Popen[str]:
    """The blocks as a program that goes on, in the background; whoever asks ends it."""
    return subprocess.Popen(
        program(blocks, world),
        cwd=world.directory,
        env={**world.whole_environment(), "PYTHONUNBUFFERED": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str]) -> None:
    """End it, with all that it has started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def closed(process: subprocess.Popen[str]) -> None:
    """Read no more of what it printed."""
    if process.stdout is not None:
        process.stdout.close()
