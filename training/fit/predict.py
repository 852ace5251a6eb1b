"""Asks a network about photographs, as the service would."""

import numpy as np
import numpy.typing as npt
import torch

from inference.network.head import Grader
from training.photographs.dataset import Crops


def scores_of(
    network: Grader,
    crops: Crops,
    precision: torch.dtype | None = None,
    *,
    mirrored: bool = False,
    batch: int = 32,
) -> npt.NDArray[np.float32]:
    """Return the network's score for every crop as the service would see it, (n,) float32.

    Args:
        network: to ask.
        crops: to ask about.
        precision: of the forward pass; None is float32, as the bundle is measured.
        mirrored: ask about the mirror images instead.
        batch: crops at once.
    """
    network.eval()
    device = network.head.weight.device
    found = []
    with torch.inference_mode(), torch.autocast(device.type, dtype=precision, enabled=precision is not None):
        for first in range(0, len(crops), batch):
            positions = np.arange(first, min(first + batch, len(crops)))
            pictures = torch.from_numpy(crops.plain(positions)).to(device)
            pictures = pictures.flip(3) if mirrored else pictures
            found.append(network(pictures.contiguous(memory_format=torch.channels_last))[0].float().cpu().numpy())
    return np.concatenate(found) if found else np.zeros(0, np.float32)
