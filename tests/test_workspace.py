"""The workspace: how it is found, where settings come from, and what is said when one is impossible."""

import shutil
from pathlib import Path

import pytest

from lstm_model.errors import SettingsError
from lstm_model.workspace import SETTINGS_FILE, Workspace


@pytest.fixture
def home(tmp_path):
    (tmp_path / SETTINGS_FILE).touch()
    return tmp_path


def opened(home: Path, text: str = "", environment: dict[str, str] | None = None) -> Workspace:
    (home / SETTINGS_FILE).write_text(text, encoding="utf-8")
    return Workspace.find(home, environment or {})


def complaint(home: Path, text: str = "", environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        opened(home, text, environment)
    return str(caught.value)


def test_found_from_a_folder_below(home, monkeypatch):
    below = home / "data" / "inbox"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert Workspace.find(environment={}).home == home.resolve()


def test_the_environment_names_the_home(home, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert Workspace.find(environment={"NIGHTCAST_HOME": str(home)}).home == home.resolve()


def test_a_home_given_by_hand_beats_the_environment(home, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    assert Workspace.find(home, {"NIGHTCAST_HOME": str(other)}).home == home.resolve()


def test_every_path_lies_in_the_home(home):
    workspace = opened(home)
    paths = [getattr(workspace, name) for name in ("readings", "quarantine", "forecasts", "latest", "scores", "mlruns")]
    assert all(path.is_relative_to(workspace.home) for path in [*paths, workspace.state])


def test_a_copied_workspace_points_at_itself(home, tmp_path_factory):
    opened(home, "[model]\nhorizon = 5\n")
    copy = tmp_path_factory.mktemp("moved") / "copy"
    shutil.copytree(home, copy)
    moved = Workspace.find(copy, {})
    assert moved.readings.is_relative_to(copy.resolve())
    assert moved.settings.model.horizon == 5


@pytest.mark.parametrize(
    ("text", "unknown", "nearest"),
    [
        ("[model]\nhorizn = 3\n", "model.horizn", "horizon"),
        ("[modl]\nhorizon = 3\n", "modl", "model"),
        ("[source.cellar]\nstatoin = 'x'\n", "source.cellar.statoin", "station"),
        ("[gate]\nmargn = 0.1\n", "gate.margn", "margin"),
    ],
)
def test_an_unknown_key_names_the_nearest_valid_one(home, text, unknown, nearest):
    message = complaint(home, text)
    assert f"unknown setting {unknown!r}. Did you mean {nearest!r}?" in message
    assert str(home / SETTINGS_FILE) in message


def test_an_unknown_key_near_nothing_lists_the_valid_ones(home):
    known = "Known here: engine, gate, model, monitor, notify, quality, schedule, server, source."
    assert known in complaint(home, "zzz = 1\n")


def test_the_environment_overrides_the_file_and_says_so(home):
    workspace = opened(home, "[model]\nhorizon = 5\ncontext = 24\n", {"NIGHTCAST_MODEL__HORIZON": "12"})
    assert workspace.settings.model.horizon == 12
    assert workspace.origins == {"model.horizon": "NIGHTCAST_MODEL__HORIZON", "model.context": SETTINGS_FILE}


def test_defaults_have_no_origin(home):
    assert opened(home).origins == {}


def test_other_variables_are_nobodys_business(home):
    environment = {"NIGHTCAST_HOME": "/elsewhere", "MODEL__HORIZON": "3", "PATH": "/bin"}
    assert opened(home, environment=environment).origins == {}


def test_an_impossible_value_in_the_environment_blames_the_variable(home):
    message = complaint(home, environment={"NIGHTCAST_MODEL__HORIZON": "soon"})
    assert message.startswith("NIGHTCAST_MODEL__HORIZON: model.horizon = 'soon'")


def test_an_unknown_section_in_the_environment_blames_the_variable(home):
    assert complaint(home, environment={"NIGHTCAST_MODL__HORIZON": "3"}).startswith("NIGHTCAST_MODL__HORIZON")


@pytest.mark.parametrize(
    "text", ["[model\nhorizon = 3\n", "[model]\nhorizon = \n", "horizon\n", "[model]\nhorizon = 3\nhorizon = 4\n"]
)
def test_bad_toml_is_one_line_that_names_the_file(home, text):
    message = complaint(home, text)
    assert message.startswith(f"{home / SETTINGS_FILE}: not valid TOML")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[model]\nhorizon = 0\n", "model.horizon = 0"),
        ("[model]\nfrequency = 'banana'\n", "model.frequency = 'banana'"),
        ("[gate]\nmargin = 2\n", "gate.margin = 2"),
        ("model = 3\n", "model = 3"),
    ],
)
def test_an_impossible_value_is_one_line_with_key_value_and_way_out(home, text, found):
    message = complaint(home, text)
    assert found in message
    assert "nightcast config" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('type = "http"\npath = "inbox"', "'path' belongs to files sources, this one is type = 'http'; known here: "),
        ('type = "http"\nquery = "SELECT 1"', "'query' belongs to sql sources, this one is type = 'http'"),
        ('type = "sql"\nheaders = { X = "1" }', "'headers' belongs to http sources, this one is type = 'sql'"),
        (
            'path = "inbox"\nurl = "http://me:s3cret@x"',
            "'url' belongs to http and sql sources, this one is type = 'files'",
        ),
        (
            'type = "sample"\npath = "inbox"',
            "'path' belongs to files sources, this one is type = 'sample'; known here: nothing else",
        ),
        (
            'type = "sql"\noptions = { a = 1 }',
            "'options' belongs to types that packages bring, this one is type = 'sql'",
        ),
    ],
)
def test_a_key_of_another_type_of_source_is_refused_in_one_line(home, text, words):
    message = complaint(home, f"[source.cellar]\n{text}\n")
    assert message.startswith(f"{home / SETTINGS_FILE}: source.cellar: {words}")
    assert "\n" not in message
    assert "s3cret" not in message


def test_what_is_wrong_with_a_secret_is_told_without_it(home):
    message = complaint(home, '[source.sky]\ntype = "http"\nheaders = { Authorization = ["s3cret"] }\n')
    assert "source.sky.headers.Authorization = '***'" in message
    message = complaint(home, environment={"NIGHTCAST_SOURCE__SKY__HEADERS": "Authorization: s3cret"})
    assert "s3cret" not in message
