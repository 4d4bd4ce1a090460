"""Read a NIfTI file as a volume, for researchers' data and for training.

Belongs here: NIfTI -> Volume. Does not belong here: DICOM (decode, single), label maps' meaning (training).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813  # its usual name

from vfscreen.errors import Failed, ReasonCode, Stage
from vfscreen.geometry.volume import Volume


def read_nifti(path: Path) -> Volume:
    """A 3D NIfTI file (.nii, .nii.gz) as int16 volume; ITK turns its RAS frame into LPS mm.

    Raises Failed(DECODE_FAILED) for a file that is not a three-dimensional NIfTI image.
    """
    try:
        image: Any = sitk.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError as error:
        raise Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, f"{path.name} is not a readable NIfTI file") from error
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise Failed(Stage.DECODE, ReasonCode.DECODE_FAILED, f"{path.name} is not a three-dimensional scalar image")
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    hu = np.clip(np.rint(sitk.GetArrayFromImage(image)), -32768, 32767).astype(np.int16)
    return Volume(hu, affine)
