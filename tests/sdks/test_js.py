"""The JavaScript SDK by its own tools: types, style, package, and its tests under Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from innoai.errors import ERRORS
from tests.support.tools import needs, program

ROOT = Path(__file__).parents[2]
JS = ROOT / "sdks/js"
SUITE = ROOT / "sdks/conformance"
MODULES = JS / "node_modules"
LIMIT = 300.0
"""Seconds that a tool has; it needs a tenth of them when nothing else runs."""

CONFORMANCE = "conformance.test.mjs"
OTHERS = sorted(path.name for path in (JS / "test").glob("*.test.mjs") if path.name != CONFORMANCE)

pytestmark = needs("node", "npm", MODULES / "openai", MODULES / "typescript", MODULES / "@biomejs")


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A tool in the SDK's folder; what it says is shown where it fails."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("INNOAI_")}
    ended = subprocess.run(
        [program(command[0]), *command[1:]],
        cwd=JS,
        env={**inherited, "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def run_tests(name: str, **environment: str) -> None:
    """A file of the SDK's tests; they find the server's command and Python where this one is."""
    python = Path(sys.executable)
    found = {"INNOAI_PYTHON": str(python), "INNOAI_BIN": str(python.parent)}
    run("node", "--test", "--test-reporter=spec", f"test/{name}", **found, **environment)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`dist` as the sources make it; it is put into its place only if it was not, since others import it."""
    fresh = tmp_path_factory.mktemp("js") / "dist"
    run(str(MODULES / ".bin/tsc"), "-p", "tsconfig.build.json", "--outDir", str(fresh))
    if _contents(fresh) != _contents(JS / "dist"):
        run("npm", "run", "build")
    assert _contents(fresh) == _contents(JS / "dist")
    return JS / "dist"


@pytest.fixture(scope="module")
def packed(built: Path) -> dict[str, Any]:
    """What `npm pack` would publish."""
    assert built.is_dir()
    command = ("npm", "pack", "--dry-run", "--json", "--silent", "--ignore-scripts")
    told = json.loads(run(*command).stdout)
    # A list of packages; from npm 12 on they are told by name.
    (package,) = told.values() if isinstance(told, dict) else told
    described: dict[str, Any] = package
    return described


def test_what_is_packed_is_built_before() -> None:
    scripts = json.loads((JS / "package.json").read_text("utf-8"))["scripts"]
    assert scripts["prepack"] == "npm run build"


def test_the_package_holds_the_build_and_the_papers_alone(packed: dict[str, Any]) -> None:
    papers = {file["path"] for file in packed["files"] if not file["path"].startswith("dist/")}
    assert papers == {"CHANGELOG.md", "LICENSE", "README.md", "package.json"}
    built = {file["path"] for file in packed["files"]} - papers
    sources = {path.relative_to(JS / "src").with_suffix("") for path in (JS / "src").rglob("*.ts")}
    assert built == {f"dist/{source}{suffix}" for source in sources for suffix in (".js", ".d.ts")}


@pytest.mark.usefixtures("built")
def test_types_and_style_are_clean() -> None:
    run("npm", "run", "check")


def test_the_library_imports_openai_alone(built: Path) -> None:
    """So that it runs wherever there are fetch and WebCrypto."""
    specifier = re.compile(r"""(?:\bfrom\s*|\bimport\s*\(?\s*)["']([^"']+)["']""")
    found = {name for path in built.rglob("*.js") for name in specifier.findall(path.read_text("utf-8"))}
    assert {name for name in found if not name.startswith(".")} == {
        "openai",
        "openai/core/pagination",
        "openai/core/resource",
        "openai/core/streaming",
    }


def test_webhooks_and_audit_need_no_other_package(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "dist")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    program_text = (
        "const { verify } = await import('./dist/webhooks.js'); await import('./dist/audit.js');"
        "console.log(await verify('a', 'b', 'c'));"
        "await import('./dist/index.js').catch(({ message }) => console.log(message.includes('openai')));"
    )
    shown = subprocess.run(
        [program("node"), "--input-type=module", "-e", program_text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=LIMIT,
    )
    assert shown.stdout.split() == ["false", "true"]


@pytest.mark.timeout(LIMIT)
def test_each_vector_of_the_conformance_suite_passes(packed: dict[str, Any], tmp_path: Path) -> None:
    out = Path(os.environ.get("INNOAI_CONFORMANCE_OUT", tmp_path / "js.json"))
    run_tests(CONFORMANCE, INNOAI_CONFORMANCE_OUT=str(out))
    table = json.loads(out.read_text("utf-8"))
    assert (table["sdk"], table["version"]) == ("js", packed["version"])
    assert all(result["passed"] for result in table["results"])
    assert {(result["suite"], result["case"]) for result in table["results"]} == _vectors()


@pytest.mark.timeout(LIMIT)
@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", OTHERS)
def test_its_own_tests_pass(name: str) -> None:
    run_tests(name)


@pytest.mark.usefixtures("built")
def test_every_code_of_the_server_has_a_class() -> None:
    program_text = (
        "import { typedError } from './dist/errors.js';"
        "const codes = JSON.parse(process.argv[1]);"
        "const made = (code) => typedError(400, { error: { code } }, '', new Headers());"
        "console.log(JSON.stringify(codes.map((code) => made(code)?.name ?? null)));"
    )
    codes = list(ERRORS)
    made = json.loads(run("node", "--input-type=module", "-e", program_text, json.dumps(codes)).stdout)
    assert made == ["".join(word.capitalize() for word in code.split("_")) for code in codes]


def _contents(folder: Path) -> dict[str, bytes]:
    """The files below, by their paths."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _vectors() -> set[tuple[str, str]]:
    """Every case of every file, whichever member lists it."""
    return {
        (path.stem, case["name"])
        for path in SUITE.glob("*.json")
        for cases in json.loads(path.read_text("utf-8")).values()
        for case in cases
    }
