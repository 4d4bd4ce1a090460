"""Fixtures of the audit's tests: one site, made once, and audits of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.builders import AuditSite, make_audit_site
from vfscreen.audit.mentions import ReportReader
from vfscreen.audit.rules import load_rules
from vfscreen.audit.run import AuditRequest, AuditResult, run_audit
from vfscreen.settings import load_settings


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> AuditSite:
    return make_audit_site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def english() -> ReportReader:
    return ReportReader(load_rules("en"))


@pytest.fixture
def run(site: AuditSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AuditResult]:
    """Audit the site into tmp_path/audits: run(audit={...settings...}, **fields of AuditRequest)."""
    monkeypatch.setenv("VFSCREEN_IDENTITY_KEY", site.key)

    def run(audit: dict[str, object] | None = None, **fields: object) -> AuditResult:
        values: dict[str, object] = {
            "lake": site.lake,
            "reports": (str(site.reports),),
            "out": tmp_path / "audits",
            "settings": load_settings(None, audit=audit or {}),
        }
        return run_audit(AuditRequest(**{**values, **fields}))

    return run
