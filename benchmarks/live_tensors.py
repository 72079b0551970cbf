"""What tensors a training step of MEA holds at its peak, under PyTorch.

    KERAS_BACKEND=torch python -m benchmarks.live_tensors --cases mosi_8

The resident size of a process, which `benchmarks.mea` measures, also holds
libraries, compiled kernels and what the allocator has not given back.
"""

import argparse
from collections import Counter
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.mea import CASES

SMALL = 2**15  # Bytes; smaller tensors are not counted.


class LiveTensors(TorchDispatchMode):
    """Bytes of all tensors made within, while they live, by dtype."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, tuple[Any, int, str]] = {}
        self.total = 0
        self.peak = 0
        self.peak_by_dtype: Counter[str] = Counter()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu":
                self._add(leaf)
        if self.total > self.peak:
            self._forget_freed()
            if self.total > self.peak:
                self.peak = self.total
                self.peak_by_dtype = Counter()
                for _, size, dtype in self.live.values():
                    self.peak_by_dtype[dtype] += size
        return result

    def _add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        known = self.live.get(storage._cdata)
        if (known and not known[0].expired()) or storage.nbytes() < SMALL:
            return
        if known:  # Its address was given to another one.
            self.total -= known[1]
        dtype = str(tensor.dtype).removeprefix("torch.")
        entry = (StorageWeakRef(storage), storage.nbytes(), dtype)
        self.live[storage._cdata] = entry
        self.total += storage.nbytes()

    def _forget_freed(self) -> None:
        freed = [k for k, (ref, *_) in self.live.items() if ref.expired()]
        for key in freed:
            self.total -= self.live.pop(key)[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=["mosi_8"])
    torch.set_num_threads(1)
    for name in parser.parse_args().cases:
        step = CASES[name].ours(False)
        step.train()
        with LiveTensors() as live:
            step.train()
        dtypes = live.peak_by_dtype.most_common()
        print(
            f"{CASES[name].text}: {live.peak / 1e6:.0f} MB; "
            + ", ".join(f"{k} {v / 1e6:.0f}" for k, v in dtypes)
        )


if __name__ == "__main__":
    main()
