"""Settings: file, then environment; anything unknown or wrong stops the start with one sentence and never shows a value."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casebook.errors import Misconfigured
from casebook.words import Product
from gateway.configuration import load


def _load(tmp_path: Path, toml: str = "", **environment: str):
    (tmp_path / "retinagate.toml").write_text(toml)
    return load({"RETINAGATE_HOME": str(tmp_path), **environment})


def test_without_anything_all_is_on_loopback(tmp_path: Path) -> None:
    settings = load({"RETINAGATE_HOME": str(tmp_path)})
    assert (settings.listener.host, settings.listener.port, settings.listener.ae_title) == (
        "127.0.0.1", 11112, "RETINAGATE",
    )  # fmt: skip
    assert (settings.dashboard.host, settings.dashboard.port) == ("127.0.0.1", 8080)
    assert settings.broker.url == "memory://"
    assert settings.archive_path == tmp_path / "archive"
    assert settings.database_url == f"sqlite:///{tmp_path / 'casebook.sqlite3'}"
    assert load({}).home == Path("retinagate-home")


def test_the_environment_wins_over_the_file_key_by_key(tmp_path: Path) -> None:
    settings = _load(
        tmp_path,
        "[listener]\nport = 104\nae_title = 'FUNDUS'\n[cases]\nquiet_seconds = 5\n",
        RETINAGATE__LISTENER__PORT="11113",
        RETINAGATE__DESTINATIONS='[{"name":"pacs","ae_title":"PACS","host":"10.0.0.5","port":4242,"products":["sr"]}]',
    )
    assert (settings.listener.port, settings.listener.ae_title) == (11113, "FUNDUS")
    assert settings.cases.quiet_seconds == 5
    assert settings.destinations[0].products == (Product.SR,)


def test_another_file_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[dashboard]\nport = 9000\n")
    assert load({"RETINAGATE_HOME": str(tmp_path)}, other).dashboard.port == 9000
    with pytest.raises(Misconfigured, match="no settings file"):
        load({}, tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("toml", "environment", "says"),
    [
        ("[listner]\nport = 1\n", {}, "no section listner (in retinagate.toml). Did you mean listener?"),
        ("[listener]\nprot = 1\n", {}, "no key listener.prot (in retinagate.toml). Did you mean port?"),
        ("[listener]\nport = 99999\n", {}, "listener.port must be at most 65535 (retinagate.toml line 2)"),
        ("[cases]\nquiet_seconds = 'soon'\n", {}, "cases.quiet_seconds must be a number (retinagate.toml line 2)"),
        ("[model]\ndevice = 'tpu'\n", {}, "model.device must be one of 'auto', 'cpu' or 'cuda'"),
        ("[[destinations]]\nname = 'pacs'\nhost = 'h'\nport = 0\nae_title = 'A'\n", {}, "destinations[0].port must be"),
        ("[[destinations]]\nname = 'pacs'\nhost = 'h'\nae_title = 'A'\n", {}, "destinations[0].port is missing"),
        (
            "[[destinations]]\nname = 'loopback'\nhost = 'h'\nport = 1\nae_title = 'A'\n",
            {},
            "destinations is wrong: the name loopback is reserved for the results of synthetic eyes",
        ),
        ("[listener]\nport = \n", {}, "not valid TOML (line 2)"),
        ("", {"RETINAGATE__LISTNER__PORT": "1"}, "RETINAGATE__LISTNER__PORT. Did you mean RETINAGATE__LISTENER...?"),
        ("", {"RETINAGATE__LISTENER__PROT": "1"}, "RETINAGATE__LISTENER__PROT. Did you mean port?"),
        ("", {"RETINAGATE_PORT": "1"}, "environment variable RETINAGATE_PORT"),
        ("", {"RETINAGATE__LISTENER__PORT": "many"}, "listener.port must be a whole number"),
        ("", {"RETINAGATE__DESTINATIONS": "[{"}, "RETINAGATE__DESTINATIONS does not hold valid JSON"),
        ("", {"RETINAGATE__DESTINATIONS__0": "x"}, "takes the whole list as JSON"),
        ("", {"RETINAGATE__LISTENER": "x"}, "environment variable RETINAGATE__LISTENER"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    tmp_path: Path, toml: str, environment: dict[str, str], says: str
) -> None:
    with pytest.raises(Misconfigured) as wrong:
        _load(tmp_path, toml, **environment)
    assert says in str(wrong.value)
    assert "\n" not in str(wrong.value)


@pytest.mark.parametrize(
    ("toml", "environment"),
    [
        ("[database]\nurl = ['SECRET7F3A']\n", {}),
        ("[database]\nurl = 'postgresql://u:SECRET7F3A@h/n'\nulr = 'SECRET7F3A'\n", {}),
        ("database = 'SECRET7F3A'\n", {}),
        ("", {"RETINAGATE__LISTENER__PORT": "SECRET7F3A"}),
        ("", {"RETINAGATE__DESTINATIONS": '["SECRET7F3A"]'}),
        ("", {"RETINAGATE__DESTINATIONS": '[{"name":"SECRET7F3A"}]'}),
    ],
)
def test_a_wrong_value_is_never_shown(tmp_path: Path, toml: str, environment: dict[str, str]) -> None:
    with pytest.raises(Misconfigured) as wrong:
        _load(tmp_path, toml, **environment)
    assert "SECRET7F3A" not in str(wrong.value)


@given(text=st.text(max_size=80))
def test_no_file_whatever_is_in_it_ends_in_a_stack_trace(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / "retinagate.toml").write_text(text, encoding="utf-8", errors="replace")
    try:
        load({"RETINAGATE_HOME": str(folder)})
    except Misconfigured as wrong:
        assert wrong.remedy
