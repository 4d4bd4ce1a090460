"""Predictions of trained classifiers on prepared items, and where on a crop they come from.

Belongs here: networks on items -> probabilities, Grad-CAM. Does not belong here: what predictions are worth
(evaluation.fresh), pictures of saliency (report.fresh).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit
from torch.nn import functional

from vfscreen.evaluation.fresh_predictions import Predictions
from vfscreen.models.fresh_network import FreshNet
from vfscreen.training.fresh_data import plain
from vfscreen.training.fresh_items import ItemSet
from vfscreen.training.fresh_train import load_best, logits

Float = NDArray[np.float64]
Image = NDArray[np.float32]

EVALUATED = ("validation", "control")


@dataclass(frozen=True, eq=False)
class Saliency:
    """image: (S, S) as the network saw it. heat: (S, S), 0 to 1, larger = speaks more for a fresh fracture."""

    item_id: str
    fresh: bool
    probability: float
    image: Image
    heat: Image


def predict(runs: Mapping[str, Path], items: ItemSet, device: str = "cpu") -> tuple[Predictions, dict[str, float]]:
    """Calibrated probabilities of every run's best network on validation and control items, and each temperature.

    runs: name of a model -> its run's folder. The temperature is fitted on the validation items.
    """
    index = [n for n, item in enumerate(items.items) if item.split in EVALUATED]
    kept = ItemSet(tuple(items.items[n] for n in index), items.crops[index], items.spec)
    image = torch.from_numpy(plain(kept))
    fresh = np.array([i.fresh for i in kept.items], dtype=np.bool_)
    validation = np.array([i.split == "validation" for i in kept.items], dtype=np.bool_)
    scores, temperatures = {}, {}
    for name, path in runs.items():
        network, _ = load_best(path)
        found = logits(network.to(device), image, torch.device(device))
        temperatures[name] = fit_temperature(found[validation], fresh[validation])
        scores[name] = np.asarray(expit(found / temperatures[name]))
    return (
        Predictions(
            tuple(i.item_id for i in kept.items),
            tuple(i.patient_id for i in kept.items),
            tuple(i.split for i in kept.items),
            fresh,
            scores,
        ),
        temperatures,
    )


def fit_temperature(logit: Float, fresh: NDArray[np.bool_]) -> float:
    """What logits are divided by for the least cross-entropy (Guo et al., ICML 2017), between 0.2 and 5."""

    def entropy(log_temperature: float) -> float:
        scaled = logit / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0.0, np.where(fresh, -scaled, scaled))))

    found = minimize_scalar(entropy, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return float(np.exp(found.x))


def saliency(network: FreshNet, items: ItemSet, item_ids: Sequence[str], temperature: float = 1.0) -> list[Saliency]:
    """Grad-CAM (Selvaraju et al., ICCV 2017) on the last maps, of the logit of a fresh fracture.

    Raises KeyError for an item that is not there.
    """
    place = {item.item_id: n for n, item in enumerate(items.items)}
    index = [place[name] for name in item_ids]
    chosen = ItemSet(tuple(items.items[n] for n in index), items.crops[index], items.spec)
    found = []
    for item, image in zip(chosen.items, plain(chosen), strict=True):
        probability, heat = grad_cam(network, image[0], temperature)
        found.append(Saliency(item.item_id, item.fresh, probability, image[0], heat))
    return found


def grad_cam(network: FreshNet, image: Image, temperature: float = 1.0) -> tuple[float, Image]:
    """(S, S) normalised crop -> P(fresh) and the heat map (S, S), its maximum 1 (all 0 where nothing speaks for it)."""
    network.eval()
    maps = network.maps(torch.from_numpy(np.ascontiguousarray(image))[None, None]).detach().requires_grad_(True)
    logit = network.classify(maps)[0, 0]
    (gradient,) = torch.autograd.grad(logit, maps)
    weighted = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).clamp(min=0)
    heat = functional.interpolate(weighted, size=image.shape, mode="bilinear", align_corners=False)[0, 0].detach()
    top = float(heat.max())
    return float(expit(float(logit.detach()) / temperature)), (heat / top if top > 0 else heat).numpy()
