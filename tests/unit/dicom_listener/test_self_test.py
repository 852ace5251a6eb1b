"""Synthetic eyes and patients apart, as the callers see it (I9): a camera is told, and keeps its photograph."""

from collections.abc import Callable

import pytest
from listening import Place
from pynetdicom import AE
from pynetdicom.pdu_primitives import UserIdentityNegotiation
from sqlalchemy import func, select

from casebook.models import Photograph
from casebook.words import Laterality
from dicom_listener.callers import SELF_TEST
from dicom_listener.statuses import Status
from inference import phantom
from inference.phantom_dicom import ophthalmic_photograph

SECRET = "this start's secret"
OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"


def _store(place: Place, uid: str, *, synthetic: bool) -> tuple[int, str]:
    """Send one photograph of study 1.2.3, and return status and comment."""
    identity = UserIdentityNegotiation()
    identity.user_identity_type = 2
    identity.primary_field, identity.secondary_field = SELF_TEST.encode(), SECRET.encode()
    ae = AE(SELF_TEST if synthetic else "CAMERA")
    ae.add_requested_context(OPHTHALMIC, "1.2.840.10008.1.2.1")
    host, port = place.address
    association = ae.associate(host, port, ae_title="RETINAGATE", ext_neg=[identity] if synthetic else None)
    photograph = ophthalmic_photograph(
        phantom.draw(1, lesions=phantom.HEALTHY, size=64),
        laterality=Laterality.RIGHT, study_uid="1.2.3", series_uid="1.2.3.1", sop_uid=uid,
    )  # fmt: skip
    answer = association.send_c_store(photograph)
    association.release()
    return int(answer.Status), str(answer.get("ErrorComment", ""))


@pytest.mark.parametrize(
    ("first_is_synthetic", "comment"),
    [
        (True, "This study holds synthetic eyes; no patient may join it."),
        (False, "This study is a patient's; no synthetic eye may join it."),
    ],
)
@pytest.mark.parametrize("uid", ["1.2.3.1.1", "1.2.3.1.2"])
def test_I9_who_would_join_the_others_study_is_refused_and_told_why(
    listen: Callable[..., Place], first_is_synthetic: bool, comment: str, uid: str
) -> None:
    place = listen(secret=SECRET)
    assert _store(place, "1.2.3.1.1", synthetic=first_is_synthetic) == (Status.SUCCESS, "")
    assert _store(place, uid, synthetic=not first_is_synthetic) == (Status.NOT_AUTHORISED, comment)
    assert place.counts() == (1, 1)
    assert place.parts() == []
    assert _store(place, "1.2.3.1.3", synthetic=first_is_synthetic) == (Status.SUCCESS, "")
    with place.database.reading() as t:
        assert t.scalar(select(func.count()).select_from(Photograph)) == 2
