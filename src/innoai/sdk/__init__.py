"""The Python client. It knows the HTTP contract alone and imports nothing else of innoai."""

from __future__ import annotations
