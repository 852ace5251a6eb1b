"""Image and compose file, as far as they can be proven where no engine runs: every name in them leads somewhere (S23)."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import compose
import pytest
import yaml

from casebook.settings import Settings
from dicom_listener.callers import Callers
from gateway.cli import main
from gateway.configuration import load

ROOT = compose.FOLDER.parent
DOCKERFILE = compose.FOLDER / "Dockerfile"
GIVEN = compose.example() | compose.SECRETS
SERVICES = compose.services(GIVEN)
OURS = [name for name, service in SERVICES.items() if service["image"].startswith("retinagate:")]
WHOLE = yaml.safe_load(compose.FILE.read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def _instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and what stands behind them."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in text.splitlines() if line.strip()]


def _of(name: str) -> list[str]:
    return [rest for instruction, rest in _instructions() if instruction == name]


def _copied() -> list[str]:
    """Return what is copied out of the repository."""
    return [source for rest in _of("COPY") if not rest.startswith("--from=") for source in rest.split()[:-1]]


def _last_stage(name: str) -> list[str]:
    instructions = _instructions()
    begin = max(position for position, (instruction, _) in enumerate(instructions) if instruction == "FROM")
    return [rest for instruction, rest in instructions[begin:] if instruction == name]


def _settings(service: str) -> Settings:
    return load(compose.environment(service))


# The image


def test_every_source_is_in_the_repository_and_reaches_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert [line for line in lines if not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    let_through = {line.removeprefix("!") for line in lines if line.startswith("!")}
    for source in _copied():
        assert (ROOT / source).exists(), source
    assert let_through == set(_copied()), "nothing else reaches the engine"


def test_the_image_holds_every_package_of_the_wheel() -> None:
    packages = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) <= set(_copied())
    assert {PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= set(_copied())


def test_security_S22_whatever_is_installed_is_locked_by_hash() -> None:
    installs = [
        step for rest in _of("RUN") for step in rest.split("&&") if re.search(r"pip .*\b(install|wheel)\b", step)
    ]
    assert len(installs) == 4
    for step in installs:
        assert "--require-hashes -r requirements/" in step or "--no-deps" in step, step
    for lock in re.findall(r"-r (\S+)", DOCKERFILE.read_text()):
        pinned = re.findall(r"^[a-z0-9-]+==", (ROOT / lock).read_text(), re.MULTILINE)
        assert pinned
        assert (ROOT / lock).read_text().count("--hash=sha256:") >= len(pinned)
    built_with = {requirement.split(">")[0] for requirement in PROJECT["build-system"]["requires"]}
    assert all(f"{name}==" in (ROOT / "requirements/build.lock").read_text() for name in built_with)


def test_security_S23_the_image_runs_as_nobody_special() -> None:
    (user,) = _last_stage("USER")
    number, group = user.split(":")
    assert int(number) >= 1000
    assert int(group) >= 1000
    (made,) = _last_stage("RUN")
    home = SERVICES["worker"]["environment"]["RETINAGATE_HOME"]
    assert f"install --directory --owner {number} --group {group} --mode 0700 {home}" in made
    assert f"RETINAGATE_HOME={home}" in " ".join(_last_stage("ENV"))
    assert not _of("ADD"), "ADD fetches and unpacks"


def test_the_entry_point_is_the_command() -> None:
    (entry,) = _last_stage("ENTRYPOINT")
    assert json.loads(entry) == list(PROJECT["project"]["scripts"])
    defaults = Settings(home=Path("home"))
    assert _last_stage("EXPOSE") == [f"{defaults.listener.port} {defaults.dashboard.port}"]
    assert not re.search(r"PASSWORD|SECRET|TOKEN", DOCKERFILE.read_text())


def test_every_image_names_its_version() -> None:
    images = {rest.split()[0] for rest in _of("FROM")} | {service["image"] for service in SERVICES.values()}
    assert len(images) == 5
    assert [image for image in images if not re.search(r":\d+\.?\d*|@sha256:", image)] == []


# The services


def test_each_service_of_ours_runs_one_command() -> None:
    assert [(name, SERVICES[name]["command"]) for name in OURS] == [
        ("migrate", ["migrate"]), ("listener", ["listen"]), ("worker", ["work"]), ("dashboard", ["dashboard"]),
    ]  # fmt: skip
    assert all(SERVICES[name]["command"][0] in main.commands for name in OURS)
    assert set(compose.PROCESSES) == set(OURS) - {"migrate"}


@pytest.mark.parametrize("service", OURS)
def test_every_variable_is_a_setting_and_every_value_fits(service: str) -> None:
    settings = _settings(service)
    assert settings.database.url == "postgresql+psycopg://retinagate:secretofatest@postgres:5432/retinagate"
    assert settings.broker.url == "amqp://retinagate:anothersecret@rabbitmq:5672/retinagate"
    assert settings.destinations[0].host == "orthanc"
    Callers(settings.listener, clock=_StoppedClock(), resolve=lambda _: frozenset({"10.0.0.2"}))  # does not refuse
    assert settings.dashboard.behind_proxy
    assert "127.0.0.1" in settings.dashboard.allowed_hosts, "the health check calls it so"


class _StoppedClock:
    def monotonic(self) -> float:
        return 0.0


def test_all_parts_get_the_same_settings() -> None:
    assert all(compose.environment(name) == compose.environment(OURS[0]) for name in OURS)
    assert all(SERVICES[name]["volumes"] == ["data:/var/lib/retinagate"] for name in OURS), "one archive for all"


def test_security_S19_no_secret_has_a_value_until_somebody_gives_it_one() -> None:
    example = compose.example()
    assert {name for name, value in example.items() if not value} == set(compose.SECRETS)
    for name in GIVEN:
        if name != "DICOM_ADDRESS":
            with pytest.raises(KeyError, match=name):
                compose.services(GIVEN | {name: ""})
    assert "docker/.env" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", SERVICES)
def test_security_S23_every_container_is_held_small(name: str) -> None:
    service: dict[str, Any] = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert name in OURS or int(service["user"].split(":")[0]) > 0
    assert service["mem_limit"]
    assert service["pids_limit"] > 0
    assert service["cpus"] > 0
    assert service["tmpfs"]
    assert all("size=" in one for one in service["tmpfs"])
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"}
    assert "docker.sock" not in json.dumps(service)


@pytest.mark.parametrize("name", SERVICES)
def test_security_S1_ports_are_published_on_this_machine_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port


def test_security_S23_database_and_broker_reach_nobody() -> None:
    assert WHOLE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "rabbitmq"):
        assert SERVICES[name]["networks"] == ["inside"]
    assert SERVICES["orthanc"]["networks"] == ["dicom"], "a PACS sees neither"
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(WHOLE["networks"])


def test_security_S13_only_this_machine_is_believed_to_be_the_proxy() -> None:
    assert SERVICES["dashboard"]["networks"] == ["inside", "web"]
    assert [name for name, service in SERVICES.items() if "web" in service["networks"]] == ["dashboard"]
    (network,) = WHOLE["networks"]["web"]["ipam"]["config"]
    (proxy,) = _settings("dashboard").dashboard.proxy_hosts
    assert str(proxy) == f"{network['gateway']}/32"


def test_every_name_in_the_compose_file_leads_somewhere() -> None:
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in WHOLE["volumes"] or (compose.FOLDER / source).is_file(), volume
    build = SERVICES["worker"]["build"]
    assert (compose.FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).resolve() == DOCKERFILE
    assert SERVICES["worker"]["image"] == f"retinagate:{PROJECT['project']['version']}"


def test_health_is_asked_where_something_answers() -> None:
    for name in ("listener", "dashboard"):
        call, program, option, code = SERVICES[name]["healthcheck"]["test"]
        assert (call, program, option) == ("CMD", "python", "-c")
        compile(code, name, "exec")
    assert "/healthz" in SERVICES["dashboard"]["healthcheck"]["test"][-1]
    assert {"postgres", "rabbitmq"} <= {name for name, service in SERVICES.items() if "healthcheck" in service}


def test_the_pacs_to_try_with_knows_us_and_we_know_it() -> None:
    pacs, settings = json.loads(compose.PACS.read_text()), _settings("worker")
    (destination,) = settings.destinations
    assert (destination.ae_title, destination.port) == (pacs["DicomAet"], pacs["DicomPort"])
    title, host, port = pacs["DicomModalities"]["retinagate"]
    assert (title, host, port) == (settings.listener.ae_title, "listener", settings.listener.port)
    assert (pacs["DicomAet"], "orthanc") in {
        (caller.ae_title, caller.host) for caller in settings.listener.allowed_callers
    }


def test_the_commands_in_comments_and_documents_name_real_files() -> None:
    for text in (compose.FILE.read_text(), DOCKERFILE.read_text(), compose.EXAMPLE.read_text()):
        for command in re.findall(r"docker (?:compose|build) (.*)", text):
            words = shlex.split(command)
            assert (ROOT / words[words.index("-f") + 1]).is_file(), command


# The GPU worker


def test_the_gpu_worker_is_the_usual_worker_with_torch() -> None:
    text = re.sub(r"^#.*\n", "", (compose.FOLDER / "Dockerfile.gpu").read_text(), flags=re.MULTILINE)
    lines = dict(line.split(" ", 1) for line in text.strip().splitlines())
    assert lines["FROM"] == SERVICES["worker"]["image"]
    assert json.loads(lines["CMD"]) == SERVICES["worker"]["command"]
    assert [f"USER {lines['USER']}"] == [f"USER {user}" for user in _last_stage("USER")], "at last nobody special again"
    environment = re.search(r"--python (\S+)/bin/python", lines["RUN"])
    assert environment
    assert f"PATH={environment.group(1)}/bin:" in " ".join(_last_stage("ENV"))
    installed = re.findall(r"'([a-z]+)[^']*'", lines["RUN"])
    assert installed == ["torch", "safetensors"]


def test_the_gpu_compose_file_changes_the_worker_and_nothing_else() -> None:
    overlay = yaml.safe_load((compose.FOLDER / "compose.gpu.yaml").read_text())
    assert overlay.keys() == {"services"}
    assert overlay["services"].keys() == {"worker"}
    worker = overlay["services"]["worker"]
    assert (ROOT / worker["build"]["dockerfile"]).is_file()
    assert worker["image"].endswith(f":{PROJECT['project']['version']}")
    assert load(compose.environment("worker") | worker["environment"]).model.device == "cuda"
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    assert not worker.keys() & {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices", "read_only"}
