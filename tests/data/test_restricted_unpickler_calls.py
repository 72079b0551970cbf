"""Pickles that would call something are refused by name."""

import datetime
import functools
import io
import os
import pickle
import pickletools
import subprocess
from pathlib import Path

import numpy as np
import pytest

from keras_mmfusion.data.restricted_unpickler import (
    UnsafePickleError,
    load_pickle,
    loads_pickle,
)

pytestmark = pytest.mark.once


class Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


CANARY = "canary_of_a_pickle"
CODE = f"open({CANARY!r}, 'w').close()"
CALLS = {
    "os.system": (os.system, f"touch {CANARY}"),
    "subprocess.Popen": (subprocess.Popen, ["touch", CANARY]),
    "subprocess.call": (subprocess.call, ["touch", CANARY]),
    "eval": (eval, CODE),
    "exec": (exec, CODE),
    "compile": (compile, CODE, "x", "exec"),
    "open": (open, CANARY, "w"),
    "getattr": (getattr, os, "system"),
    "__import__": (__import__, "os"),
    "setattr": (setattr, os, "canary", 1),
    "globals": (globals,),
    "numpy.load": (np.load, "x.npy", None, True),
    "numpy.save": (np.save, CANARY, 1),
    "numpy.fromfile": (np.fromfile, "/etc/passwd"),
    "functools.partial": (functools.partial, os.system, "true"),
    "pathlib.Path": (Path, "x"),
    "io.open_code": (io.open_code, "/etc/passwd"),
    "pickle.loads": (pickle.loads, b"N."),
    "datetime.date": (datetime.date, 2020, 1, 1),
    "bytes.join": (b"".join, [b"x"]),
    "map": (map, os.system, ["true"]),
    "type": (type, "X", (), {}),
    "operator": (__import__("operator").attrgetter, "system"),
    "importlib": (__import__("importlib").import_module, "antigravity"),
    "shutil.rmtree": (__import__("shutil").rmtree, CANARY),
    "numpy.matrix": (np.matrix, [[1]]),
    "numpy.recarray": (np.recarray, (1,)),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_calls_are_refused_by_name(name, protocol, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = CALLS[name]
    try:
        data = pickle.dumps({"train": [Calls(*target)]}, protocol)
    except (TypeError, pickle.PicklingError):  # a module is no argument
        data = b"c__builtin__\ngetattr\n(cos\nsystem\nX\x01\x00\x00\x00ntR."
    path = tmp_path / "data.pkl"
    path.write_bytes(data)
    with pytest.raises(UnsafePickleError) as caught:
        load_pickle(path)
    named = [
        argument
        for code, argument, _ in pickletools.genops(data)
        if code.name in ("GLOBAL", "SHORT_BINUNICODE", "BINUNICODE")
    ]
    last = caught.value.offender.rpartition(".")[2]
    assert any(last in str(argument) for argument in named)
    assert caught.value.offender in str(caught.value)
    assert str(path) in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["data.pkl"]


RAW_CALLS = {
    "os.system": b"cos\nsystem\n(S'touch canary'\ntR.",
    "posix.system": b"(iposix\nsystem\n.",
    "nt.system": b"\x80\x04\x8c\x02nt\x8c\x06system\x93\x8c\x01x\x85R.",
    "builtins.eval.__call__": b"\x80\x04\x8c\x08builtins"
    b"\x8c\x0deval.__call__\x93.",
    "numpy.core.multiarray.fromfile": b"cnumpy.core.multiarray\nfromfile\n.",
    "numpy.core._internal._reconstruct": b"cnumpy.core._internal\n"
    b"_reconstruct\n.",
    "numpy.ma.core._mareconstruct": b"cnumpy.ma.core\n_mareconstruct\n.",
    "torch._utils._rebuild_tensor_v2": b"ctorch._utils\n_rebuild_tensor_v2\n.",
    "pandas.core.frame.DataFrame": b"cpandas.core.frame\nDataFrame\n.",
    "copyreg._reconstructor": b"ccopyreg\n_reconstructor\n.",
    "copy_reg._reconstructor": b"ccopy_reg\n_reconstructor\n.",
    "collections.namedtuple": b"ccollections\nnamedtuple\n.",
    "collections.Counter": b"ccollections\nCounter\n.",
    "a persistent id (as in PyTorch checkpoints)": b"\x80\x02K\x01Q.",
    "the copyreg extension registry": b"\x80\x02\x82\x01.",
    "an out-of-band buffer": b"\x80\x05\x97.",
    "an instance of a class": b"\x80\x02c__builtin__\nlist\n)\x81.",
    "a/../b.c": b"ca/../b\nc\n.",
}


@pytest.mark.parametrize("offender", RAW_CALLS)
def test_raw_names_are_refused(offender, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsafePickleError) as caught:
        loads_pickle(RAW_CALLS[offender], "x")
    assert caught.value.offender == offender
    assert not list(tmp_path.iterdir())
