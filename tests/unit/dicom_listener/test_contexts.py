"""What is supported is data, in the order that has effect."""

from pydicom.uid import UID

from dicom_listener.contexts import DEFLATED, STORAGE_CLASSES, VERIFICATION, is_gradable, supported


def test_performance_P33_only_the_classes_of_the_list_are_registered() -> None:
    classes = [abstract for abstract, _ in supported(accept_deflated=False)]
    assert len(classes) == len(set(classes)) == 20
    assert classes[0] == "1.2.840.10008.5.1.4.1.1.77.1.5.1"
    assert classes[-1] == VERIFICATION


def test_every_uid_is_one_of_the_standard() -> None:
    for abstract, transfers in supported(accept_deflated=True):
        assert UID(abstract).type in ("SOP Class", ""), abstract
        assert UID(abstract).name != abstract
        for transfer in transfers:
            assert UID(transfer).is_transfer_syntax
            assert len(transfers) == len(set(transfers))


def test_jpeg_comes_first_for_pictures_and_no_document_is_compressed() -> None:
    preferred = {uid: transfers[0] for uid, transfers in supported(accept_deflated=False)}
    assert preferred["1.2.840.10008.5.1.4.1.1.77.1.5.1"] == "1.2.840.10008.1.2.4.50"
    assert preferred["1.2.840.10008.5.1.4.1.1.104.1"] == "1.2.840.10008.1.2.1"


def test_deflated_is_taken_only_where_a_site_asks_for_it() -> None:
    assert not any(DEFLATED in transfers for _, transfers in supported(accept_deflated=False))
    assert all(DEFLATED in transfers for uid, transfers in supported(accept_deflated=True) if uid != VERIFICATION)


def test_classes_that_may_show_a_retina_in_colour_are_gradable() -> None:
    assert [sop_class.name for sop_class in STORAGE_CLASSES if is_gradable(sop_class.uid)] == [
        "Ophthalmic Photography 8 Bit",
        "VL Photographic",
        "Secondary Capture",
        "Multi-frame True Color Secondary Capture",
        "Ophthalmic Photography 16 Bit",
    ]
    assert not is_gradable("1.2.840.10008.5.1.4.1.1.2")
