"""Other visits of the same patient: the same ID of the same issuer, as long as the dates of birth do not contradict."""

import json
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from casebook import worklist
from casebook.models import Case, Revision
from casebook.worklist import CaseView

MOST = 20
_BIRTH_DATE = "00100030"


@dataclass(frozen=True, slots=True)
class Visits:
    """What else is known of a patient."""

    earlier: list[CaseView]  # newest first
    others: bool  # whether the ID also stands for somebody with another date of birth


def of_patient(t: Session, case: Case) -> Visits:
    """Return the visits before a case's own; without an ID there are none.

    A date of birth that is missing contradicts nobody; of two that differ, one is another person's (D19, T22).
    """
    if not case.patient_id.strip():
        return Visits([], others=False)
    rows = t.execute(
        select(Case, Revision)
        .join(Revision, Revision.case_id == Case.id)
        .where(
            Revision.superseded_at.is_(None), Case.patient_id == case.patient_id,
            Case.patient_issuer == case.patient_issuer, Case.synthetic == case.synthetic, Case.id != case.id,
        )
        .order_by(Case.study_date.desc(), Case.study_time.desc(), Case.id.desc())
    )  # fmt: skip
    born = birth_date(case)
    same, others = [], False
    for other, revision in rows:
        theirs = birth_date(other)
        if born and theirs and born != theirs:
            others = True
        elif (other.study_date, other.study_time, other.id) < (case.study_date, case.study_time, case.id):
            same.append((other, revision))
    return Visits(worklist.views(t, same[:MOST]), others)


def birth_date(case: Case) -> str:
    """Return the patient's date of birth as sent, or nothing."""
    value = json.loads(case.attributes).get(_BIRTH_DATE, {}).get("Value") or [""]
    return str(value[0])
