"""The validators, each called as it must be, and what proves that it ran at all (some exit 0 when they did nothing)."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Since OpenJDK 17.0.3 the stylesheets exceed the default limits, and the validator then exits 0 without a verdict.
# The compiler is told to stop early: half the processor time for a run this short.
_JAVA = (
    "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Djdk.xml.xpathExprGrpLimit=0", "-Djdk.xml.xpathExprOpLimit=0",
    "-Djdk.xml.xpathTotalOpLimit=0",
)  # fmt: skip
_PIXELMED_RAN = ("Root Template Validation Complete", "IOD validation complete", "Found Root Template TID_1500")

# Every warning that is known and harmless, by the words it must contain.
ALLOWED = {
    "dciodvfy": (
        "Unrecognized defined term <99RETINAGATE> for value 1 of attribute <Coding Scheme Designator>",
        # the side really is unknown
        "is only permitted to be empty when actually unknown; should be absent (not empty) if an unpaired body part, "
        "and have a value if a paired body part - attribute <Laterality>",
    ),
    # the accession number stands at the study in one IOD and at the series in the other
    "dcentvfy": ("Different information entities for attribute - Element=<AccessionNumber>",),
    "dsrdump": ("The VR checker does not support this Specific Character Set: ISO_IR 192",),
    # the validator's tables are of 2022
    "pixelmed": tuple(
        f'{kind} ({code},{scheme},"{meaning}"): Content Item not in template'
        for kind, code, scheme, meaning in (
            ("CODE", "111101", "DCM", "Image Quality"),
            ("CODE", "111052", "DCM", "Quality Finding"),
            ("CODE", "71491-5", "LN", "Right eye Diabetic retinopathy severity level by Ophthalmoscopy"),
            ("CODE", "71490-7", "LN", "Left eye Diabetic retinopathy severity level by Ophthalmoscopy"),
            ("TEXT", "122405", "DCM", "Algorithm Manufacturer"),
        )
    ),
}


@dataclass(frozen=True)
class Verdict:
    """What a validator said, without what is allowed."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]
    output: str


def dciodvfy(program: Callable[[str], str], file: Path) -> Verdict:
    """Check one object against its IOD; its first line names the IOD, and that it does so proves that it ran."""
    said = _run([program("dciodvfy"), str(file)])
    assert said.split("\n", 1)[0].strip() in ("Comprehensive3DSR", "SCImage", "OphthalmicPhotography8BitImage"), said
    return _verdict("dciodvfy", said, ("Error", "Warning"))


def dcentvfy(program: Callable[[str], str], files: Sequence[Path]) -> Verdict:
    """Check that the objects of a study agree about patient, study, series and equipment."""
    return _verdict("dcentvfy", _run([program("dcentvfy"), *map(str, files)]), ("Error", "Warning"))


def dsrdump(program: Callable[[str], str], file: Path) -> Verdict:
    """Let DCMTK read a report and print its tree; the tree proves that it did."""
    said = _run([program("dsrdump"), str(file)], must_succeed=True)
    assert '"Imaging Measurement Report"' in said
    return _verdict("dsrdump", said, ("E:", "F:", "W:"))


def pixelmed(program: Callable[[str], str], file: Path) -> Verdict:
    """Check a report against its templates with PixelMed's DicomSRValidator."""
    command = [program("java"), *_JAVA, "-cp", program("pixelmed"), "com.pixelmed.validate.DicomSRValidator"]
    said = _run([*command, str(file)])
    for line in _PIXELMED_RAN:
        assert line in said, f"DicomSRValidator did not run to its end:\n{said[-2000:]}"
    return _verdict("pixelmed", said, ("Error", "Warning"))


def _run(command: list[str], *, must_succeed: bool = False) -> str:
    ended = subprocess.run(command, capture_output=True, check=must_succeed, timeout=120)
    return (ended.stdout + ended.stderr).decode("utf-8", "replace")


def _verdict(tool: str, said: str, marks: tuple[str, ...]) -> Verdict:
    complaints = [line.strip() for line in said.splitlines() if line.strip().startswith(marks)]
    left = [line for line in complaints if not any(words in line for words in ALLOWED[tool])]
    errors = tuple(line for line in left if line.startswith(("Error", "E:", "F:")))
    return Verdict(errors, tuple(line for line in left if line not in errors), said)
