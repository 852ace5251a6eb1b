"""The first start makes one user, whose password is shown this once and is for one time."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from casebook import audit
from casebook.archive import Archive
from casebook.database import Database
from casebook.models import AuditRow, Role, User
from casebook.settings import Settings
from gateway.house import House
from gateway.up import _CONSONANTS, _VOWELS, _first_admin


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'casebook.sqlite3'}"


def test_security_S1_the_one_time_password_has_96_bits_is_shown_once_and_valid_for_a_day(
    database: Database, archive: Archive, clock: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    house = House(Settings(home=tmp_path), database, archive, clock, "a-test-installation")
    password = _first_admin(house)
    assert password is not None
    assert re.fullmatch(rf"((^| )([{_CONSONANTS}][{_VOWELS}]){{2}}){{8}}", password)
    assert (len(set(_CONSONANTS)) * len(set(_VOWELS))) ** 16 == 2**96
    assert _first_admin(house) is None
    with database.reading() as t:
        user = t.query(User).one()
        assert (user.name, user.role, user.must_change) == ("admin", Role.ADMIN, True)
        assert user.password_expires_at == clock.now() + timedelta(hours=24)
        assert audit.first_broken(t) is None
        assert t.query(AuditRow).one().action == "user.add"
    assert password not in caplog.text
