"""Whether the bundle is what its card says and computes here what it computed when it was made (S21)."""

import time

from casebook.errors import Misconfigured, RetinaGateError, Unavailable
from casebook.settings import Settings
from gateway.checks.finding import Finding, clause, ok, red, refused, warn
from gateway.house import bundle_folder
from inference.bundle import load_bundle
from inference.children import Children


def model(settings: Settings, seconds: float) -> Finding:
    """Hash every file of the bundle, then let children of our own reproduce its golden pictures.

    Args:
        settings: which bundle, and on what it shall run.
        seconds: how long they may take; a machine at work may need more, which is no fault.
    """
    try:
        folder = bundle_folder(settings)
        load_bundle(folder)
    except Misconfigured as error:
        return refused("model", error)
    began = time.monotonic()
    children = Children(folder, device=settings.model.device, readers=1)
    try:
        ready = children.wait_ready(seconds)
    except Unavailable as error:
        if time.monotonic() - began < seconds:
            return red("model", clause(error.message), "install RetinaGate again, or give the machine more memory")
        return warn(
            "model",
            f"the files are whole, but the golden pictures took longer than {seconds:.0f} s",
            "run it again when the machine has less to do",
        )
    except RetinaGateError as error:
        return refused("model", error)
    finally:
        children.stop()
    if ready.fallback:
        return warn(
            "model",
            f"{ready.in_words}; {clause(ready.fallback)}",
            "it works, but slower: mend that, or install RetinaGate again",
        )
    return ok("model", ready.in_words)
