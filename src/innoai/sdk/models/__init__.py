"""What the control plane answers, as openai's models: unknown members are kept, nothing is refused."""

from __future__ import annotations
