"""The published networks, found by model or by state dict."""

import re
from collections.abc import Iterable
from typing import Any

from keras_mmfusion.convert import grjca, msaf, msaf_ntu, msaf_ravdess
from keras_mmfusion.convert.official_network import OfficialNetwork

NETWORKS: tuple[OfficialNetwork, ...] = (
    msaf.MOSEI,
    msaf_ravdess.RAVDESS,
    msaf_ntu.NTU,
    grjca.AFFWILD2,
)


def network_of_model(model: Any) -> OfficialNetwork | None:
    """The published network whose form a model has."""
    found = [network for network in NETWORKS if network.fits(model)]
    return found[0] if found else None


def network_of_names(names: Iterable[str]) -> OfficialNetwork | None:
    """The published network that names in a state dict are of."""
    names = list(names)
    for network in NETWORKS:
        if any(re.fullmatch(network.sign, name) for name in names):
            return network
    return None
