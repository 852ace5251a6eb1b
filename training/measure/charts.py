"""The report's pictures as SVG in the page's own colours: sharp on paper, and they change with light and dark."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from markupsafe import Markup

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight axis: which values it shows, and where it writes numbers.

    Attributes:
        low: value at the axis's beginning.
        high: value at its end.
        ticks: values that get a line and their number.
        unit: written behind each number; ``%`` shows a share in per cent.
        name: what the axis shows.
    """

    low: float
    high: float
    ticks: Sequence[float]
    name: str = ""
    unit: str = ""

    def text(self, value: float) -> str:
        """Return how a value is written."""
        return f"{value * 100:.0f} %" if self.unit == "%" else f"{value:g}{self.unit}"


SHARE = Scale(0, 1, (0, 0.5, 1))


@dataclass(slots=True)
class Chart:
    """A picture of one plane with two axes; what is drawn later lies above.

    Attributes:
        title: what it shows, read aloud instead of it.
        across: horizontal axis.
        up: vertical axis.
        width: of the whole picture, in CSS pixels.
        height: of the whole picture.
        left: room for the numbers of the vertical axis.
    """

    title: str
    across: Scale = SHARE
    up: Scale = SHARE
    width: int = 256
    height: int = 240
    left: int = 40
    _drawn: list[str] = field(default_factory=list)

    def line(self, points: Iterable[Point], look: str) -> None:
        """Join points; ``look`` is a class of the style sheet."""
        self._drawn.append(f'<polyline class="line {look}" points="{self._places(points)}"/>')

    def area(self, points: Iterable[Point], look: str) -> None:
        """Fill what points enclose."""
        self._drawn.append(f'<polygon class="area {look}" points="{self._places(points)}"/>')

    def dot(self, point: Point, look: str, label: str) -> None:
        """Mark one point; its label shows under the pointer."""
        x, y = self._place(point)
        self._drawn.append(
            f'<circle class="dot {look}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(label)}</title></circle>'
        )

    def whisker(self, x: float, low: float, high: float, look: str) -> None:
        """Draw an interval upright."""
        self.line([(x, low), (x, high)], f"whisker {look}")

    def bar(self, begin: float, end: float, top: float, look: str, bottom: float = 0.0) -> None:
        """Draw a bar between two values of the horizontal axis."""
        (left, high), (right, low) = self._place((begin, top)), self._place((end, bottom))
        self._drawn.append(
            f'<rect class="bar {look}" x="{left + 0.5:.1f}" y="{high:.1f}" width="{max(0.5, right - left - 1):.1f}" '
            f'height="{max(0.0, low - high):.1f}"/>'
        )

    def upright(self, x: float, look: str, label: str = "") -> None:
        """Draw a line from bottom to top, with a label at its upper end."""
        self.line([(x, self.up.low), (x, self.up.high)], look)
        if label:
            self.label((x, self.up.high), label, look, shift=(5, 10))

    def label(self, point: Point, text: str, look: str, shift: Point = (0.0, 0.0), anchor: str = "start") -> None:
        """Write beside a point."""
        x, y = self._place(point)
        self._drawn.append(
            f'<text class="label {look}" x="{x + shift[0]:.1f}" y="{y + shift[1]:.1f}" text-anchor="{anchor}">'
            f"{escape(text)}</text>"
        )

    def svg(self) -> Markup:
        """Return the finished picture."""
        return Markup(  # noqa: S704 - every text in it was escaped above
            f'<svg class="chart" viewBox="0 0 {self.width} {self.height}" width="{self.width}" role="img" '
            f'aria-label="{escape(self.title)}">{self._axes()}{"".join(self._drawn)}</svg>'
        )

    @property
    def _bottom(self) -> int:
        return self.height - (38 if self.across.name else 22)

    def _place(self, point: Point) -> Point:
        right, top = self.width - 10, 10
        across = (point[0] - self.across.low) / (self.across.high - self.across.low)
        up = (point[1] - self.up.low) / (self.up.high - self.up.low)
        return self.left + across * (right - self.left), self._bottom - up * (self._bottom - top)

    def _places(self, points: Iterable[Point]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in map(self._place, points))

    def _axes(self) -> str:
        drawn = []
        for value in self.across.ticks:
            x, y = self._place((value, self.up.low))
            drawn.append(f'<line class="grid" x1="{x:.1f}" y1="10" x2="{x:.1f}" y2="{y:.1f}"/>')
            drawn.append(f'<text class="tick" x="{x:.1f}" y="{y + 14:.1f}" text-anchor="middle">')
            drawn.append(f"{escape(self.across.text(value))}</text>")
        for value in self.up.ticks:
            x, y = self._place((self.across.low, value))
            drawn.append(f'<line class="grid" x1="{x:.1f}" y1="{y:.1f}" x2="{self.width - 10}" y2="{y:.1f}"/>')
            drawn.append(f'<text class="tick" x="{x - 6:.1f}" y="{y + 4:.1f}" text-anchor="end">')
            drawn.append(f"{escape(self.up.text(value))}</text>")
        middle = (self.left + self.width - 10) / 2
        if self.across.name:
            drawn.append(f'<text class="axis" x="{middle:.1f}" y="{self.height - 6}" text-anchor="middle">')
            drawn.append(f"{escape(self.across.name)}</text>")
        if self.up.name:
            middle = (self._bottom + 10) / 2
            drawn.append(f'<text class="axis" transform="translate(11 {middle:.1f}) rotate(-90)" text-anchor="middle">')
            drawn.append(f"{escape(self.up.name)}</text>")
        return "".join(drawn)


def strip(low: float | None, value: float | None, high: float | None, *, span: Point = (0.0, 1.0)) -> Markup:
    """Draw one value with its interval on a line, small enough to stand in a table's cell.

    Args:
        low: of the interval.
        value: measured.
        high: of the interval.
        span: values at the ends of the line; with a negative one, a mark stands at nought.
    """
    if value is None:
        return Markup()

    def place(number: float) -> float:
        return 3 + 114 * min(1.0, max(0.0, (number - span[0]) / (span[1] - span[0])))

    nought = f'<line class="grid" x1="{place(0):.1f}" x2="{place(0):.1f}" y1="1" y2="11"/>' if span[0] < 0 else ""
    reach = "" if low is None or high is None else f'x1="{place(low):.1f}" x2="{place(high):.1f}"'
    whisker = f'<line class="reach" {reach} y1="6" y2="6"/>' if reach else ""
    return Markup(  # noqa: S704 - numbers only
        f'<svg class="strip" viewBox="0 0 120 12" width="120" height="12" aria-hidden="true">'
        f'<line class="grid" x1="3" x2="117" y1="6" y2="6"/>{nought}{whisker}'
        f'<circle class="dot" cx="{place(value):.1f}" cy="6" r="3.2"/></svg>'
    )
