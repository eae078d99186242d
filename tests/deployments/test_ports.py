"""A port that is taken and an address that is not ours are told apart."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from deployments.supervisor import Plan
from lstm_model.errors import NightcastError


def test_a_taken_port_is_named_with_who_has_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(NightcastError, match=rf"127\.0\.0\.1:{port} is taken by process {os.getpid()}, "):
            Plan(tmp_path, "127.0.0.1", port, port).check_ports()


def test_an_address_of_another_machine_is_not_called_taken(tmp_path: Path) -> None:
    with pytest.raises(NightcastError) as refused:
        Plan(tmp_path, "192.0.2.1", 4199, 4198).check_ports()  # an address kept for examples
    assert str(refused.value) == (
        f"cannot listen at 192.0.2.1:4199: {os.strerror(errno.EADDRNOTAVAIL)}; see host and prefect_port under "
        f"[server] in {tmp_path / 'nightcast.toml'}"
    )
