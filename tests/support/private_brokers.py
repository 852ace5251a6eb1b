"""A RabbitMQ and a Redis of the tests' own: free ports, own folders, nothing of the machine's servers."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from private_orthanc import free_port

START_SECONDS = 60.0


@contextmanager
def redis_server(program: str, folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk, and give its URL."""
    port = free_port()
    command = [
        program,
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
        "--dir",
        str(folder),
    ]
    with _running(command, folder, {}, lambda: _greets(port, b"PING\r\n", b"+PONG")):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rabbitmq_server(program: str, folder: Path, given: dict[str, str]) -> Iterator[str]:
    """Run a RabbitMQ node and give its URL.

    Args:
        program: its start script.
        folder: where everything of it lies.
        given: the environment that names its user, password and virtual host, as in a container.
    """
    port, distribution, mapper = free_port(), free_port(), free_port()
    configuration = folder / "rabbitmq.conf"
    configuration.write_text(f"listeners.tcp.local = 127.0.0.1:{port}\n")
    (folder / "rabbitmq-env.conf").write_text("")
    environment = given | {
        "HOME": str(folder),  # the cookie lies there
        "RABBITMQ_NODENAME": f"retinagate-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_FLAGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # A node that finds no port mapper starts one that outlives it; this one ends with us.
    with (
        _running(["/usr/bin/epmd", "-port", str(mapper)], folder, environment, lambda: _greets(mapper, b"", b"")),
        _running([program], folder, environment, lambda: _greets(port, b"AMQP\x00\x00\x09\x01", b"\x01")),
    ):
        user, password = given["RABBITMQ_DEFAULT_USER"], given["RABBITMQ_DEFAULT_PASS"]
        yield f"amqp://{user}:{password}@127.0.0.1:{port}/{given['RABBITMQ_DEFAULT_VHOST']}"


@contextmanager
def _running(
    command: list[str], folder: Path, environment: dict[str, str], answers: Callable[[], bool]
) -> Iterator[None]:
    output = folder / f"{Path(command[0]).name}.log"
    with output.open("ab") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{command[0]} did not start:\n{output.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, number)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    continue


def _greets(port: int, greeting: bytes, answer: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(greeting)
            return connection.recv(len(answer)) == answer if answer else True
    except OSError:
        return False
