"""How fast objects are taken, safe on disk, beside Orthanc, which answers before its index is durable (rule P26).

Each round sends the same objects to both with DCMTK's ``dcmsend`` over one association, in turn. DCMTK runs with
TCP_NODELAY=1, or each of Orthanc's answers waits 40 ms for an acknowledgement.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.fresh import ROOT
from benchmarks.plan import Plan
from benchmarks.report import Claim, Figure, Part
from casebook.words import Laterality
from inference.phantom import MANY

_ORTHANC, _DCMSEND = Path("/usr/sbin/Orthanc"), Path("/usr/bin/dcmsend")


def receive(plan: Plan) -> Part:
    """Measure our listener and Orthanc's; both are other processes, so the clock on the wall counts."""
    part = Part("receive")
    missing = [program.name for program in (_ORTHANC, _DCMSEND) if not program.exists()]
    if missing:
        part.left_out.append(f"{' and '.join(missing)} must be installed beside us.")
        return part
    times = _seconds(plan.rounds, plan.objects)
    middle = {title: sorted(of)[len(of) // 2] for title, of in times.items()}
    part.claims.append(
        Claim("objects a second, RetinaGate over Orthanc", middle["Orthanc"] / middle["RetinaGate"], "x")
    )
    for title, of in times.items():
        part.figures += [
            Figure(f"{title}, median of {len(of)} rounds of {plan.objects}", plan.objects / middle[title], "objects/s"),
            Figure(f"{title}, best round", plan.objects / min(of), "objects/s"),
        ]
    return part


def _seconds(rounds: int, objects: int) -> dict[str, list[float]]:
    sys.path.append(str(ROOT / "tests" / "support"))
    import stand_in_bundle
    from private_orthanc import Orthanc
    from running_service import Service
    from studies import make_study, phantom_jpeg

    times: dict[str, list[float]] = {"RetinaGate": [], "Orthanc": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jpeg = phantom_jpeg(1, MANY, Laterality.RIGHT)
        service = Service(folder / "home", MODEL__BUNDLE=str(stand_in_bundle.make(folder / "bundle")))
        with Orthanc(str(_ORTHANC), folder / "orthanc") as orthanc:
            service.start()
            try:
                for number in range(rounds):
                    for title, port in (("RetinaGate", service.dicom_port), ("Orthanc", orthanc.dicom_port)):
                        files = [
                            make_study(
                                folder / title / str(number), 1000 * number + one, {Laterality.RIGHT: jpeg}
                            ).files[0]
                            for one in range(objects)
                        ]
                        times[title].append(_send(port, files))
            finally:
                service.end()
    return times


def _send(port: int, files: list[Path]) -> float:
    began = time.perf_counter()
    ended = subprocess.run(
        [str(_DCMSEND), "-v", "-aec", "RETINAGATE", "127.0.0.1", str(port), *map(str, files)],
        env={**os.environ, "TCP_NODELAY": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    taken = time.perf_counter() - began
    assert f"with status SUCCESS  : {len(files)}" in ended.stdout + ended.stderr, ended.stderr
    return taken
