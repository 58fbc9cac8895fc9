"""What a soak found, for people and for results/."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from benchmarks.soak.accounts import Accounts
    from benchmarks.soak.watch import Sample


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one soak; `wrong` has a sentence for each thing that did not hold."""

    seconds: float
    answers: int
    refused: int
    accounts: Accounts
    samples: Sequence[Sample]
    after: Sample
    grown_mb: float
    deaths: int
    wrong: Sequence[str]

    @property
    def text(self) -> str:
        """A table."""
        half = self.samples[len(self.samples) // 2 :]
        rows = [
            ("load", f"{self.seconds:,.0f} s"),
            ("answers that began", f"{self.answers:,} ({self.answers / self.seconds:,.0f}/s)"),
            ("of these while the model server was gone, 502", f"{self.refused:,}"),
            ("deaths of the model server", f"{self.deaths}"),
            ("requests that the model server served", f"{self.accounts.served:,}"),
            ("usage records in the store", f"{self.accounts.recorded:,}"),
            ("records lost, doubled or of another request", f"{len(self.accounts.wrong)} kinds"),
            ("memory (RssAnon) at the start, in the middle, at the end", self._memory()),
            ("growth over the second half", f"{self.grown_mb:+.1f} MB"),
            ("most files open, and at rest", f"{max(s.files for s in half)}, {self.after.files}"),
            ("most connections to the model server", f"{max(s.busy + s.idle for s in half)}"),
            ("at rest: at work, idle, tasks", f"{self.after.busy}, {self.after.idle}, {self.after.tasks}"),
        ]
        lines = ["| what | figure |", "| --- | --- |", *(f"| {what} | {figure} |" for what, figure in rows)]
        return "\n".join(lines)

    def write(self, folder: Path, facts: Mapping[str, str]) -> None:
        """Leave soak.md in `folder`."""
        held = (
            "Everything held."
            if not self.wrong
            else "\n".join(f"- does not hold: {each}" for each in self.wrong)
        )
        told = "\n".join(f"- {fact}: {value}" for fact, value in facts.items())
        (folder / "soak.md").write_text(f"# Latest run of `make soak`\n\n{self.text}\n\n{held}\n\n{told}\n")

    def _memory(self) -> str:
        places = (self.samples[0], self.samples[len(self.samples) // 2], self.samples[-1])
        return ", ".join(f"{place.memory_mb:.0f}" for place in places) + " MB"
