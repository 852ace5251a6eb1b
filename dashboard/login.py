"""Signing in and out, and choosing a new password (security S10, S11, S13, S15)."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.status import HTTP_303_SEE_OTHER

from casebook import people, words
from casebook.errors import BadInput, Refused
from casebook.passwords import LONGEST
from casebook.sign_in import Desk, SignedIn, TooOften
from dashboard.access import Actor, Permission, address, needs
from dashboard.cookies import Cookies, form_token, is_form_token, new_secret
from dashboard.pages import render

router = APIRouter(include_in_schema=False)
HOME: Final = "/"
_OURS: Final = re.compile(r"/(?![/\\])[^\x00-\x20\\]*")  # browsers drop tabs: "/<tab>/evil" would become "//evil"

Person = Annotated[Actor, needs(Permission.SELF)]
Next = Annotated[str, Query(alias="next")]
Password = Annotated[str, Form(max_length=LONGEST)]


def own_path(path: str) -> str:
    """Return a path of this site, or the first page where it leads elsewhere (H13)."""
    return path if _OURS.fullmatch(path) else HOME


@router.get("/login", dependencies=[needs(Permission.PUBLIC)])
def show_login(request: Request, go_to: Next = HOME) -> HTMLResponse:
    """Show the form."""
    return _login_page(request, go_to=go_to)


@router.post("/login", dependencies=[needs(Permission.PUBLIC)])
def log_in(
    request: Request,
    name: Annotated[str, Form(max_length=people.LONGEST_NAME)] = "",
    password: Password = "",
    csrf: Annotated[str, Form()] = "",
    go_to: Annotated[str, Form(alias="next")] = HOME,
) -> Response:
    """Begin a session and go where the person wanted to go."""
    cookies = _cookies(request)
    form = request.cookies.get(cookies.login, "")
    if not (form and is_form_token(form, csrf) and cookies.is_own_origin(request)):
        return _login_page(request, go_to=go_to, name=name, problem=words.LOGIN_TOO_OLD, status=403)
    try:
        signed_in = _desk(request).sign_in(
            name, password, address(request), replaces=request.cookies.get(cookies.session, "")
        )
    except TooOften as error:
        page = _login_page(request, go_to=go_to, name=name, problem=str(error), status=429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    except Refused as error:
        return _login_page(request, go_to=go_to, name=name, problem=str(error), status=401)
    answer = _enter(request, signed_in, "/password" if signed_in.user.must_change else own_path(go_to))
    cookies.drop(answer, cookies.login)
    return answer


@router.post("/logout")
def log_out(request: Request, actor: Person) -> Response:
    """End the session and make the browser forget what it kept."""
    _desk(request).sign_out(actor.name, actor.credential, actor.address)
    answer = RedirectResponse("/login", HTTP_303_SEE_OTHER, {"Clear-Site-Data": '"cache", "storage"'})
    cookies = _cookies(request)
    cookies.drop(answer, cookies.session)
    return answer


@router.get("/password")
def show_password(request: Request, actor: Person) -> HTMLResponse:
    """Show the form."""
    return _password_page(request, actor)


@router.post("/password")
def change_password(
    request: Request, actor: Person, current: Password = "", password: Password = "", again: Password = ""
) -> Response:
    """Change the password; every session of this person ends, and this browser gets a new one."""
    if password != again:
        return _password_page(request, actor, words.NOT_TWICE, status=422)
    try:
        signed_in = _desk(request).change_password(actor.name, current, password, actor.address)
    except TooOften as error:
        page = _password_page(request, actor, str(error), status=429)
        page.headers["Retry-After"] = str(error.retry_after)
        return page
    except (BadInput, Refused) as error:
        return _password_page(request, actor, str(error), status=422)
    return _enter(request, signed_in, HOME)


def _enter(request: Request, signed_in: SignedIn, go_to: str) -> Response:
    answer = RedirectResponse(go_to, HTTP_303_SEE_OTHER)
    cookies = _cookies(request)
    cookies.put(answer, cookies.session, signed_in.secret)
    return answer


def _login_page(request: Request, *, go_to: str, name: str = "", problem: str = "", status: int = 200) -> HTMLResponse:
    cookies = _cookies(request)
    # The cookie of a form that is open in another tab is kept, so that both work.
    secret = request.cookies.get(cookies.login) or new_secret()
    page = render(
        request, "login.html", status=status, csrf=form_token(secret), next=own_path(go_to), name=name, problem=problem
    )
    cookies.put(page, cookies.login, secret)
    return page


def _password_page(request: Request, actor: Actor, problem: str = "", status: int = 200) -> HTMLResponse:
    return render(request, "password.html", status=status, csrf=actor.csrf, problem=problem)


def _cookies(request: Request) -> Cookies:
    cookies: Cookies = request.app.state.cookies
    return cookies


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk
