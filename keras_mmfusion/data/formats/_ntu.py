"""Names and official splits of NTU RGB+D."""

import re
from typing import Any

import numpy as np

NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
FIELDS = ("setup", "camera", "subject", "replication", "action")

# Training subjects of the cross-subject protocols; all others are tested.
# Those from 45 on are in NTU RGB+D 120 only.
# fmt: off
TRAIN_SUBJECTS = frozenset(
    {
        1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34,
        35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70,
        74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97,
        98, 100, 103,
    }
)
# fmt: on
TRAIN_CAMERAS = frozenset([2, 3])
PROTOCOLS = ("xsub", "xview", "xset")


def fields(name: str) -> dict[str, int] | None:
    """Setup, camera, subject, replication and action of a name, or None."""
    match = NAME.search(name)
    if match is None:
        return None
    return dict(zip(FIELDS, map(int, match.groups()), strict=True))


def groups(names: list[str]) -> dict[str, Any]:
    """Subject, camera and setup of every sample, if all names tell."""
    found = [fields(name) for name in names]
    if not all(found):
        return {}
    return {
        key: np.asarray([entry[key] for entry in found if entry])
        for key in ("subject", "camera", "setup")
    }


def is_training(name: str, protocol: str) -> bool:
    """Whether a protocol trains on a sample.

    Cross-subject (`"xsub"`) trains on the listed subjects, cross-view
    (`"xview"`) on cameras 2 and 3, cross-setup (`"xset"`, NTU 120) on even
    setups.
    """
    entry = fields(name)
    if entry is None:
        raise ValueError(f"{name!r} is no NTU name, like S001C002P003R002A013.")
    if protocol == "xsub":
        return entry["subject"] in TRAIN_SUBJECTS
    if protocol == "xview":
        return entry["camera"] in TRAIN_CAMERAS
    return entry["setup"] % 2 == 0
