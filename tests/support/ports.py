"""Ports for servers that cannot say which one they chose."""

from __future__ import annotations

import random
import socket

_BELOW_THE_EPHEMERAL = range(20_000, 32_000)
"""Where no system takes the ports of outgoing connections from, so that nobody gets one by chance."""


def free_port() -> int:
    """A port of the loopback interface at which nothing listens.

    Chosen at random, since tests in other processes choose as well.
    """
    while True:
        port = random.choice(_BELOW_THE_EPHEMERAL)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
