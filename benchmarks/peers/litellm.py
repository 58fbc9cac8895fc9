"""LiteLLM's proxy from PyPI: one worker for the one core, a master key, no database."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from benchmarks.peers.installed import python_packages, version_of
from benchmarks.peers.peer import Peer, Target
from benchmarks.processes import GATEWAY_CORE, free_port, running
from benchmarks.workloads import MODEL, WORKLOADS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from benchmarks.upstream import Origins

PACKAGE = "litellm[proxy]"
KEY = "sk-benchmark"
# As its page on production says: no debug output, one worker a core, its own copy of the price list.
ENVIRONMENT = {
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "NO_DOCS": "True",
}
SETTINGS = """
general_settings:
  master_key: {key}
litellm_settings:
  set_verbose: false
  json_logs: true
  telemetry: false
  num_retries: 0
model_list:
{models}
"""
ENTRY = """  - model_name: {name}
    litellm_params: {{ model: openai/{model}, api_base: "{base_url}", api_key: upstream-key }}"""


class LiteLLM(Peer):
    """The gateway in Python that people take first."""

    name: ClassVar[str] = "LiteLLM"

    def version(self) -> str:
        """As installed."""
        return (
            f"LiteLLM {version_of(python_packages('litellm', PACKAGE), 'litellm')} (master key, no database)"
        )

    @contextmanager
    def running(self, folder: Path, upstream: Origins) -> Iterator[Target]:
        """One worker."""
        programs = python_packages("litellm", PACKAGE)
        models = "\n".join(
            ENTRY.format(name=workload.model, model=MODEL, base_url=f"{upstream.of(workload)}{workload.path}")
            for workload in WORKLOADS
        )
        settings = folder / "litellm.yaml"
        settings.write_text(SETTINGS.format(key=KEY, models=models))
        port = free_port()
        options = [
            "--config",
            str(settings),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--num_workers",
            "1",
        ]
        command = [str(programs / "litellm"), *options]
        with running(
            command, core=GATEWAY_CORE, port=port, folder=folder, environment=ENVIRONMENT, patience=120
        ) as pid:
            yield Target(pid, f"http://127.0.0.1:{port}", KEY)
