"""Vertebral fracture cohort screener: from a DICOM archive to a table of graded vertebrae.

Where do I go to ... find a column: `schema`; read DICOM: `ingest`; find vertebrae: `models`, `spine`; grade them:
`morphometry`; run the chain on a series: `screening`; store and ask: `lake`, `cohort`; add a command: `cli`.
"""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("vfscreen")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
