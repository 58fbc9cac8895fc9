"""The gateways that are measured: one file each, named in PEERS. The first is the limit of the others.

A new peer is a module with a subclass of `Peer` here, and one more entry in PEERS.
"""

from __future__ import annotations

from benchmarks.peers.innoai import Innoai
from benchmarks.peers.nginx import Nginx

PEERS = (Nginx(), Innoai())
