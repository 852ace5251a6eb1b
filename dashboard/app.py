"""Makes the web application; what it needs comes in as arguments."""

import ipaddress

from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware

from casebook.archive import Archive
from casebook.clock import Clock
from casebook.database import Database
from casebook.errors import Misconfigured
from casebook.settings import Dashboard
from dashboard import api, health, problems
from dashboard.access import add_headers
from dashboard.metrics import Gauges


def make_app(settings: Dashboard, database: Database, archive: Archive, clock: Clock) -> FastAPI:
    """Return the application.

    Raises:
        Misconfigured: it would be reachable from other hosts in the clear (security S1).
    """
    if not is_loopback(settings.host) and not settings.behind_proxy:
        raise Misconfigured(
            "dashboard.host is reachable from other machines, but nothing encrypts it.",
            "Put a TLS proxy before it and set dashboard.behind_proxy to true, or keep 127.0.0.1.",
        )
    app = FastAPI(title="RetinaGate", version="1", docs_url=None, redoc_url=None, openapi_url="/openapi.json")
    app.state.database = database
    app.state.archive = archive
    app.state.clock = clock
    app.state.readiness = health.Readiness(database, archive, clock)
    app.state.gauges = Gauges(database, archive, clock)
    app.state.metrics_need_token = not is_loopback(settings.host)
    app.include_router(health.router)
    app.include_router(api.router)
    problems.install(app)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts), www_redirect=False)
    app.middleware("http")(add_headers)
    return app


def is_loopback(host: str) -> bool:
    """Say whether a host name or address is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
