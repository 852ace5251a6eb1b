"""Deterministic UIDs: the same installation, study and revision always give the same object identity.

UUID-derived UIDs under the root 2.25 (PS3.5 B.2), at most 44 characters.
"""

import uuid

_NAMESPACE = uuid.UUID("6b0ac7a5-2f5e-5d7a-9c1a-7e3d3f1c2b10")


def derived_uid(*parts: str | int) -> str:
    """Return the UID that belongs to these parts, always the same one.

    Args:
        parts: what identifies the object: installation id, study, revision, product, photograph.

    Returns:
        ``2.25.`` followed by the decimal form of a UUIDv5 over the parts.
    """
    # The unit separator cannot stand in a UID or in one of our words: ("a", "bc") and ("ab", "c") stay apart.
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(str(part) for part in parts)).int}"
