"""From line integrals to a film: beam, scatter, noise, detector and tone.

Belongs here: the physics of an exposure and the processing of a picture, drawn apart from their application. Does not
belong here: the integrals (projection), things in the beam (beam_objects), marks on the picture (film_marks).

Larger is more attenuation (bone bright) until `inverted` says otherwise; a film is float32, 0 to 1, black to white.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Exposure:
    """One exposure.

    water_mm: attenuation of water, 1 / mm. bone_gain: how much more bone attenuates than in the CT's beam. hardening:
    share by which a path of 10 attenuation lengths is weakened. veil_mm: water added everywhere (what the scan's field
    of view lacks), veil_slope_mm: from the top to the bottom of the film. scatter: scattered to primary light, spread
    over scatter_mm. photons: a pixel behind dense tissue (95th percentile), as an automatic exposure would have it.
    blur_mm: focus and detector. texture_mm, texture_size_mm: depth and size of fine tissue (trabeculae, vessels) that
    no CT resolves, mm of water. grain: correlated noise of film or plate, share of the tones.
    base_gain: contrast kept of structures larger than base_mm; detail_gain: of smaller ones. sharp_mm, sharp_gain:
    unsharp masking. local_mm, local_share: size and strength of local contrast equalisation. black, white: attenuation
    at the ends of the tone curve as percentiles of the patient; gamma and curve (0 straight, 1 a film's S) shape it.
    inverted: bone dark.
    """

    seed: int
    water_mm: float
    bone_gain: float
    hardening: float
    veil_mm: float
    veil_slope_mm: float
    scatter: float
    scatter_mm: float
    photons: float
    blur_mm: float
    texture_mm: float
    texture_size_mm: float
    grain: float
    base_gain: float
    base_mm: float
    detail_gain: float
    sharp_mm: float
    sharp_gain: float
    local_share: float
    local_mm: float
    black: float
    white: float
    gamma: float
    curve: float
    inverted: bool


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """An exposure as archives hold them: plain, processed (multi-scale, local contrast) or a scanned film."""
    kind = str(rng.choice(["plain", "processed", "film"], p=[0.25, 0.6, 0.15]))
    processed = kind == "processed"
    return Exposure(
        seed=int(rng.integers(2**31)),
        water_mm=float(rng.uniform(0.0165, 0.0225)),
        bone_gain=float(rng.uniform(1.15, 2.4)),
        hardening=float(rng.uniform(0.0, 0.18)),
        veil_mm=float(rng.uniform(0, 45) if rng.random() < 0.3 else 0.0),
        veil_slope_mm=float(rng.normal(0, 18) if rng.random() < 0.3 else 0.0),
        scatter=float(np.exp(rng.uniform(np.log(0.03), np.log(1.0)))),
        scatter_mm=float(rng.uniform(25, 70)),
        photons=float(np.exp(rng.uniform(np.log(300), np.log(3e4)))),
        blur_mm=float(rng.uniform(0.15, 0.75)),
        texture_mm=float(rng.uniform(0.0, 1.0)),
        texture_size_mm=float(rng.uniform(0.5, 1.8)),
        grain=float(rng.uniform(0.005, 0.03) if kind == "film" else rng.uniform(0, 0.008)),
        base_gain=float(rng.uniform(0.25, 0.8) if processed else rng.uniform(0.6, 1.0)),
        base_mm=float(rng.uniform(15, 60)),
        detail_gain=float(rng.uniform(1.0, 3.2) if processed else rng.uniform(0.9, 1.3)),
        sharp_mm=float(np.exp(rng.uniform(np.log(0.5), np.log(6.0)))),
        sharp_gain=float(rng.uniform(0.3, 2.5) if processed else rng.choice([0.0, rng.uniform(0, 1.5)])),
        local_share=float(rng.uniform(0.1, 0.8) if processed and rng.random() < 0.6 else 0.0),
        local_mm=float(rng.uniform(20, 60)),
        black=float(rng.choice([0.0, rng.uniform(0, 8)], p=[0.4, 0.6])),
        white=float(rng.uniform(97, 100)),
        gamma=float(np.exp(rng.normal(0.1, 0.25))),
        curve=float(rng.uniform(0.4, 1.0) if kind == "film" else rng.choice([0.0, rng.uniform(0, 0.8)])),
        inverted=bool(rng.random() < 0.04),
    )


def expose(soft: Image, bone: Image, pixel_mm: float, exposure: Exposure, metal: Image | None = None) -> Image:
    """A film (rows, columns), 0 to 1, of line integrals in mm of water. metal: attenuation lengths of metal and cement.

    The same arguments give the same film.
    """
    rng = np.random.default_rng(exposure.seed)
    length = _attenuation(soft, bone, exposure)
    light = np.exp(-length)
    # a geometric mean: thick parts scatter their own light, they are not flooded by that beside the body
    scattered = np.exp(-smooth(length, exposure.scatter_mm / pixel_mm)) * np.float32(exposure.scatter)
    if metal is not None:
        light *= np.exp(-metal)
    light = gaussian_filter(light, exposure.blur_mm / pixel_mm, truncate=3.0) + scattered
    photons = np.float32(exposure.photons / max(float(np.percentile(light[::4, ::4], 5)), 1e-6))
    noise = rng.standard_normal(light.shape, dtype=np.float32)
    light = light + noise * np.sqrt(light / photons)
    seen = -np.log(np.maximum(light, np.float32(0.3) / photons))
    if exposure.texture_mm > 0:
        fine = gaussian_filter(rng.standard_normal(seen.shape, dtype=np.float32), exposure.texture_size_mm / pixel_mm)
        depth = np.float32(exposure.texture_mm * exposure.water_mm / max(float(fine.std()), 1e-6))
        seen += fine * depth * np.clip(length - 0.25, 0.0, 1.0)
    seen = _processed(seen, length > 0.25, pixel_mm, exposure)
    tone = _tone(seen, length > 0.25, exposure)
    if exposure.grain > 0:
        grain = gaussian_filter(rng.standard_normal(tone.shape, dtype=np.float32), 0.7)
        tone += grain * np.float32(exposure.grain / 0.4)
    tone = np.clip(tone, 0.0, 1.0)
    return np.asarray(1.0 - tone if exposure.inverted else tone, dtype=np.float32)


def _attenuation(soft: Image, bone: Image, exposure: Exposure) -> Image:
    veil = exposure.veil_mm + exposure.veil_slope_mm * np.linspace(-0.5, 0.5, soft.shape[0])[:, None]
    veiled = soft + np.maximum(veil, 0.0).astype(np.float32) * np.clip(soft / 60.0, 0.0, 1.0)
    length = (veiled + bone * np.float32(exposure.bone_gain)) * np.float32(exposure.water_mm)
    return np.asarray(length / (1.0 + length * np.float32(exposure.hardening / 10.0)), dtype=np.float32)


def _processed(seen: Image, patient: NDArray[np.bool_], pixel_mm: float, exposure: Exposure) -> Image:
    """Multi-scale contrast: what is large is compressed, what is small is enhanced, as readers' stations do."""
    base = smooth(seen, exposure.base_mm / pixel_mm)
    detail = seen - base
    if exposure.local_share > 0:
        spread = np.sqrt(smooth(detail * detail, exposure.local_mm / pixel_mm))
        usual = float(np.median(spread[patient])) if patient.any() else 1.0
        even = detail * (usual / np.maximum(spread, 0.25 * usual))
        detail = detail + np.float32(exposure.local_share) * (even - detail)
    if exposure.sharp_gain > 0:
        detail = detail + np.float32(exposure.sharp_gain) * (seen - smooth(seen, exposure.sharp_mm / pixel_mm))
    middle = float(np.median(base[patient])) if patient.any() else float(np.median(base))
    gain, detail_gain = np.float32(exposure.base_gain), np.float32(exposure.detail_gain)
    return np.asarray(middle + (base - middle) * gain + detail * detail_gain, dtype=np.float32)


def _tone(seen: Image, patient: NDArray[np.bool_], exposure: Exposure) -> Image:
    values = seen[patient] if patient.sum() > 100 else seen.ravel()
    low, high = np.percentile(values[:: max(values.size // 20000, 1)], [exposure.black, exposure.white])
    tone = np.clip((seen - np.float32(low)) / np.float32(max(high - low, 0.2)), 0.0, 1.15) ** np.float32(exposure.gamma)
    s_shaped = 0.5 - 0.5 * np.cos(np.pi * np.clip(tone, 0.0, 1.0))
    return np.asarray(tone + np.float32(exposure.curve) * (s_shaped - tone), dtype=np.float32)


def smooth(image: Image, sigma_px: float) -> Image:
    """A Gaussian blur; a wide one is worked out on fewer pixels."""
    step = min(int(sigma_px // 4), *image.shape)
    if step < 2:
        return np.asarray(gaussian_filter(image, sigma_px, truncate=3.0, mode="nearest"))
    small = uniform_filter(image, step, mode="nearest")[step // 2 :: step, step // 2 :: step]
    small = gaussian_filter(small, sigma_px / step, truncate=3.0, mode="nearest")
    # an even box is centred half a pixel before its sample
    where = [(np.arange(n) - step // 2 + (0.5 if step % 2 == 0 else 0.0)) / step for n in image.shape]
    return _between(_between(small, where[0]).T, where[1]).T


def _between(lines: Image, at: NDArray[np.float64]) -> Image:
    """(S, L) at positions (P,) along the first axis -> (P, L); linear, the outermost lines beyond."""
    place = np.clip(at, 0.0, max(lines.shape[0] - 1.000001, 0.0))
    lower = place.astype(np.intp)
    share = (place - lower).astype(np.float32)[:, None]
    upper = np.minimum(lower + 1, lines.shape[0] - 1)
    return np.asarray(lines[lower] * (np.float32(1.0) - share) + lines[upper] * share)
