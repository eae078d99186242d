"""A server that goes for good in the middle of a command costs one line, and not a traceback."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from prefect.exceptions import PrefectHTTPStatusError

from flows.steps import loss_in_words
from lstm_model.errors import NightcastError
from lstm_model.workspace import Workspace


def answer(code: int) -> PrefectHTTPStatusError:
    request = httpx.Request("POST", "http://127.0.0.1:4200/api/flow_runs/1/set_state")
    return PrefectHTTPStatusError(f"Server error '{code}'\nmore", request=request, response=httpx.Response(code))


@pytest.mark.parametrize("fault", [answer(500), httpx.ConnectError("All connection attempts failed")])
def test_it_is_one_line_that_says_where_the_forecast_is(tmp_path: Path, fault: Exception) -> None:
    with pytest.raises(NightcastError) as told, loss_in_words(Workspace.find(tmp_path, {})):
        raise fault
    assert "\n" not in str(told.value)
    assert "went away and did not come back" in str(told.value)
    assert "predictions/latest.csv has the forecast that went out last" in str(told.value)


def test_whatever_else_goes_wrong_is_told_as_ever(tmp_path: Path) -> None:
    for fault in (answer(404), ValueError("it burst")):
        with pytest.raises(type(fault)), loss_in_words(Workspace.find(tmp_path, {})):
            raise fault
