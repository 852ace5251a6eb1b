"""How fast objects are taken, safe on disk, beside Orthanc, which answers before its index is durable.

    python benchmarks/receive.py [ROUNDS]

Each round sends 40 objects to both with DCMTK's ``dcmsend`` over one association, in turn, so that both see the
same machine; the medians and their ratio are what counts. DCMTK runs with TCP_NODELAY=1, or each of Orthanc's answers
waits 40 ms for an acknowledgement.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

import stand_in_bundle  # noqa: E402
from private_orthanc import Orthanc  # noqa: E402
from running_service import Service  # noqa: E402
from studies import make_study, phantom_jpeg  # noqa: E402

from casebook.words import Laterality  # noqa: E402
from inference.phantom import MANY  # noqa: E402

OBJECTS = 40


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jpeg = phantom_jpeg(1, MANY, Laterality.RIGHT)
        service = Service(folder / "home", MODEL__BUNDLE=str(stand_in_bundle.make(folder / "bundle")))
        with Orthanc("/usr/sbin/Orthanc", folder / "orthanc") as orthanc:
            service.start()
            try:
                times: dict[str, list[float]] = {"RetinaGate": [], "Orthanc": []}
                print(f"load before {os.getloadavg()[0]:.1f}, {OBJECTS} objects of {len(jpeg) / 1e6:.2f} MB")
                for number in range(rounds):
                    ports = {"RetinaGate": service.dicom_port, "Orthanc": orthanc.dicom_port}
                    for title, port in ports.items():
                        files = [
                            make_study(
                                folder / title / str(number), 1000 * number + one, {Laterality.RIGHT: jpeg}
                            ).files[0]
                            for one in range(OBJECTS)
                        ]
                        times[title].append(_send(port, files))
                    print(f"round {number + 1}: " + ", ".join(f"{title} {of[-1]:.2f} s" for title, of in times.items()))
            finally:
                service.end()
        rates = {title: OBJECTS / statistics.median(of) for title, of in times.items()}
        for title, rate in rates.items():
            print(f"{title}: median {rate:.0f} objects/s, best {OBJECTS / min(times[title]):.0f}")
        print(f"ratio {rates['RetinaGate'] / rates['Orthanc']:.2f}, load after {os.getloadavg()[0]:.1f}")


def _send(port: int, files: list[Path]) -> float:
    began = time.perf_counter()
    ended = subprocess.run(
        ["/usr/bin/dcmsend", "-v", "-aec", "RETINAGATE", "127.0.0.1", str(port), *map(str, files)],
        env={**os.environ, "TCP_NODELAY": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    taken = time.perf_counter() - began
    assert f"with status SUCCESS  : {len(files)}" in ended.stdout + ended.stderr, ended.stderr
    return taken


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
