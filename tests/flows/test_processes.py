"""Processes as `ps` tells them, where there is no /proc."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from flows import processes
from flows.processes import Process, command_of


@pytest.mark.skipif(shutil.which("ps") is None, reason="no ps here")
def test_ps_tells_the_same_as_proc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = command_of(os.getpid())
    monkeypatch.setattr(processes, "_PROC", tmp_path)
    (me,) = (process for process in processes.processes() if process.pid == os.getpid())
    assert me == Process(os.getpid(), os.getppid(), os.getpgrp(), known)
    assert command_of(os.getpid()) == known
