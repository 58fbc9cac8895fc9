"""What MkDocs does for this site beside its usual work; mkdocs.yml names this file.

It runs in the site's own environment, without innoai. Pages that are made from the code come from the
directory that INNOAI_REFERENCE names (scripts.reference writes them). Entries of the navigation whose page is
not there are left out. A link from a page into the rest of the repository (`../deploy/…`) leads to a copy of
that file below `repository/`. `<!-- table of: FILE -->` becomes the tables of a file of the repository.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files, InclusionLevel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
COPIES = "repository"
LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)")
TABLE_OF = re.compile(r"<!-- table of: (\S+) -->")
SOURCE = ".txt"
"""Behind the name of a copied Markdown file, which is shown as it is: it is no page of this site."""


def on_files(files: Files, *, config: Any) -> Files:
    """Add the generated pages, and the files of the repository that pages link to."""
    made = Path(os.environ["INNOAI_REFERENCE"])
    for page in sorted(made.rglob("*.md")):
        where = f"reference/{page.relative_to(made).as_posix()}"
        files.append(File.generated(config, where, content=page.read_text("utf-8")))
    linked = {
        target
        for page in files.documentation_pages()
        for link in LINK.findall(page.content_string)
        if (target := _outside(page.src_uri, link)) is not None
    }
    for target in sorted(linked):
        content = (ROOT / target).read_bytes()
        files.append(
            File.generated(config, _copy(target), content=content, inclusion=InclusionLevel.NOT_IN_NAV)
        )
    config["nav"] = list(_present(config["nav"], files))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Point links that leave the site to the copies."""

    def pointed(found: re.Match[str]) -> str:
        target = _outside(page.file.src_uri, found[1])
        if target is None:
            return found[1]
        return posixpath.relpath(_copy(target), posixpath.dirname(page.file.src_uri) or ".")

    return TABLE_OF.sub(_tables, LINK.sub(pointed, markdown))


def _tables(found: re.Match[str]) -> str:
    lines = (ROOT / found[1]).read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("|"))


def _outside(page: str, link: str) -> str | None:
    """The file of the repository that a page's link leads to, if that is outside of docs/."""
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    if target.startswith(("docs/", "..")) or not (ROOT / target).is_file():
        return None
    return target


def _copy(target: str) -> str:
    return f"{COPIES}/{target}{SOURCE if target.endswith('.md') else ''}"


def _present(entries: list[Any], files: Files) -> Iterator[Any]:
    """The entries whose pages are there."""
    for entry in entries:
        if isinstance(entry, str):
            if files.get_file_from_path(entry) is not None:
                yield entry
            continue
        ((title, below),) = entry.items()
        if isinstance(below, list):
            if kept := list(_present(below, files)):
                yield {title: kept}
        elif files.get_file_from_path(below) is not None:
            yield entry
