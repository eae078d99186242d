"""A registry outside of the workspace: a team's PostgreSQL, or an MLflow server that somebody else runs.

It may be away for a while: what opens it waits, a connection that broke is made anew, and what was cut off in the
middle is done again. And it may be seen from other workspaces: one of them owns the registered model.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4

import httpx
import sqlalchemy as sa
from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from lstm_model.errors import NightcastError, first_line
from lstm_model.loopback import is_loopback
from lstm_model.registry.promotion_log import IN_PLACE, PromotionLog
from lstm_model.servers import PATIENCE_SECONDS, database, elsewhere, login, reach_database
from lstm_model.settings import ServerSettings
from lstm_model.whole import write_text_whole
from lstm_model.workspace import Workspace

log = logging.getLogger("nightcast.registry")

_OWNER = "workspace"
_NAME_FILE = "workspace-name"
_OURS = "nightcast"
_MIGRATIONS = 0x6E69676874  # any number that nobody else locks in that database
_CUT_OFF = "TEMPORARILY_UNAVAILABLE"
_TRIES = 2
_LOOK_SECONDS = 0.5
_ANSWER_SECONDS = 5.0
_SERVER_ERROR = 500

P = ParamSpec("P")
R = TypeVar("R")


def address(server: ServerSettings) -> str:
    """What MLflow is told of a registry outside of the workspace; a database's has its password in it.

    Raises:
        SettingsError: the environment does not say a secret that the address refers to.
    """
    if (there := elsewhere(server, "mlflow")) is not None:
        return there
    url = database(server, "mlflow", os.environ, "psycopg")
    assert url is not None, f"server.mlflow = {server.mlflow!r} names nothing"
    return f"{url}{'&' if '?' in url else '?'}fallback_application_name={_OURS}"


def reach(server: ServerSettings) -> None:
    """See that the registry answers, and be known to it; one that is on its way up is waited for.

    Raises:
        NightcastError: it does not answer.
        SettingsError: the environment does not say a secret that the address refers to.
    """
    there = elsewhere(server, "mlflow")
    if there is None:
        reach_database(server, "mlflow", os.environ)
        return
    user, _, password = login(server, "mlflow", os.environ).partition(":")
    if user:
        os.environ.update({"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password})
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (fault := _fault_of(there)) is not None:
        if time.monotonic() > deadline:
            raise NightcastError(
                f"server.mlflow: {there} does not answer ({fault}); start that server, or mend mlflow under [server]"
            )
        time.sleep(_LOOK_SECONDS)


def make_tables(url: str) -> None:
    """MLflow's tables in an empty database, made by MLflow itself and by one process at a time."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATIONS})
        if not has_tables(url):
            MlflowClient(url, url).search_experiments()
    engine.dispose()


def has_tables(url: str) -> bool:
    """Whether MLflow has been in a database before."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    try:
        return sa.inspect(engine).has_table("registered_models")
    finally:
        engine.dispose()


def claim(client: MlflowClient, workspace: Workspace, model: str) -> None:
    """Make this workspace the owner of the registered model, or see that it is.

    Aliases follow from the promotion log, which lies in the workspace: two of them would undo each other's champions.

    Raises:
        NightcastError: another workspace owns it.
    """
    name, tags = _name_of(workspace.mlruns), client.get_registered_model(model).tags
    owner = tags.get(_OWNER)
    if owner is None:
        last = PromotionLog(workspace).last()
        if last is not None and IN_PLACE not in tags:  # it speaks of a registry that was here before
            client.set_registered_model_tag(model, IN_PLACE, last.name)
        client.set_registered_model_tag(model, _OWNER, name)
    elif owner != name:
        raise NightcastError(
            f"server.mlflow: the registered model {model!r} there belongs to another workspace; use another database "
            f"or server, or, if that workspace is no more, delete the model's tag {_OWNER!r} there"
        )


def check_artifacts(experiment: Experiment) -> None:
    """See that the artifacts of a server elsewhere can be reached from here.

    Raises:
        NightcastError: they lie in a folder of that server's machine.
    """
    scheme, colon, _ = experiment.artifact_location.partition(":")
    if not colon or scheme == "file":
        raise NightcastError(
            f"server.mlflow: artifacts of the experiment {experiment.name!r} lie in {experiment.artifact_location}, "
            "which only that server can reach; start it with --serve-artifacts and use a fresh experiment"
        )


@contextmanager
def told_in_words(server: ServerSettings) -> Iterator[None]:
    """What a registry refuses, or why it does not open, is one line.

    Raises:
        NightcastError: in MLflow's words.
    """
    try:
        yield
    except (MlflowException, sa.exc.SQLAlchemyError) as error:
        if not server.mlflow:
            raise NightcastError(
                f"MLflow's database mlruns/mlflow.db does not open: {first_line(error)}. Forecasts go out without it; "
                "if it is locked, wait or end what holds it; if it is damaged, put mlruns back from a backup, or move "
                "it away, and the next night begins a new one"
            ) from error
        where = elsewhere(server, "mlflow") or "the database"
        raise NightcastError(f"server.mlflow: {where} says: {first_line(error)}") from error


def outlasting(do: Callable[P, R]) -> Callable[P, R]:
    """Do it again where the registry's database went away in the middle of it.

    Only for what may be done twice: of what was cut off, at most a run that failed is left.
    """

    @wraps(do)
    def done(*args: P.args, **kwargs: P.kwargs) -> R:
        for _ in range(_TRIES - 1):
            try:
                return do(*args, **kwargs)
            except (MlflowException, sa.exc.OperationalError) as error:
                if isinstance(error, MlflowException) and error.error_code != _CUT_OFF:
                    raise
                log.warning("the model registry was cut off, trying again: %s", first_line(error))
        return do(*args, **kwargs)

    return done


@sa.event.listens_for(sa.Engine, "do_connect")
def _connect_patiently(dialect: Any, record: Any, arguments: Any, parameters: Any) -> Any:
    """A connection to the registry's database; while it restarts, it is waited for."""
    if parameters.get("fallback_application_name") != _OURS:
        return None  # somebody else's; SQLAlchemy connects as ever
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return dialect.connect(*arguments, **parameters)
        except dialect.loaded_dbapi.OperationalError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_LOOK_SECONDS)


def _fault_of(there: str) -> str | None:
    """Why a server does not answer, or None."""
    by_proxy = not is_loopback(httpx.URL(there).host)
    try:
        answer = httpx.get(f"{there}/health", timeout=_ANSWER_SECONDS, trust_env=by_proxy)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return first_line(error)
    return f"{answer.status_code} {answer.reason_phrase}" if answer.status_code >= _SERVER_ERROR else None


def _name_of(mlruns: Path) -> str:
    """What tells this workspace from others, wherever its folder is; made once."""
    file = mlruns / _NAME_FILE
    if not file.is_file():
        write_text_whole(file, uuid4().hex)
    return file.read_text(encoding="utf-8")
