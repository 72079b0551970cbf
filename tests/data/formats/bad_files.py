"""Files that must be refused, by format."""

from tests.data.formats.bad_arrays import MERBENCH, MSAF_NPY, RAVDESS, UTD_MHAD
from tests.data.formats.bad_folders import (
    AFFWILD2,
    CSD,
    NTU_RGBD,
    NTU_SKELETON,
)
from tests.data.formats.bad_pickles import GENERAL, MMSA, MULT, MULTIBENCH
from tests.data.formats.bad_records import MAG, MISA, NTU_MMACTION
from tests.data.formats.damage import Maker

BAD_FILES: dict[str, dict[str, tuple[Maker, str]]] = {
    "general": GENERAL,
    "mmsa": MMSA,
    "mult": MULT,
    "multibench": MULTIBENCH,
    "mag": MAG,
    "misa": MISA,
    "msaf_npy": MSAF_NPY,
    "msaf_ravdess": RAVDESS,
    "merbench": MERBENCH,
    "csd": CSD,
    "ntu_mmaction": NTU_MMACTION,
    "ntu_skeleton": NTU_SKELETON,
    "ntu_rgbd": NTU_RGBD,
    "affwild2": AFFWILD2,
    "utd_mhad": UTD_MHAD,
}
