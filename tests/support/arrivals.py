"""Objects as the listener hands them to the casebook, for tests that need no listener."""

from dataclasses import replace

from casebook.arrival import Arrival
from casebook.words import Laterality

RIGHT = Arrival(
    study_instance_uid="1.2.3", series_instance_uid="1.2.3.1", sop_instance_uid="1.2.3.1.1", sop_class_uid="1.2.840",
    transfer_syntax_uid="1.2.840.10008.1.2.1", dataset_sha256="a" * 64, patient_id="4711", patient_issuer="",
    patient_name="Müller^Jörg", study_date="20260312", study_time="0802", accession_number="A1", case_attributes="{}",
    photograph_attributes="{}", laterality=Laterality.RIGHT, laterality_contradicts=False, laterality_hint=None,
    number_of_frames=1, rows=480, columns=640, station_name="CAM", gradable=True, own=False, calling_ae="CAMERA",
    caller_host="127.0.0.1",
)  # fmt: skip
LEFT = replace(RIGHT, sop_instance_uid="1.2.3.1.2", dataset_sha256="b" * 64, laterality=Laterality.LEFT)
