"""The login page, logging out, choosing a new password: cookies to the letter, one sentence for every failure."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.testclient import TestClient
from visitor import PASSWORD, QUICK, Visitor, add_person

from casebook import words
from casebook.archive import Archive
from casebook.database import Database
from casebook.models import AuditRow, FailedLogin, Role, Session
from casebook.settings import Dashboard
from dashboard.app import make_app
from dashboard.login import own_path

NEW = "another horse entirely"


@pytest.fixture
def visitor(app: FastAPI, database: Database, clock: Any) -> Visitor:
    add_person(database, clock, "Reader")
    return Visitor(app)


def test_H7_on_plain_http_loopback_the_cookie_is_bare_but_closed(visitor: Visitor) -> None:
    answer = visitor.sign_in("reader")
    session, form = answer.headers.get_list("set-cookie")
    assert session == f"retinagate={visitor.cookies['retinagate']}; HttpOnly; Path=/; SameSite=strict"
    assert form.startswith('retinagate-login=""; expires=')


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_H7_behind_a_tls_proxy_the_cookie_is_bound_to_the_host(
    database: Database, archive: Archive, clock: Any, host: str
) -> None:
    add_person(database, clock, "Reader")
    app = make_app(
        Dashboard(host=host, behind_proxy=True, allowed_hosts=("eyes.clinic",)),
        database,
        archive,
        clock,
        passwords=QUICK,
    )
    visitor = Visitor(app, host="eyes.clinic", over_tls=True)
    opened = visitor.get("/login")
    assert opened.headers["set-cookie"] == (
        f"__Host-retinagate-login={visitor.cookies['__Host-retinagate-login']}; HttpOnly; Path=/; SameSite=strict; Secure"
    )
    answer = visitor.sign_in("reader")
    assert answer.status_code == 303
    assert answer.headers.get_list("set-cookie")[0] == (
        f"__Host-retinagate={visitor.cookies['__Host-retinagate']}; HttpOnly; Path=/; SameSite=strict; Secure"
    )
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    headers = {"Origin": "http://eyes.clinic", "X-CSRF-Token": visitor.csrf}
    assert visitor.client.post("/logout", headers=headers).status_code == 403  # http:// is not where we are


def test_H5_a_session_set_before_the_login_is_not_the_one_after_it(visitor: Visitor, database: Database) -> None:
    visitor.cookies.set("retinagate", "chosen-by-somebody-else")
    assert visitor.sign_in("reader").status_code == 303
    values = {cookie.value for cookie in visitor.cookies.jar if cookie.name == "retinagate"}
    assert len(values - {"chosen-by-somebody-else"}) == 1
    with database.reading() as t:
        assert t.query(Session).count() == 1


def test_H5_signing_in_again_ends_the_session_until_now(visitor: Visitor, database: Database) -> None:
    visitor.sign_in("reader")
    first = visitor.cookies["retinagate"]
    visitor.sign_in("reader")
    assert visitor.cookies["retinagate"] != first
    with database.reading() as t:
        assert t.query(Session).count() == 1


def test_security_S11_the_login_has_a_token_of_its_own(app: FastAPI, visitor: Visitor, database: Database) -> None:
    other = Visitor(app)
    other.get("/login")
    visitor.get("/login")
    fields = {"name": "reader", "password": PASSWORD}
    own = {"Origin": visitor.origin}
    without_cookie = TestClient(app, follow_redirects=False)
    refused = [
        visitor.client.post("/login", data=fields, headers=own),
        visitor.client.post("/login", data=fields | {"csrf": other.csrf}, headers=own),
        visitor.client.post("/login", data=fields | {"csrf": visitor.csrf}),
        visitor.client.post("/login", data=fields | {"csrf": visitor.csrf}, headers={"Origin": "https://evil"}),
        visitor.client.post("/login", data=fields | {"csrf": visitor.csrf}, headers={"Origin": "null"}),
        without_cookie.post("/login", data=fields | {"csrf": visitor.csrf}, headers=own),
    ]
    for answer in refused:
        assert (answer.status_code, words.LOGIN_TOO_OLD in answer.text) == (403, True)
    with database.reading() as t:
        assert (t.query(Session).count(), t.query(FailedLogin).count()) == (0, 0)
    assert visitor.post("/login", **fields).status_code == 303


def test_two_open_login_pages_both_work(visitor: Visitor) -> None:
    visitor.get("/login")
    first = visitor.csrf
    visitor.get("/login")
    assert visitor.post("/login", name="reader", password=PASSWORD, csrf=first).status_code == 303


def test_H8_every_failure_reads_the_same_and_nothing_is_said_about_the_name(visitor: Visitor) -> None:
    pages = set()
    for name, password in (("reader", "wrong"), ("nobody", "wrong"), ("nobody", PASSWORD), ("", "")):
        answer = visitor.sign_in(name, password)
        assert answer.status_code == 401
        pages.add(answer.text.replace(f'value="{name}"', 'value=""'))
    assert len(pages) == 1


def test_H8_the_sixth_try_is_told_to_wait(visitor: Visitor, clock: Any) -> None:
    assert [visitor.sign_in("reader", "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    answer = visitor.sign_in("reader")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "900")
    assert "Try again in 15 minutes" in answer.text
    clock.move(900)
    assert visitor.sign_in("reader").status_code == 303


def test_H9_her_own_address_still_gets_in(app: FastAPI, visitor: Visitor) -> None:
    attacker = Visitor(app, address="10.66.6.6")
    assert {attacker.sign_in("reader", "wrong").status_code for _ in range(40)} == {401, 429}
    assert visitor.sign_in("reader").status_code == 303


def test_H9_a_password_of_a_megabyte_is_refused_before_it_is_hashed(visitor: Visitor, database: Database) -> None:
    visitor.get("/login")
    answer = visitor.post("/login", name="reader", password="x" * 1_000_000)
    assert answer.status_code == 422
    with database.reading() as t:
        assert t.query(FailedLogin).count() == 0


def test_H9_many_logins_at_once_are_told_to_come_again_and_other_pages_live(
    app: FastAPI, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    def slow(stored: str | None, password: str) -> bool:
        inside.release()
        leave.wait(30)
        return False

    monkeypatch.setattr(QUICK, "is_right", slow)
    statuses = []

    def try_once(number: int) -> None:
        visitor = Visitor(app, address=f"10.0.1.{number}")
        statuses.append(visitor.sign_in("reader", "wrong").status_code)

    with TestClient(app):
        threads = [threading.Thread(target=try_once, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        assert inside.acquire(timeout=30)
        assert inside.acquire(timeout=30)
        while len(statuses) < 40 - 22:
            assert any(thread.is_alive() for thread in threads)
        assert set(statuses) == {503}
        assert visitor.get("/healthz").status_code == 200
        busy = visitor.sign_in("reader")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
        leave.set()
        for thread in threads:
            thread.join()
    assert sorted(statuses) == [401] * 22 + [503] * 18


@pytest.mark.parametrize(
    "path",
    [
        "//evil", "/\\evil", "https:evil", "https://evil", "/\tevil", "/\t/evil", "\t//evil", "javascript:alert(1)", "",
        "evil", "/a\n", "/a b", "/a\\b", "\\/evil", " /", "/\x00", "///evil", "data:text/html,x",
    ],
)  # fmt: skip
def test_H13_what_leads_elsewhere_leads_to_the_first_page(visitor: Visitor, path: str) -> None:
    assert own_path(path) == "/"
    answer = visitor.sign_in("reader", next=path)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    page = visitor.client.get("/login", params={"next": path})
    assert 'name="next" value="/"' in page.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.text())
def test_H13_whatever_is_asked_for_stays_here(path: str) -> None:
    path = own_path(path)
    assert path.startswith("/")
    assert path[1:2] not in {"/", "\\"}
    assert not set(path) & set("\\\t\r\n\0 ")


def test_S13_after_the_login_a_person_is_where_he_or_she_wanted_to_be(visitor: Visitor) -> None:
    sent = visitor.get("/password?from=a%20letter")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/password%3Ffrom%3Da%2520letter")
    page = visitor.get(sent.headers["location"])
    assert 'name="next" value="/password?from=a%20letter"' in page.text
    answer = visitor.post("/login", name="reader", password=PASSWORD, next="/password?from=a%20letter")
    assert answer.headers["location"] == "/password?from=a%20letter"


def test_H6_after_logging_out_the_old_cookie_is_worth_nothing(visitor: Visitor, database: Database) -> None:
    visitor.sign_in("reader")
    old = visitor.cookies["retinagate"]
    answer = visitor.post("/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "retinagate" not in visitor.cookies
    visitor.cookies.set("retinagate", old)
    assert visitor.get("/api/v1/cases").status_code == 401
    assert visitor.get("/password").status_code == 303
    with database.reading() as t:
        acts = [(row.actor, row.action, row.address) for row in t.query(AuditRow).order_by(AuditRow.seq)]
    assert acts == [("reader", "login", "10.0.0.9"), ("reader", "logout", "10.0.0.9")]


def test_H6_a_new_password_ends_every_other_session(app: FastAPI, visitor: Visitor) -> None:
    elsewhere = Visitor(app)
    elsewhere.sign_in("reader")
    visitor.sign_in("reader")
    before = visitor.cookies["retinagate"]
    answer = visitor.post("/password", current=PASSWORD, password=NEW, again=NEW)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert visitor.cookies["retinagate"] != before
    assert visitor.get("/password").status_code == 200
    assert elsewhere.get("/password").status_code == 303
    assert elsewhere.sign_in("reader").status_code == 401
    assert elsewhere.sign_in("reader", NEW).status_code == 303


@pytest.mark.parametrize(
    ("current", "password", "again", "said"),
    [
        ("wrong", NEW, NEW, words.WRONG_NOW),
        (PASSWORD, NEW, NEW + "x", words.NOT_TWICE),
        (PASSWORD, PASSWORD, PASSWORD, words.NOT_NEW),
        (PASSWORD, "short", "short", "12 to 256"),
        (PASSWORD, "password1234", "password1234", words.TRIED_FIRST),
        ("", "", "", "12 to 256"),
    ],
)
def test_a_new_password_that_will_not_do_is_refused_with_the_reason(
    visitor: Visitor, current: str, password: str, again: str, said: str
) -> None:
    visitor.sign_in("reader")
    answer = visitor.post("/password", current=current, password=password, again=again)
    assert (answer.status_code, said in answer.text) == (422, True)
    assert visitor.get("/password").status_code == 200
    assert visitor.sign_in("reader").status_code == 303


def test_S15_the_new_password_page_counts_guesses_too(visitor: Visitor) -> None:
    visitor.sign_in("reader")
    fields = {"current": "wrong", "password": NEW, "again": NEW}
    assert [visitor.post("/password", **fields).status_code for _ in range(6)] == [422] * 5 + [429]


def test_security_S14_what_was_typed_comes_back_as_text(visitor: Visitor) -> None:
    answer = visitor.sign_in('"><script>alert(1)</script>', "wrong", next='/"onload=x')
    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text
    assert '"onload' not in answer.text


def test_U26_titles_name_no_person(visitor: Visitor, signed_in: Callable[[Role], Visitor]) -> None:
    assert "<title>Sign in - RetinaGate</title>" in visitor.get("/login").text
    assert "<title>New password - RetinaGate</title>" in signed_in(Role.VIEWER).get("/password").text
