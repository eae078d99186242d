"""Who is asking: the account that a command or a flow runs under."""

from __future__ import annotations

import getpass
import os
import socket


def account() -> str:
    """`user@host`, for the promotion log."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
