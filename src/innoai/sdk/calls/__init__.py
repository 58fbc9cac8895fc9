"""What every method of the control plane sends, one file a resource: its signature, its checks, its request.

The sync and the async resources are made from these functions, so that each is written once.
"""

from __future__ import annotations
