"""Makes the pictures of the README: a morning's worklist and a case, from drawn eyes and invented people only.

    .venv/bin/python docs/screenshots.py

It serves the real pages from a casebook of its own, and needs Debian's chromium and fonts-noto-cjk.
"""

import io
import os
import sys
import tempfile
import threading
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
os.environ["TZ"] = "Europe/London"
time.tzset()

from clinic import PACS, Clinic  # noqa: E402 - the path to them is set above
from morning import NOW, fill  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Page, sync_playwright  # noqa: E402
from reading_room import FLAGS  # noqa: E402
from running_service import wait_for  # noqa: E402
from visitor import PASSWORD, QUICK, add_person  # noqa: E402

from casebook.archive import Archive  # noqa: E402
from casebook.clock import Clock  # noqa: E402
from casebook.database import Database  # noqa: E402
from casebook.models import Role  # noqa: E402
from casebook.settings import Dashboard  # noqa: E402
from dashboard.app import make_app  # noqa: E402
from dashboard.connections import make_server  # noqa: E402

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1440, "height": 900}
LARGEST = 400_000  # bytes of a picture


class Morning(Clock):
    """The clock of that morning, standing still."""

    def now(self) -> datetime:
        """Return four minutes past eleven."""
        return NOW


def main() -> None:
    """Write both pictures."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/casebook.sqlite3")
        database.create_schema()
        archive = Archive(Path(folder) / "archive", reserve_mb=0)
        archive.prepare("screenshots", is_new=True)
        clock = Morning()
        fill(Clinic(database, archive, clock))
        add_person(database, clock, "Ada Reader", Role.GRADER)
        settings = Dashboard(port=8199)
        app = make_app(settings, database, archive, clock, destinations=(PACS,), passwords=QUICK)
        server = make_server(app, settings)
        thread = threading.Thread(target=server.run)
        thread.start()
        wait_for(lambda: server.started, 20, "the server")
        try:
            _shoot(f"http://127.0.0.1:{settings.port}")
        finally:
            app.state.live.close()
            server.should_exit = True
            thread.join()
            database.close()


def _shoot(url: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        page = browser.new_page(viewport=SIZE, base_url=url, reduced_motion="reduce")  # type: ignore[arg-type]
        page.goto("/login")
        page.fill("[name=name]", "Ada Reader")
        page.fill("[name=password]", PASSWORD)
        page.click("main button")
        page.wait_for_url("**/")
        _keep(page, "worklist")
        page.emulate_media(color_scheme="dark")
        page.locator(".row a").first.click()
        page.wait_for_function("() => [...document.querySelectorAll('.viewer')].every((box) => box.dataset.drawn)")
        page.keyboard.press("h")
        page.wait_for_function("() => [...document.querySelectorAll('.viewer')].every((box) => box.dataset.heatDrawn)")
        _keep(page, "case")
        browser.close()


def _keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    file = IMAGES / f"{name}.png"
    picture.quantize(palette=picture.quantize(256, kmeans=1)).save(file, optimize=True)
    print(f"{file.relative_to(ROOT)} {file.stat().st_size:,} bytes")  # noqa: T201
    assert file.stat().st_size < LARGEST


if __name__ == "__main__":
    main()
