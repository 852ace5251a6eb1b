"""Certificates of the tests' own: an authority, a listener and a camera it signed, and cameras that must not get in."""

import ssl
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Pair:
    """PEM files of a certificate and its private key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Certificates:
    authority: Path
    listener: Pair
    camera: Pair
    expired: Pair
    foreign: Pair

    def client(
        self, pair: Pair | None = None, newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED
    ) -> ssl.SSLContext:
        """Return the context of a peer that shows a certificate, or none, and speaks at most this version."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority)
        if pair is not None:
            context.load_cert_chain(pair.certificate, pair.key)
        if newest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = min(newest, ssl.TLSVersion.TLSv1_2)
            context.maximum_version = newest
        return context


def make(folder: Path) -> Certificates:
    """Write new certificates into a folder."""
    ours, theirs, long_ago = trustme.CA(), trustme.CA(), datetime.now(UTC) - timedelta(days=400)
    ours.cert_pem.write_to_path(folder / "authority.pem")
    signed = {
        "listener": ours.issue_cert("127.0.0.1", "localhost"),
        "camera": ours.issue_cert("camera.example"),
        "expired": ours.issue_cert("camera.example", not_before=long_ago, not_after=long_ago + timedelta(days=30)),
        "foreign": theirs.issue_cert("camera.example"),
    }
    return Certificates(folder / "authority.pem", **{name: _write(folder, name, leaf) for name, leaf in signed.items()})


def _write(folder: Path, name: str, leaf: trustme.LeafCert) -> Pair:
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    for number, pem in enumerate(leaf.cert_chain_pems):
        pem.write_to_path(pair.certificate, append=number > 0)
    pair.key.touch(mode=0o600)
    leaf.private_key_pem.write_to_path(pair.key)
    return pair
