"""Ends the parts of `nightcast up` when `up` itself was killed and cannot.

Reads the groups to end from standard input, `+123` for one that began and `-123` for one that is over. That closes
when `up` is gone, however it went. Uses the standard library alone and stays small: it waits for months.
"""

import os
import signal
import sys
from contextlib import suppress


def main() -> None:
    """Wait, then end every group that is left."""
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
