"""Makes the web application; what it needs comes in as arguments."""

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware

from casebook.archive import Archive
from casebook.clock import Clock, site_zone
from casebook.database import Database
from casebook.passwords import Passwords
from casebook.settings import Dashboard, Destination, Listener
from casebook.sign_in import Desk
from dashboard import access, api, case, health, live, login, problems, static_files, worklist
from dashboard.cookies import Cookies
from dashboard.edge import LARGEST_BODY, Edge
from dashboard.exposure import is_loopback, refuse_exposed
from dashboard.metrics import Gauges
from dashboard.rates import Rates
from dashboard.viewing import Viewings

ROUTERS: tuple[APIRouter, ...] = (
    health.router, login.router, worklist.router, case.router, live.router, api.router, static_files.router,
)  # fmt: skip


def make_app(
    settings: Dashboard,
    database: Database,
    archive: Archive,
    clock: Clock,
    *,
    listener: Listener | None = None,
    destinations: Sequence[Destination] = (),
    passwords: Passwords | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        settings: where it listens and under which names it is known.
        database: the rows it reads.
        archive: the files it reads.
        clock: the time.
        listener: where cameras send, for the page that has nothing to show yet.
        destinations: where a person may have results sent again.
        passwords: what hashes, where it is not production's.

    Raises:
        Misconfigured: it would be reachable from other hosts in the clear (security S1).
    """
    refuse_exposed(settings)
    app = FastAPI(title="RetinaGate", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.database = database
    app.state.archive = archive
    app.state.clock = clock
    app.state.zone = site_zone()
    app.state.listener = listener or Listener()
    app.state.destinations = tuple(destinations)
    app.state.cookies = Cookies(over_tls=settings.behind_proxy)
    app.state.desk = Desk(database, passwords or Passwords(), clock)
    app.state.live = live.Live(database, clock)
    app.state.viewings = Viewings(database, clock)
    app.state.rates = Rates(clock)
    app.state.readiness = health.Readiness(database, archive, clock)
    app.state.gauges = Gauges(database, archive, clock)
    app.state.metrics_need_token = not is_loopback(settings.host)
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # flat, so that app.routes shows every route there is
    access.check_routes(app.routes)
    problems.install(app)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=LARGEST_BODY)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts), www_redirect=False)
    app.add_middleware(Edge, over_tls=settings.behind_proxy)
    return app
