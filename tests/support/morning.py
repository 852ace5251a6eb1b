"""A morning's worklist: names of several scripts, and one of everything a reader meets."""

from datetime import UTC, datetime, timedelta

from clinic import Clinic, Eye, L, Patient, R

from casebook.words import DeliveryState

NOW = datetime(2026, 3, 12, 11, 4, tzinfo=UTC)
_SILENT = "pacs (PACS at 10.0.0.5:4242): nothing listens there. Check address, port and firewall."


def ago(hours: float) -> timedelta:
    return timedelta(hours=hours)


MORNING = (
    # Earlier visits of the first patient.
    Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "8841-7", (Eye(R, 0, 0.84, seed=11), Eye(L, 0, 0.9, seed=11)),
            arrived=timedelta(days=365), accession="A20257731"),
    Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "8841-7", (Eye(R, 1, 0.82, seed=11), Eye(L, 1, 0.83, seed=11)),
            arrived=timedelta(days=183), accession="A20258810"),
    Patient("Yamada^Tarou=山田^太郎=やまだ^たろう", "8841-7",
            (Eye(R, 4, 0.88, seed=11), Eye(L, 2, 0.71, seed=11), Eye(R, 3, 0.62, seed=12)),
            arrived=ago(2.6), accession="A20261207"),
    Patient("Okafor^Ngozi^Adaeze^Dr.", "5510-2", (Eye(R, 1, 0.66, seed=21), Eye(L, 4, 0.93, seed=21)),
            born="19720930", arrived=ago(1.2), delivered=DeliveryState.SENT),
    Patient("Müller^Jürgen", "4711", (Eye(R, 3, 0.81, seed=31), Eye(L, 3, 0.69, seed=31)), born="19480115",
            arrived=ago(20.5)),
    Patient("Haddad^Layla=حداد^ليلى", "7203-9", (Eye(R, 3, 0.64, seed=41), Eye(L, 0, 0.92, seed=41)), born="19800704",
            arrived=ago(1.9)),
    Patient("Kim^Cheolsu=김^철수", "6118-0", (Eye(R, 2, 0.74, seed=51), Eye(L, 2, 0.81, seed=51)), born="19671111",
            arrived=ago(18.0)),
    Patient("García Márquez^José Luis", "3390-4", (Eye(R, 0, 0.9, seed=61), Eye(L, 2, 0.83, seed=61)),
            born="19550308", arrived=ago(3.1), delivered=DeliveryState.WAITING),
    Patient("O'Brien^Siobhán", "2207-5", (Eye(R, None, flaw="blurred", seed=71), Eye(L, 0, 0.89, seed=71)),
            born="19741224", arrived=ago(0.4), delivered=DeliveryState.WAITING),
    Patient("Nguyễn^Thị Minh Khai", "9034-1", (Eye(R, 0, 0.91, seed=81),), born="19900520", arrived=ago(2.2)),
    Patient("Iyer^Lakshmi", "1876-3", (Eye(R, 1, 0.52, seed=91), Eye(L, 0, 0.9, seed=91)), born="19620718",
            arrived=ago(2.4)),
    Patient("Papadopoulou^Eleni=Παπαδοπούλου^Ελένη", "4488-6", (Eye(None, 1, 0.71, seed=101), Eye(L, 1, 0.8, seed=101)),
            born="19511102", arrived=ago(19.2)),
    Patient("van der Berg^Willem", "5602-8", (Eye(R, 0, 0.93, seed=111), Eye(L, 0, 0.9, seed=111)), born="19440505",
            arrived=ago(1.6), delivered=DeliveryState.WAITING, fault=_SILENT),
    Patient("Smith^Jane", "3001-1", (Eye(R, 0, 0.94, seed=121), Eye(L, 0, 0.92, seed=121)), born="19830211",
            arrived=ago(1.4)),
    Patient("Rossi^Giulia", "3002-2", (Eye(R, 1, 0.86, seed=131), Eye(L, 0, 0.92, seed=131)), born="19691003",
            arrived=ago(2.0)),
    Patient("Kowalska^Anna", "3003-3", (Eye(R, 0, 0.9, seed=141, flaw="pending"), Eye(L, 0, 0.9, seed=141)),
            born="19780614", arrived=ago(0.02)),
    Patient("Phantom^Eye", "PHANTOM", (Eye(R, None, seed=3), Eye(L, None, seed=3)), born="", arrived=ago(0.8),
            synthetic=True),
)  # fmt: skip


def fill(clinic: Clinic) -> list[int]:
    """Admit everybody, in the order they came."""
    return [clinic.admit(patient) for patient in sorted(MORNING, key=lambda patient: -patient.arrived)]
