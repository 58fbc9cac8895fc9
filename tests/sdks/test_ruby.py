"""The Ruby SDK by its own tools: the gem, its style, and its tests with minitest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from innoai.errors import ERRORS
from innoai.sdk import resources
from innoai.sdk.methods import Resource
from tests.support.tools import needs, program

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
RUBY = ROOT / "sdks/ruby"
SUITE = ROOT / "sdks/conformance"
LIMIT = 300.0
"""Seconds that a tool has; it needs a tenth of them when nothing else runs."""
PAPERS = {"README.md", "CHANGELOG.md", "LICENSE", ".yardopts"}

pytestmark = [needs("ruby"), pytest.mark.timeout(LIMIT)]


def run(*command: str, environment: Mapping[str, str] | None = None, cwd: Path = RUBY) -> str:
    """What a tool says, in the SDK's folder; it is shown where the tool fails."""
    foreign = ("INNOAI_", "GEM_", "RUBY")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    ended = subprocess.run(
        [program(command[0]), *command[1:]],
        cwd=cwd,
        env={**inherited, "LANG": "C.UTF-8", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def evaluated(code: str) -> object:
    """What an expression of Ruby is, with the SDK at hand and every warning an error."""
    shown = run("ruby", "-w", "-Ilib", "-rjson", "-rinnoai", "-e", f"print JSON.generate({code})")
    answer: object = json.loads(shown)
    return answer


@pytest.fixture(scope="module")
def gem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The gem as it would be published; `--strict` takes warnings for errors."""
    file = tmp_path_factory.mktemp("ruby") / "innoai.gem"
    run("gem", "build", "innoai.gemspec", "--strict", "--output", str(file))
    return file


def test_the_gem_holds_the_library_its_signatures_and_the_papers_alone(gem: Path, tmp_path: Path) -> None:
    run("gem", "unpack", str(gem), "--target", str(tmp_path))
    root = tmp_path / "innoai"
    assert {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()} == PAPERS | {
        str(path.relative_to(RUBY)) for part in ("lib", "sig") for path in (RUBY / part).rglob("*.rb*")
    }


def test_the_installed_gem_works_without_the_repository(gem: Path, tmp_path: Path) -> None:
    run("gem", "install", "--local", "--no-document", "--install-dir", str(tmp_path), str(gem))
    code = 'puts InnoAI::Client.new(api_key: "k").base_url'
    gems = {"GEM_PATH": str(tmp_path)}
    shown = run("ruby", "-w", "-rinnoai", "-e", code, environment=gems, cwd=tmp_path)
    assert shown == "http://127.0.0.1:8080/v1\n"


@needs("rubocop")
def test_the_style_is_clean() -> None:
    run("rubocop")


@needs("minitest", "rake")
def test_all_its_tests_pass_and_each_vector_is_among_them(tmp_path: Path) -> None:
    out = Path(os.environ.get("INNOAI_CONFORMANCE_OUT", tmp_path / "ruby.json"))
    said = run(
        "rake",
        "test",
        environment={
            "INNOAI_CONFORMANCE_OUT": str(out),
            "INNOAI_PYTHON": sys.executable,
            "INNOAI_COMMAND": str(Path(sys.executable).with_name("innoai")),
        },
    )
    assert "0 failures, 0 errors" in said
    table = json.loads(out.read_text("utf-8"))
    assert (table["sdk"], table["version"]) == ("ruby", evaluated("InnoAI::VERSION"))
    assert all(result["passed"] for result in table["results"])
    assert {(result["suite"], result["case"]) for result in table["results"]} == _vectors()


def test_every_code_of_the_server_has_an_exception_named_after_it() -> None:
    named = evaluated("InnoAI::Errors::BY_CODE.transform_values(&:name)")
    assert named == {code: "InnoAI::" + "".join(map(str.capitalize, code.split("_"))) for code in ERRORS}


def test_it_has_every_resource_and_method_that_the_python_sdk_has() -> None:
    all_ = "InnoAI::Resources"
    code = f"{all_}.constants.to_h {{ |name| [name, {all_}.const_get(name).instance_methods] }}"
    found = cast("dict[str, list[str]]", evaluated(code))
    missing = [
        f"{kind.__name__}.{method}"
        for kind in vars(resources).values()
        if isinstance(kind, type) and issubclass(kind, Resource) and kind is not Resource
        for method in vars(kind)
        if not method.startswith("_") and method not in found.get(kind.__name__, [])
    ]
    assert missing == []


def test_each_file_of_the_library_requires_what_it_needs_of_the_others() -> None:
    """So that whoever requires a part of it gets that part. Ruby's own library, slow to load, is there."""
    parts = [str(path.relative_to(RUBY / "lib").with_suffix("")) for path in (RUBY / "lib").rglob("*.rb")]
    alone = "ARGV.each { |part| Process.wait(fork { require part }); exit 1 unless $?.success? }"
    library = [f"-r{name}" for name in ("json", "net/http", "openssl", "securerandom", "time", "uri", "zlib")]
    run("ruby", "-w", "-Ilib", *library, "-e", alone, *sorted(parts))


def test_it_needs_no_other_gem(gem: Path) -> None:
    assert run("gem", "specification", str(gem), "dependencies", "--yaml").split() == ["---", "[]"]


def _vectors() -> set[tuple[str, str]]:
    """Every case of every file, whichever member lists it."""
    return {
        (path.stem, case["name"])
        for path in SUITE.glob("*.json")
        for cases in json.loads(path.read_text("utf-8")).values()
        for case in cases
    }
