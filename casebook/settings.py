"""What can be set, with its defaults and bounds. Nothing is loaded here: ``gateway.configuration`` does that.

Each part gets only its own section. All sections are frozen.
"""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, field_validator

from casebook.words import Product

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[!-\[\]-~]([ -\[\]-~]*[!-\[\]-~])?$")]
Port = Annotated[int, Field(ge=1, le=65535)]

LOOPBACK = "loopback"  # reserved: the destination of synthetic eyes, which nobody configures


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Caller(_Section):
    """A camera or PACS that may associate: both title and host must match."""

    ae_title: AeTitle
    host: str


class Listener(_Section):
    """The DICOM Storage SCP."""

    host: str = "127.0.0.1"
    port: Port = 11112
    ae_title: AeTitle = "RETINAGATE"
    allowed_callers: tuple[Caller, ...] = ()
    max_associations: int = Field(default=64, ge=1, le=1000)
    accept_deflated: bool = False


class Cases(_Section):
    """When a study counts as complete, in seconds."""

    quiet_seconds: float = Field(default=30.0, gt=0)
    force_seconds: float = Field(default=900.0, gt=0)


class Destination(_Section):
    """A PACS that receives our results."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")
    ae_title: AeTitle
    host: str
    port: Port
    products: tuple[Product, ...] = (Product.SR, Product.OVERLAY)


class Dashboard(_Section):
    """Pages and API."""

    host: str = "127.0.0.1"
    port: Port = 8080
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost")
    behind_proxy: bool = False
    proxy_hosts: tuple[IPvAnyNetwork, ...] = (IPv4Network("127.0.0.1"),)  # whose X-Forwarded-For is believed


class Database(_Section):
    """Where the rows live; without a URL, ``casebook.sqlite3`` in the home folder."""

    url: str | None = None


class Broker(_Section):
    """The doorbell: ``memory://`` inside one process, RabbitMQ or Redis between several."""

    url: str = "memory://"


class Archive(_Section):
    """Where the files live; without a path, ``archive`` in the home folder."""

    path: Path | None = None
    reserve_mb: int | None = Field(default=None, ge=0)


class Model(_Section):
    """Which bundle grades, and on what; without a bundle, the shipped one.

    ``auto`` takes a GPU where one, torch and the bundle's weights are there, else the CPU; ``cuda`` demands it.
    """

    bundle: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"


class Settings(_Section):
    """Everything that can be set, and the home folder it belongs to."""

    home: Path
    listener: Listener = Listener()
    cases: Cases = Cases()
    destinations: tuple[Destination, ...] = ()
    dashboard: Dashboard = Dashboard()
    database: Database = Database()
    broker: Broker = Broker()
    archive: Archive = Archive()
    model: Model = Model()

    @field_validator("destinations")
    @classmethod
    def _names_are_unique(cls, destinations: tuple[Destination, ...]) -> tuple[Destination, ...]:
        names = [destination.name for destination in destinations]
        if len(names) != len(set(names)):
            raise ValueError("two destinations have the same name")
        if LOOPBACK in names:
            raise ValueError(f"the name {LOOPBACK} is reserved for the results of synthetic eyes")
        return destinations

    @property
    def archive_path(self) -> Path:
        """The folder of the archive."""
        return self.archive.path or self.home / "archive"

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the casebook."""
        return self.database.url or f"sqlite:///{self.home.absolute() / 'casebook.sqlite3'}"
