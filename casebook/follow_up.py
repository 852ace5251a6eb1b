"""Follow-up policies: what a guideline asks for at each grade. Places differ, so a policy is data, not code."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Policy:
    """A guideline by the name a reader knows it by."""

    name: str
    actions: tuple[str, str, str, str, str]  # by the ICDR grade of the worse eye

    def action(self, grade: int) -> str:
        """Return what to do with a patient whose worse eye has this grade, and which policy says so."""
        return f"{self.actions[grade]} ({self.name})"


# Solomon et al., Diabetes Care 2017;40:412, table 4.
ADA_2017: Final = Policy(
    "ADA-2017",
    (
        "Eye examination within 1 year, then every 1-2 years",
        "Eye examination within 1 year, then yearly",
        "Refer within 3-6 months",
        "Refer immediately",
        "Refer immediately",
    ),
)
