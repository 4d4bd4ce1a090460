"""How the demo archive's files lie: studies in zip files and on media, and what lies around besides images.

Belongs here: packing, litter, counting. Does not belong here: what is packed (`demo_archive`).
"""

from __future__ import annotations

import shutil
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydicom import dcmread
from pydicom.fileset import FileSet

from vfscreen.errors import FileState
from vfscreen.synthesis.demo_plan import Package


def package_studies(packages: Mapping[Path, Package]) -> None:
    """Some studies come as a zip file, some as media with a DICOMDIR and file names without extension. packages: folder
    of a study -> how it comes."""
    for study, package in packages.items():
        files = sorted(p for p in study.rglob("*") if p.is_file())
        if package == "zip":
            target = study.with_name(f"{study.name}.zip")
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
                for path in files:
                    # a fixed date: the same seed gives the same bytes
                    archive.writestr(zipfile.ZipInfo(str(path.relative_to(study))), path.read_bytes())
            shutil.rmtree(study)
        elif package == "media":
            media = FileSet()
            for path in files:
                media.add(dcmread(path))
            media.write(study.with_name(f"{study.name}_media"))
            shutil.rmtree(study)


def litter(folder: Path) -> None:
    """What lies around in archives besides images."""
    folder.joinpath("README.txt").write_text("A synthetic archive; nobody in it exists.\n", encoding="utf-8")
    folder.joinpath("export.log").write_text("exported by vfscreen demo\n", encoding="utf-8")
    lost = folder / "lost+found"
    lost.mkdir()
    whole = next(p for p in sorted(folder.rglob("*.dcm")) if p.stat().st_size > 4096)
    lost.joinpath("truncated.dcm").write_bytes(whole.read_bytes()[:300])
    lost.joinpath("empty.dcm").write_bytes(b"")


def count_files(folder: Path) -> dict[str, int]:
    """File states as a scan must find them, members of zip files one by one."""
    found: Counter[str] = Counter()
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        if path.suffix == ".zip":
            found[FileState.CONTAINER.value] += 1
            with zipfile.ZipFile(path) as archive:
                found[FileState.INSTANCE.value] += len(archive.namelist())
        elif path.name == "DICOMDIR":
            found[FileState.DICOMDIR.value] += 1
        elif path.parent.name == "lost+found":
            found[FileState.UNREADABLE.value] += 1
        elif path.suffix in (".txt", ".log"):
            found[FileState.NOT_DICOM.value] += 1
        else:
            found[FileState.INSTANCE.value] += 1
    return dict(sorted(found.items()))
