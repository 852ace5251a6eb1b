"""A person with a browser: keeps cookies, says where its forms come from, and carries their token."""

import re
from typing import Any

import httpx2
from argon2 import PasswordHasher
from fastapi import FastAPI
from starlette.testclient import TestClient

from casebook import people
from casebook.clock import Clock
from casebook.database import Database
from casebook.models import Role, Scope, User
from casebook.passwords import Passwords

QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
PASSWORD = "correct horse battery staple"
_TOKEN = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def add_person(database: Database, clock: Clock, name: str, role: Role = Role.VIEWER, **options: Any) -> User:
    """Write a user whose password is ``PASSWORD`` and quick to check."""
    with database.transaction() as t:
        return people.add_user(t, name, role, PASSWORD, clock.now(), passwords=QUICK, **options)


def add_program(database: Database, clock: Clock, scope: Scope = Scope.READ) -> dict[str, str]:
    """Write a token and return the headers a program sends with it."""
    with database.transaction() as t:
        return {"Authorization": f"Bearer {people.add_token(t, f'program that may {scope}', scope, clock.now())}"}


class Visitor:
    """A browser.

    Args:
        app: the application, as ``make_app`` makes it.
        address: where the browser is.
        host: the name under which it reaches us.
        over_tls: whether it does so over TLS.
    """

    def __init__(
        self, app: FastAPI, *, address: str = "10.0.0.9", host: str = "testserver", over_tls: bool = False
    ) -> None:
        self.origin = f"{'https' if over_tls else 'http'}://{host}"
        self.client = TestClient(
            app, self.origin, raise_server_exceptions=False, follow_redirects=False, client=(address, 50000)
        )
        self.csrf = ""

    @property
    def cookies(self) -> httpx2.Cookies:
        """The cookies it keeps."""
        return self.client.cookies

    def get(self, path: str, **headers: str) -> httpx2.Response:
        """Open a page, and keep the token of its forms."""
        answer = self.client.get(path, headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"} | headers)
        if found := _TOKEN.search(answer.text):
            self.csrf = found[1]
        return answer

    def post(self, path: str, **fields: str) -> httpx2.Response:
        """Send a form of the page that is open."""
        return self.client.post(
            path, data={"csrf": self.csrf} | fields, headers={"Accept": "text/html", "Origin": self.origin}
        )

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx2.Response:
        """Open the login page, fill it in and send it; afterwards forms carry the session's token."""
        self.get("/login")
        answer = self.post("/login", name=name, password=password, **fields)
        if answer.status_code == 303:
            self.get("/password")
        return answer
