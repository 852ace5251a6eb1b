"""How long and how much a peer may take. Tests hand in shorter ones (security S2)."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one listener; times in seconds, sizes in bytes."""

    request_seconds: float = 10.0  # from the connection to the last byte of the A-ASSOCIATE-RQ
    request_bytes: int = 256 << 10  # 128 contexts with 40 syntaxes each are about 150 KB
    pdu_seconds: float = 10.0  # from the first byte of a PDU to its last
    pdu_bytes: int = 128 << 10  # promised to the peer: DCMTK's own ceiling, 1.2-1.5 times as fast as 16 KiB
    other_pdu_bytes: int = 64 << 10
    command_bytes: int = 64 << 10
    object_bytes: int = 512 * MEBIBYTE
    object_seconds: float = 60.0  # for an object, plus its size over the slowest rate
    object_rate: float = 64 << 10  # bytes a second
    network_seconds: float = 120.0  # an association may be silent for so long
    send_seconds: float = 30.0  # a peer that does not read its answers
    keep_seconds: float = 30.0  # from the last byte of an object to its commit
    waiting_per_host: int = 16  # connections that have not said who they are
    waiting: int = 64
    stop_idle_seconds: float = 2.0
    stop_busy_seconds: float = 15.0
