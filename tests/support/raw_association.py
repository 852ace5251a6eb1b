"""A DICOM client that sends exactly the bytes it is told to: the hostile peer of the tests (PS3.7, PS3.8).

It knows no library, so nothing corrects what a test gets wrong on purpose.
"""

import socket
import ssl
import struct
from collections.abc import Iterable, Sequence
from types import TracebackType

VERIFICATION = "1.2.840.10008.1.1"
OPHTHALMIC = "1.2.840.10008.5.1.4.1.1.77.1.5.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
APPLICATION_CONTEXT = "1.2.840.10008.3.1.1.1"

RQ, AC, RJ, P_DATA, RELEASE_RQ, RELEASE_RP, ABORT = range(1, 8)
C_STORE_RQ, C_FIND_RQ, C_ECHO_RQ, N_EVENT_REPORT_RQ = 0x0001, 0x0020, 0x0030, 0x0100
COMMAND, LAST = 1, 2

Context = tuple[int, str, Sequence[str]]
DEFAULT_CONTEXTS: tuple[Context, ...] = ((1, VERIFICATION, (IMPLICIT,)), (3, OPHTHALMIC, (EXPLICIT,)))


def pdu(kind: int, body: bytes, length: int | None = None) -> bytes:
    """Return a PDU; its header may lie about the length."""
    return struct.pack(">BxL", kind, len(body) if length is None else length) + body


def item(kind: int, body: bytes) -> bytes:
    """Return a variable item of an association PDU."""
    return struct.pack(">BxH", kind, len(body)) + body


def association_request(
    called: bytes = b"RETINAGATE",
    calling: bytes = b"CAMERA",
    contexts: Iterable[Context] = DEFAULT_CONTEXTS,
    *,
    version: int = 1,
    application_context: str = APPLICATION_CONTEXT,
    maximum_length: int = 16384,
    identity: tuple[str, str] | None = None,
    pad: bytes = b" ",
) -> bytes:
    """Return an A-ASSOCIATE-RQ."""
    items = item(0x10, application_context.encode())
    for identifier, abstract, transfers in contexts:
        inner = item(0x30, abstract.encode()) + b"".join(item(0x40, transfer.encode()) for transfer in transfers)
        items += item(0x20, struct.pack(">B3x", identifier) + inner)
    user = item(0x51, struct.pack(">L", maximum_length)) + item(0x52, b"1.2.3.4")
    if identity is not None:
        name, passcode = (text.encode() for text in identity)
        fields = struct.pack(">BB", 2, 0) + b"".join(struct.pack(">H", len(one)) + one for one in (name, passcode))
        user += item(0x58, fields)
    items += item(0x50, user)
    return pdu(RQ, struct.pack(">H2x16s16s32x", version, called.ljust(16, pad), calling.ljust(16, pad)) + items)


def fragment(context_id: int, control: int, data: bytes, length: int | None = None) -> bytes:
    """Return a presentation data value item; it may lie about its length."""
    return struct.pack(">LBB", len(data) + 2 if length is None else length, context_id, control) + data


def command(field: int, **elements: int | str) -> bytes:
    """Return an encoded command set; keys are ``e0002`` for (0000,0002), text is a UID, a number is US."""
    encoded = b""
    for element, value in sorted({"e0100": field, **elements}.items()):
        raw = value.encode() + b"\0" * (len(value) % 2) if isinstance(value, str) else struct.pack("<H", value)
        encoded += struct.pack("<HHL", 0, int(element[1:], 16), len(raw)) + raw
    return struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded


def c_store(sop_class: str, sop_instance: str, *, message_id: int = 1, data_set_type: int = 1) -> bytes:
    """Return the command set of a C-STORE-RQ."""
    return command(
        C_STORE_RQ, e0002=sop_class, e0110=message_id, e0700=0, e0800=data_set_type, e1000=sop_instance
    )  # fmt: skip


def c_echo(sop_class: str = VERIFICATION, *, message_id: int = 1) -> bytes:
    """Return the command set of a C-ECHO-RQ."""
    return command(C_ECHO_RQ, e0002=sop_class, e0110=message_id, e0800=0x0101)


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    """Return an element in Explicit VR Little Endian, its value padded to an even length."""
    value += (b"\0" if vr in ("UI", "OB", "UN") else b" ") * (len(value) % 2)
    head = struct.pack("<HH2s", group, number, vr.encode())
    if vr in ("OB", "OW", "SQ", "UN", "UT"):
        return head + struct.pack("<2xL", len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def data_set(
    sop_class: str = OPHTHALMIC, sop_instance: str = "1.2.3.4.5", study: str = "1.2.3", series: str = "1.2.3.4",
    name: bytes = b"Eye^Test", pixels: bytes = b"\0" * 12,
) -> bytes:  # fmt: skip
    """Return the smallest data set that is taken, in Explicit VR Little Endian."""
    return b"".join(
        (
            element(0x0008, 0x0016, "UI", sop_class.encode()),
            element(0x0008, 0x0018, "UI", sop_instance.encode()),
            element(0x0010, 0x0010, "PN", name),
            element(0x0010, 0x0020, "LO", b"1"),
            element(0x0020, 0x000D, "UI", study.encode()),
            element(0x0020, 0x000E, "UI", series.encode()),
            element(0x0028, 0x0010, "US", struct.pack("<H", 2)),
            element(0x0028, 0x0011, "US", struct.pack("<H", 2)),
            element(0x7FE0, 0x0010, "OB", pixels),
        )
    )


class RawAssociation:
    """A connection to a listener; used as a context manager it closes at the end."""

    def __init__(
        self,
        address: tuple[str, int],
        source: str = "127.0.0.1",
        timeout: float = 20.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection(address, timeout=timeout, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            try:
                self.socket = tls.wrap_socket(self.socket, server_hostname=address[0])
            except BaseException:  # an interrupt too: nobody else would close it
                self.socket.close()
                raise

    def __enter__(self) -> "RawAssociation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self) -> tuple[int, bytes] | None:
        """Return type and body of the next PDU, or None when the connection is closed."""
        header = self._exactly(6)
        if header is None:
            return None
        kind, length = struct.unpack(">BxL", header)
        return kind, self._exactly(length) or b""

    def associate(self, *contexts: Context, **request: object) -> tuple[int, bytes] | None:
        """Ask for an association and return the answer."""
        self.send(association_request(contexts=contexts or DEFAULT_CONTEXTS, **request))  # type: ignore[arg-type]
        return self.receive()

    def message(self, context_id: int, command_set: bytes, data: bytes | None = None, size: int = 16000) -> None:
        """Send a message, its data set in fragments."""
        self.send(pdu(P_DATA, fragment(context_id, COMMAND | LAST, command_set)))
        if data is not None:
            parts = [data[start : start + size] for start in range(0, len(data), size)] or [b""]
            for number, part in enumerate(parts, 1):
                self.send(pdu(P_DATA, fragment(context_id, LAST if number == len(parts) else 0, part)))

    def status(self) -> tuple[int, int]:
        """Return command field and status of the answer.

        Raises:
            ConnectionError: there is none: the association was aborted or closed.
        """
        answer = self.receive()
        if answer is None or answer[0] != P_DATA:
            raise ConnectionError(answer)
        elements = self._elements(answer[1][6:])
        return elements[0x0100], elements[0x0900]

    def echo(self) -> int:
        """Return the status of a C-ECHO."""
        self.message(1, c_echo())
        return self.status()[1]

    def store(self, sop_instance: str = "1.2.3.4.5", data: bytes | None = None, sop_class: str = OPHTHALMIC) -> int:
        """Return the status of a C-STORE."""
        self.message(3, c_store(sop_class, sop_instance), data_set(sop_instance=sop_instance) if data is None else data)
        return self.status()[1]

    def release(self) -> tuple[int, bytes] | None:
        """Release the association and return the answer."""
        self.send(pdu(RELEASE_RQ, b"\0" * 4))
        return self.receive()

    def is_closed(self) -> bool:
        """Wait until the peer closes, and say whether it did without another PDU."""
        try:
            return self.receive() is None
        except ConnectionError:
            return True

    @staticmethod
    def _elements(encoded: bytes) -> dict[int, int]:
        found, position = {}, 0
        while position + 8 <= len(encoded):
            _, number, length = struct.unpack_from("<HHL", encoded, position)
            if length == 2:
                found[number] = struct.unpack_from("<H", encoded, position + 8)[0]
            position += 8 + length
        return found

    def _exactly(self, size: int) -> bytes | None:
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        return data
