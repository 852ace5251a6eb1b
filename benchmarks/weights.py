"""Loads a network into torch as whoever wants its first answer soon would: nothing is drawn at random."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from inference.network.catalogue import build
from inference.network.head import Grader


def load(architecture: str, weights: Path) -> Grader:
    """Return a network of the catalogue with weights from a safetensors file in our own key layout, ready to grade."""
    network: Grader
    with torch.device("meta"):
        network = build(architecture)
    network.load_state_dict(load_file(weights), assign=True)
    network.eval()
    return network
