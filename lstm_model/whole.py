"""Files that are there whole or not at all, wherever a process is killed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def write_whole(file: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside its place, then put it there in one step; its folder is made.

    What cannot be written whole leaves nothing behind.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        write(scratch)
        scratch.replace(file)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def write_text_whole(file: Path, text: str) -> None:
    """The same for a text, as UTF-8."""
    write_whole(file, lambda scratch: scratch.write_text(text, encoding="utf-8"))
