"""A PostgreSQL that is away, silent or full is one sentence, soon; never a traceback and never a wait without end."""

import socket

import pytest
from sqlalchemy import make_url, text

from casebook.database import Database
from casebook.errors import Unavailable

SILENT_MILLISECONDS = 10_000


def _nowhere(url: str) -> str:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refuses, and nobody else can take it meanwhile
        return make_url(url).set(port=taken.getsockname()[1]).render_as_string(hide_password=False)


@pytest.mark.parametrize("ask", ["check_schema", "schema", "schema_revision", "create_schema"])
def test_F7_asking_for_the_schema_of_a_database_that_is_away_is_one_sentence(postgresql_url: str, ask: str) -> None:
    database = Database(_nowhere(postgresql_url))
    with pytest.raises(Unavailable, match="database cannot be reached"):
        getattr(database, ask)()
    database.close()


def test_F7_waiting_for_a_connection_ends(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    pool = database.engine.pool
    assert pool.timeout() <= 10
    pool._timeout = 0.1
    held = [database.engine.connect() for _ in range(pool.size() + pool._max_overflow)]
    with pytest.raises(Unavailable), database.reading():
        pass
    for connection in held:
        connection.close()
    with database.reading() as t:
        assert t.scalar(text("SELECT 1")) == 1
    database.close()


def test_F7_a_host_that_died_without_a_word_is_noticed(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.engine.connect() as connection:
        number = connection.connection.driver_connection.fileno()
        with socket.socket(fileno=socket.dup(number)) as line:
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == SILENT_MILLISECONDS
            patience = line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            patience += line.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) * line.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_KEEPCNT
            )
            assert patience <= 20, "a connection that only waits for an answer"
    database.close()
