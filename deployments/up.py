"""`nightcast up`: Prefect server, MLflow UI and the deployments, started together, kept alive, stopped together.

It lives for months beside what it looks after and stays small: no settings, Prefect, MLflow or torch in it. Whoever
starts it says where: `python -m deployments.up HOME HOST PREFECT_PORT MLFLOW_PORT [--prefect=API] [--mlflow=ADDRESS]
[--detached]`; the two addresses are of servers that run elsewhere already.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import httpx

from deployments.parts import rotating_log
from deployments.supervisor import Plan, Supervisor
from flows.turns import UP, Tenant, make_folder, take_turn
from lstm_model.errors import NightcastError


class Voice:
    """What `up` says: on the terminal, and in up.log with the time."""

    def __init__(self) -> None:
        self._logger: logging.Logger | None = None

    def keep_in(self, log: Path) -> None:
        """Write it down, too, from now on."""
        self._logger = rotating_log(log)
        self._logger.handlers[0].setFormatter(logging.Formatter("%(asctime)s  %(message)s"))

    def say(self, line: str) -> None:
        """To be called from any thread."""
        self._speak(line, sys.stdout)

    def complain(self, error: Exception) -> None:
        """The last word."""
        self._speak(f"nightcast: {error}", sys.stderr)

    def _speak(self, line: str, where: TextIO) -> None:
        if self._logger is not None:
            self._logger.info("%s", line.strip())
        with suppress(OSError):  # a terminal that was closed is no reason to fall
            print(line, file=where, flush=True)


def _fall_silent() -> None:
    """Whoever started us in the background has heard enough, and waits for this."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def main() -> int:
    """Start everything, say where it is, and look after it until told to stop."""
    home, host, prefect_port, mlflow_port, *more = sys.argv[1:]
    elsewhere = dict(word.removeprefix("--").split("=", 1) for word in more if "=" in word)
    there = elsewhere.get("prefect"), elsewhere.get("mlflow")
    plan = Plan(Path(home), host, int(prefect_port), int(mlflow_port), *there)
    logging.raiseExceptions = False  # a disk that is full for a while is no reason to fill the terminal
    voice = Voice()
    supervisor = None
    try:
        make_folder(plan.state / "logs")
        take_turn(plan, UP, voice.say)
        voice.keep_in(plan.state / "logs" / "up.log")  # ours alone from here on
        Tenant(os.getpid(), UP).write(plan)
        plan.check_ports()
        plan.check_elsewhere(voice.say)
        supervisor = Supervisor(plan, voice.say)
        supervisor.start()
        supervisor.tell_where()
        if "--detached" in more:
            voice.say("It goes on in the background; `nightcast down` stops all of it.")
            _fall_silent()
        else:
            voice.say("\nCtrl-C stops all of it.")
        supervisor.look_after()
    except KeyboardInterrupt:
        voice.say("stopping …")
        return 0
    except (NightcastError, OSError, httpx.HTTPError) as error:
        voice.complain(error)
        return 1
    finally:
        if supervisor is not None:
            supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
