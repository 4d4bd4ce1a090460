"""A lake whose rows are a demo archive's ground truth: what a perfect sweep would have written.

Belongs here: putting the truth into rows. Does not belong here: the truth (`truth`), the archive (`demo_archive`), how
rows land (`vfscreen.lake`). Queries, checks, audits, evaluation and reports are tested on it for exact equality, in
seconds, without a model or a pixel: everything but the finding itself is the product's own - headers are read and
series selected by the index, shards planned, rows checked and landed by the lake.

What the truth does not know stays null (times, pictures, mg/cm3). Its probabilities are 0 or 1, its standard deviations
0. Of density it knows the spongy bone's HU in the scan and without contrast at 120 kV; the difference stands as the
correction for contrast where some was given, else for the tube voltage. Fractured bodies are not valid.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from vfscreen import __version__
from vfscreen.density.reference import density_category, reference_value
from vfscreen.density.result import SeriesDensity, VertebraDensity
from vfscreen.errors import State
from vfscreen.geometry.curve import Centreline
from vfscreen.ingest.identity import Pseudonymiser, load_pseudonymiser
from vfscreen.lake.plan import iter_shards
from vfscreen.lake.store import Lake
from vfscreen.morphometry.neighbours import expected_posterior_heights_mm
from vfscreen.schema.names import KEYPOINTS, ContrastPhase, DensityReason
from vfscreen.screening.film_rows import film_series_rows
from vfscreen.screening.indexing import index_archive
from vfscreen.screening.isolation import manifest_rows
from vfscreen.screening.measure import summarise
from vfscreen.screening.result import ScreeningResult, Vertebra
from vfscreen.screening.rows import left_out_series_row, screened_rows
from vfscreen.screening.series_files import SeriesFiles
from vfscreen.settings import IdentitySettings, Settings
from vfscreen.settings_density import DensitySettings
from vfscreen.spine.straighten import SlabSpec, StraightenedSlab
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.truth import DemoTruth, SeriesTruth, VisibleVertebra
from vfscreen.synthesis.truth_films import perfect_films
from vfscreen.synthesis.truth_judgement import perfect_judgement

Row = dict[str, Any]

TRUTH_RELEASE = "truth"
ISSUER = "SYNTHETIC"
"""IssuerOfPatientID of the demo archive; it goes into the pseudonym."""

_KEY = b"synthetic-demo-truth"
_BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
_COARSE = 8.0


@dataclass(frozen=True)
class TruthLake:
    """A lake that holds the truth, and who its pseudonyms are."""

    lake: Lake
    pseudonymiser: Pseudonymiser

    def patient(self, patient_id: str) -> str:
        """patient_pseudonym of a PatientID of the demo archive."""
        pseudonym = self.pseudonymiser.patient(patient_id, ISSUER)
        assert pseudonym is not None
        return pseudonym


def write_truth_lake(
    truth: DemoTruth,
    lake_url: str | Path,
    archive: str | Path | None = None,
    *,
    model_release: str = TRUTH_RELEASE,
    run_id: str = "truth-run",
    shard_studies: int = 3,
) -> TruthLake:
    """Write the truth as a lake of one completed run.

    archive: the demo archive of `truth`. None makes one of the same seed and patients with empty pixels for its headers
    and removes it again (some seconds): identifiers, demographics, site, tube voltage and geometry along the patient
    are then the same, pixels are larger. A header that is missing in the archive is null in the lake.
    model_release, run_id: call again with others to have a further release over the same index.

    ValueError where the index ends a series otherwise than the truth says: it is another archive's.
    """
    if archive is None:
        with tempfile.TemporaryDirectory(prefix="vfscreen-truth-") as folder:
            write_demo_archive(
                Path(folder), truth.seed, truth.patients, pixel_factor=_COARSE, workers=1, rendered=False
            )
            return write_truth_lake(
                truth,
                lake_url,
                Path(folder, "archive"),
                model_release=model_release,
                run_id=run_id,
                shard_studies=shard_studies,
            )
    url = str(lake_url)
    with tempfile.TemporaryDirectory(prefix="vfscreen-key-") as folder:
        key_file = Path(folder, "key")
        key_file.touch(mode=0o600)
        key_file.write_bytes(_KEY)
        settings = Settings(identity=IdentitySettings(key_file=key_file))
        index_archive(str(archive), url, settings, processes=0)
        pseudonymiser = load_pseudonymiser(settings.identity, url)
    lake = Lake.open(url)
    _land(truth, lake, str(archive), model_release, run_id, shard_studies)
    return TruthLake(lake, pseudonymiser)


def _land(truth: DemoTruth, lake: Lake, archive: str, model_release: str, run_id: str, shard_studies: int) -> None:
    series_of = {item.SeriesInstanceUID: item for item in truth.series}
    shards = list(iter_shards(lake, model_release, shard_studies=shard_studies))
    for shard in shards:
        series_rows, vertebra_rows, film_rows = [], [], []
        files = SeriesFiles(lake, [(study, series) for study, series, _ in shard.series])
        for manifest in manifest_rows(lake, shard):
            row, vertebrae, films = _ended(manifest, series_of.get(manifest["SeriesInstanceUID"]), files)
            series_rows.append(row)
            vertebra_rows += vertebrae
            film_rows += films
        lake.write_shard(shard.shard_id, run_id, model_release, series_rows, vertebra_rows, film_rows)
    lake.write_run(
        {
            "run_id": run_id,
            "started_at": _BEGAN,
            "finished_at": _BEGAN,
            "archive": archive,
            "model_release": model_release,
            "vfscreen_version": __version__,
            "settings_json": Settings().model_dump_json(exclude={"identity"}),
            "shards_planned": len(shards),
            "shards_done": len(shards),
            "outcome": "completed",
        }
    )


def _ended(
    manifest: Mapping[str, Any], series: SeriesTruth | None, files: SeriesFiles
) -> tuple[Row, list[Row], list[Row]]:
    """SERIES row, VERTEBRAE rows and FILMS rows of one series."""
    reason = manifest["reason_code"]
    state = (State.SCREENED if manifest["selected"] else State.REJECTED).value
    if series is not None and series.films and manifest["selected"]:
        # whether a film is screened its pixels decide, not the index
        rows = files[manifest["StudyInstanceUID"], manifest["SeriesInstanceUID"]]
        return film_series_rows(manifest, perfect_films(series, rows))
    if series is None or (state, reason) != (series.expected_state, series.expected_reason):
        wanted = "nothing" if series is None else series.expected_reason or series.expected_state
        uid = manifest["SeriesInstanceUID"]
        raise ValueError(f"series {uid} is {reason or state}, the truth says {wanted}: give the archive of this truth")
    if not manifest["selected"]:
        return left_out_series_row(manifest), [], []
    return *screened_rows(manifest, perfect_result(series)), []


def perfect_result(series: SeriesTruth) -> ScreeningResult:
    """What a screening without any error would return for a series that shows at least two vertebrae.

    Raw losses are taken from the heights as `truth.json` keeps them (to 0.0001 mm), so that rows agree with themselves.
    Adjusted losses and grades are `vfscreen.morphometry`'s of those heights.
    """
    expected = expected_posterior_heights_mm(
        [None if v.truncated else np.asarray(v.heights_mm) for v in series.vertebrae],
        [v.vertebra_level for v in series.vertebrae],
    )
    phase = series.contrast_phase
    vertebrae = tuple(_vertebra(v, e, phase) for v, e in zip(series.vertebrae, expected, strict=True))
    line = Centreline.from_points(np.array([v.centre_lps_mm for v in vertebrae]))
    nothing = np.zeros((1, 1, 1), np.float32)
    slab = StraightenedSlab(nothing, np.zeros_like(nothing, dtype=np.bool_), line, SlabSpec())
    return ScreeningResult(
        centreline=line,
        vertebrae=vertebrae,
        patient=summarise(vertebrae),
        slab=slab,
        density=_series_density(series, vertebrae),
    )


def _series_density(series: SeriesTruth, vertebrae: Iterable[Vertebra]) -> SeriesDensity:
    settings = DensitySettings()
    sound = {str(v.vertebra_level): v.density for v in vertebrae if v.density.valid}
    raw = {level: float(d.trabecular_hu_mean or 0.0) for level, d in sound.items()}
    corrected = {level: float(d.trabecular_hu_corrected or 0.0) for level, d in sound.items()}
    reference, levels = reference_value(raw, settings)
    reference_corrected = reference_value(corrected, settings)[0]
    phase = series.contrast_phase
    return SeriesDensity(
        contrast_phase=None if phase is None else ContrastPhase(phase),
        contrast_phase_probability=None if phase is None else 1.0,
        reference_hu=reference,
        reference_hu_corrected=reference_corrected,
        reference_levels=levels,
        category=density_category(reference_corrected, settings),
    )


def _density(v: VisibleVertebra, grade: int | None, phase: str | None) -> VertebraDensity:
    if v.truncated:
        return VertebraDensity(reasons=(DensityReason.TRUNCATED,))
    if v.trabecular_hu is None or v.trabecular_hu_native is None:
        return VertebraDensity()
    reasons = (DensityReason.FRACTURED,) if grade else ()
    added = v.trabecular_hu_native - v.trabecular_hu
    enhanced = phase not in (None, ContrastPhase.NON_CONTRAST.value)
    return VertebraDensity(
        trabecular_hu_mean=v.trabecular_hu,
        trabecular_hu_median=v.trabecular_hu,
        trabecular_hu_sd=0.0,
        valid=not reasons,
        reasons=reasons,
        kvp_correction_hu=0.0 if enhanced else added,
        contrast_correction_hu=added if enhanced else 0.0,
        trabecular_hu_corrected=v.trabecular_hu_native,
    )


def _vertebra(v: VisibleVertebra, expected_height_mm: float | None, phase: str | None) -> Vertebra:
    heights = np.asarray(v.heights_mm)
    whole = not v.truncated
    judged = perfect_judgement(v, heights, expected_height_mm)
    return Vertebra(
        vertebra_level=v.vertebra_level,
        level_probability=1.0,
        level_certain=True,
        truncated=v.truncated,
        detection_probability=1.0,
        centre_lps_mm=np.asarray(v.centre_lps_mm),
        keypoints_lps_mm=np.array([v.keypoints_lps_mm[name] for name in KEYPOINTS]) if whole else None,
        keypoint_sd_mm=np.zeros(len(KEYPOINTS)) if whole else None,
        heights_mm=heights if whole else None,
        height_sd_mm=np.zeros(3) if whole else None,
        density=_density(v, judged["genant_grade"], phase),
        **judged,
    )
