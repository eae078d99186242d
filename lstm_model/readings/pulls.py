"""Where a pull began that did not end: rows that come in any order say nothing of those that did not come."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from lstm_model.whole import write_text_whole


class Pull:
    """One source's pull. Begun before the first row, ended once every row is kept; in between, the file stays.

    file: `.nightcast/pulls/SOURCE.json`, the watermark that the pull began with.
    """

    def __init__(self, state: Path, source: str) -> None:
        self._file = state / "pulls" / f"{quote(source, safe='')}.json"

    def begin(self, watermark: pd.Timestamp | None) -> pd.Timestamp | None:
        """From when on to ask: the watermark, or the one that an unfinished pull began with."""
        since = watermark
        if self._file.is_file():
            said = json.loads(self._file.read_text(encoding="utf-8"))
            since = None if said is None or since is None else min(pd.Timestamp(said), since)
        write_text_whole(self._file, json.dumps(None if since is None else since.isoformat()))
        return since

    def end(self) -> None:
        """Every row is kept."""
        self._file.unlink(missing_ok=True)
