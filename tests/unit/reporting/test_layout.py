"""Layout: identities that never change for the same thing and are never shared by different ones."""

from dataclasses import replace
from typing import Any

from graded_case import Shot, healthy, ungradable
from pydicom.uid import UID

from casebook.words import Laterality, Product
from reporting import layout

R, L = Laterality.RIGHT, Laterality.LEFT


def test_one_overlay_for_each_graded_frame_and_one_report(examine: Any) -> None:
    examination = examine(Shot(R, 2, frames=2, grades=(0, 2)), healthy(L), ungradable(L))
    places = layout.places(examination)
    assert [place.product for place in places] == [Product.OVERLAY] * 3 + [Product.SR]
    assert [place.series_number for place in places] == [9002] * 3 + [9001]
    assert [place.instance_number for place in places] == [1001, 1002, 1003, 1]
    assert len({place.sop_instance_uid for place in places}) == 4
    assert len({place.series_instance_uid for place in places}) == 2
    assert all(UID(place.sop_instance_uid).is_valid for place in places)


def test_R5_the_same_revision_has_the_same_identities_however_often_they_are_derived(examine: Any) -> None:
    examination = examine(healthy(R), healthy(L))
    assert layout.places(examination) == layout.places(examination)


def test_another_revision_installation_or_study_has_other_instances(examine: Any) -> None:
    examination = examine(healthy(R))
    others = [
        replace(examination, revision=2),
        replace(examination, identity="another"),
        replace(examination, study_instance_uid="1.2.3"),
    ]
    found = [place.sop_instance_uid for each in (examination, *others) for place in layout.places(each)]
    assert len(found) == len(set(found))
    later = layout.places(others[0])
    assert [place.series_instance_uid for place in later] == [
        place.series_instance_uid for place in layout.places(examination)
    ]
    assert [place.instance_number for place in later] == [2001, 2]


def test_what_tracks_a_frame_depends_on_the_photograph_and_frame_alone(examine: Any) -> None:
    source = examine(Shot(R, 2, frames=2)).sources[0]
    assert layout.tracking_uid(source, 1) == layout.tracking_uid(replace(source, position=9, id=99), 1)
    assert layout.tracking_uid(source, 1) != layout.tracking_uid(source, 2)
