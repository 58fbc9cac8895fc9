"""The gateways that are measured: one file each, named in PEERS. The first is the limit of the others.

A new peer is a module with a subclass of `Peer` here, and one more entry in PEERS.
"""

from __future__ import annotations

from benchmarks.peers.innoai import Innoai
from benchmarks.peers.litellm import LiteLLM
from benchmarks.peers.naive import Naive
from benchmarks.peers.nginx import Nginx, NginxAsItComes, NginxAuthRequest
from benchmarks.peers.portkey import Portkey

QUICK_PEERS = (Nginx(), Innoai())
PEERS = (*QUICK_PEERS, NginxAsItComes(), NginxAuthRequest(), Naive(), Portkey(), LiteLLM())
