"""A full disk is one line."""

from __future__ import annotations

import errno

import pytest

from flows import commands


def test_a_full_disk_is_one_line_and_any_other_fault_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(number: int) -> None:
        def fail() -> None:
            raise OSError(number, "what the system says", "mlruns/promotions.jsonl")

        monkeypatch.setattr(commands, "app", fail)

    failing(errno.ENOSPC)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert told.startswith("nightcast: the disk is full (") and told.count("\n") == 1
    assert "mlruns/promotions.jsonl" in told
    failing(errno.EACCES)
    with pytest.raises(PermissionError):
        commands.main()
