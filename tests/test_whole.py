"""A file is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lstm_model.whole import write_whole


def test_what_breaks_off_leaves_the_older_file_and_nothing_else(tmp_path: Path) -> None:
    def break_off(scratch: Path) -> None:
        scratch.write_text("half")
        raise OSError(28, "No space left on device")

    (tmp_path / "a.csv").write_text("whole")
    with pytest.raises(OSError, match="No space"):
        write_whole(tmp_path / "a.csv", break_off)
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "whole"
