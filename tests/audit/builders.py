"""A site to audit: the truth lake of the demo archive and its reports, made once for a test session."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vfscreen.settings import Settings, load_settings
from vfscreen.synthesis.demo_archive import write_demo_archive
from vfscreen.synthesis.demo_reports import ReportTruth, write_demo_reports
from vfscreen.synthesis.truth_lake import write_truth_lake


@dataclass(frozen=True)
class AuditSite:
    """lake: URL of a lake that holds the truth. folder: reports.csv, codes.csv, treatments.csv, dxa.csv. key:
    identity."""

    lake: str
    folder: Path
    truth: ReportTruth
    key: str

    @property
    def reports(self) -> Path:
        return self.folder / "reports.csv"

    def settings(self, **sections: object) -> Settings:
        return load_settings(None, **sections)


def make_audit_site(folder: Path, patients: int = 9) -> AuditSite:
    """Six of the cast and drawn patients, of whom some fractures are at neighbouring levels."""
    truth = write_demo_archive(folder, seed=5, patients=patients, pixel_factor=8.0, workers=1, rendered=False)
    lake = write_truth_lake(truth, folder / "lake", folder / "archive")
    return AuditSite(lake.lake.url, folder, write_demo_reports(folder, truth), lake.pseudonymiser.key.decode())
