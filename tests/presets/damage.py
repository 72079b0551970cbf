"""Ways to damage a saved preset, each with the message it must cause."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from keras_mmfusion.presets import metadata_file, storage

Damage = Callable[[Path], None]
KINDS: dict[str, tuple[Damage, str]] = {}


def kind(message: str) -> Callable[[Damage], Damage]:
    """Adds a way of damage; the message is a regular expression."""

    def add(damage: Damage) -> Damage:
        KINDS[damage.__name__] = (damage, message)
        return damage

    return add


# === Tools of the forger ===


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def change_metadata(directory: Path, **changes: Any) -> None:
    path = directory / "metadata.json"
    write_json(path, {**read_json(path), **changes})


def refresh_file(directory: Path, name: str) -> None:
    """Makes size and hash of a file agree with it again."""
    data = (directory / name).read_bytes()
    files = read_json(directory / "metadata.json")["files"]
    files[name] = {"sha256": storage.sha256(data), "size": len(data)}
    change_metadata(directory, files=files)


def put(directory: Path, data: bytes) -> None:
    """Replaces the weights file, its hash included."""
    (directory / "model.safetensors").write_bytes(data)
    refresh_file(directory, "model.safetensors")


def header_and_body(directory: Path) -> tuple[dict[str, Any], bytes]:
    data = (directory / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put_header(directory: Path, header: Any, body: bytes) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    put(directory, struct.pack("<Q", len(text)) + text + body)


def load_arrays(directory: Path) -> dict[str, np.ndarray]:
    data = (directory / "model.safetensors").read_bytes()
    return dict(safetensors.numpy.load(data))


def put_arrays(
    directory: Path, arrays: dict[str, np.ndarray], manifest: bool = False
) -> None:
    """Replaces the tensors; `manifest` also refreshes each one's hash."""
    put(directory, safetensors.numpy.save(arrays))
    if manifest:
        variables = [
            {
                "name": name,
                "shape": list(array.shape),
                "dtype": array.dtype.name,
                "sha256": metadata_file.tensor_hash(array),
            }
            for name, array in sorted(arrays.items())
        ]
        change_metadata(directory, variables=variables)


def put_config(directory: Path, value: Any) -> None:
    path = directory / "config.json"
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    path.write_bytes(data)
    refresh_file(directory, "config.json")


def change_arguments(directory: Path, **changes: Any) -> None:
    data = read_json(directory / "config.json")
    data["config"].update(changes)
    put_config(directory, data)


def change_golden(directory: Path, **changes: Any) -> None:
    golden = read_json(directory / "metadata.json")["golden"]
    change_metadata(directory, golden={**golden, **changes})


def change_files(directory: Path, name: str, entry: Any) -> None:
    files = read_json(directory / "metadata.json")["files"]
    files[name] = entry
    change_metadata(directory, files=files)


def lead_out(directory: Path, name: str) -> None:
    """Moves a file outside and leaves a link to it."""
    outside = directory.parent / f"outside_{name}"
    (directory / name).rename(outside)
    (directory / name).symlink_to(outside)


TWINS = ("audio_projection/kernel", "text_projection/kernel")


def swapped(directory: Path) -> dict[str, np.ndarray]:
    arrays = load_arrays(directory)
    a, b = TWINS
    arrays[a], arrays[b] = arrays[b], arrays[a]
    return arrays


def flip_last_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))


# === The weights file as bytes ===


@kind(r"model.safetensors has 1548 bytes; metadata.json lists 3096")
def weights_truncated(d: Path) -> None:
    data = (d / "model.safetensors").read_bytes()
    (d / "model.safetensors").write_bytes(data[: len(data) // 2])


@kind(r"model.safetensors is truncated: tensor '.*' ends at byte")
def weights_truncated_and_hash_refreshed(d: Path) -> None:
    put(d, (d / "model.safetensors").read_bytes()[:-40])


@kind(r"model.safetensors is truncated: 4 byte\(s\)")
def weights_of_four_bytes(d: Path) -> None:
    put(d, bytes(4))


@kind(r"model.safetensors is empty")
def weights_of_zero_bytes(d: Path) -> None:
    put(d, b"")


@kind(r"model.safetensors does not have the sha256 that metadata.json lists")
def weights_bit_flipped(d: Path) -> None:
    flip_last_bit(d / "model.safetensors")


@kind(r"model.safetensors: tensor '.*' does not have the sha256")
def weights_bit_flipped_and_file_hash_refreshed(d: Path) -> None:
    flip_last_bit(d / "model.safetensors")
    refresh_file(d, "model.safetensors")


@kind(r"model.safetensors is missing")
def weights_missing(d: Path) -> None:
    (d / "model.safetensors").unlink()


@kind(r"model.safetensors is missing")
def weights_renamed(d: Path) -> None:
    (d / "model.safetensors").rename(d / "weights.safetensors")


@kind(r"model.safetensors is not a regular file")
def weights_replaced_by_directory(d: Path) -> None:
    (d / "model.safetensors").unlink()
    (d / "model.safetensors").mkdir()


@kind(r"model.safetensors is a link that leads out")
def weights_linked_outside(d: Path) -> None:
    lead_out(d, "model.safetensors")


@kind(r"model.safetensors is a Python pickle, not safetensors")
def weights_are_a_pickle(d: Path) -> None:
    import pickle

    put(d, pickle.dumps({"head/bias": [0.0, 0.0]}))


@kind(r"model.safetensors is an HDF5 file")
def weights_are_keras_h5(d: Path) -> None:
    put(d, b"\x89HDF\r\n\x1a\n" + bytes(100))


@kind(r"model.safetensors is a zip archive")
def weights_are_a_zip(d: Path) -> None:
    import io

    buffer = io.BytesIO()
    np.savez(buffer, **{"head": np.zeros(2)})
    put(d, buffer.getvalue())


# === The header of the weights file ===


@kind(r"model.safetensors declares a header of 9223372036854775808 bytes")
def header_of_huge_length(d: Path) -> None:
    data = (d / "model.safetensors").read_bytes()
    put(d, struct.pack("<Q", 2**63) + data[8:])


@kind(r"model.safetensors \(header\) is not valid JSON")
def header_not_json(d: Path) -> None:
    put_header(d, b"{weights}", header_and_body(d)[1])


@kind(r"model.safetensors \(header\) is not UTF-8")
def header_not_utf8(d: Path) -> None:
    put_header(d, b'{"\xff\xfe": {}}', header_and_body(d)[1])


@kind(r"model.safetensors \(header\) must hold a JSON object")
def header_a_list(d: Path) -> None:
    put_header(d, [], header_and_body(d)[1])


@kind(r"model.safetensors \(header\) has the key 'head/bias' twice")
def header_with_a_key_twice(d: Path) -> None:
    header, body = header_and_body(d)
    text = json.dumps({"head/bias": header["head/bias"]})[:-1]
    put_header(d, (text + ", " + json.dumps(header)[1:]).encode(), body)


@kind(r"tensor 'head/bias' has dtype 'F16'")
def header_with_foreign_dtype(d: Path) -> None:
    header, body = header_and_body(d)
    header["head/bias"]["dtype"] = "F16"
    put_header(d, header, body)


@kind(r"tensor 'head/bias' has the invalid shape \[-2\]")
def header_with_negative_shape(d: Path) -> None:
    header, body = header_and_body(d)
    header["head/bias"]["shape"] = [-2]
    put_header(d, header, body)


@kind(r"tensor 'head/bias' of shape \(1000000,\) needs 4000000 bytes")
def header_with_too_large_shape(d: Path) -> None:
    header, body = header_and_body(d)
    header["head/bias"]["shape"] = [1_000_000]
    put_header(d, header, body)


@kind(r"model.safetensors: tensor '.*' starts at byte 0, but")
def header_with_overlapping_tensors(d: Path) -> None:
    header, body = header_and_body(d)
    header["head/bias"]["data_offsets"] = [0, 8]
    put_header(d, header, body)


@kind(r"must have exactly the header keys")
def header_with_extra_entry_key(d: Path) -> None:
    header, body = header_and_body(d)
    header["head/bias"]["link"] = "/etc/passwd"
    put_header(d, header, body)


@kind(r"model.safetensors has 16 byte\(s\) after its last tensor")
def weights_with_bytes_behind(d: Path) -> None:
    put(d, (d / "model.safetensors").read_bytes() + bytes(16))


# === The tensors ===


@kind(r"tensor 'head/kernel' has 1 NaN or infinite value")
def tensor_with_nan(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/kernel"][0, 0] = np.nan
    put_arrays(d, arrays, manifest=True)


@kind(r"tensor 'head/bias' has 2 NaN or infinite value")
def tensor_with_infinity(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/bias"][:] = -np.inf
    put_arrays(d, arrays, manifest=True)


@kind(r"model.safetensors does not match .*: missing 'head/bias'")
def tensor_missing(d: Path) -> None:
    arrays = load_arrays(d)
    del arrays["head/bias"]
    put_arrays(d, arrays)


@kind(r"model.safetensors does not match .*: unexpected 'tail/bias'")
def tensor_extra(d: Path) -> None:
    put_arrays(d, {**load_arrays(d), "tail/bias": np.zeros(2, "float32")})


@kind(r"config.json builds another network .* missing 'tail/bias'")
def tensor_extra_in_the_manifest_too(d: Path) -> None:
    arrays = {**load_arrays(d), "tail/bias": np.zeros(2, "float32")}
    put_arrays(d, arrays, manifest=True)


@kind(r"missing 'head/bias'; unexpected 'head/offset'")
def tensor_renamed(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/offset"] = arrays.pop("head/bias")
    put_arrays(d, arrays)


@kind(r"'head/bias' is int32 \(2,\), expected float32 \(2,\)")
def tensor_of_other_dtype(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/bias"] = arrays["head/bias"].astype("int32")
    put_arrays(d, arrays)


@kind(r"'head/bias' is float32 \(2,\), expected int32 \(2,\)")
def tensor_of_other_dtype_in_the_manifest_too(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/bias"] = arrays["head/bias"].astype("int32")
    put_arrays(d, arrays, manifest=True)


@kind(r"'head/kernel' is float32 \(2, 8\), expected float32 \(8, 2\)")
def tensor_transposed(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/kernel"] = np.ascontiguousarray(arrays["head/kernel"].T)
    put_arrays(d, arrays)


@kind(r"'head/kernel' is float32 \(8, 2\), expected float32 \(2, 8\)")
def tensor_transposed_in_the_manifest_too(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/kernel"] = np.ascontiguousarray(arrays["head/kernel"].T)
    put_arrays(d, arrays, manifest=True)


@kind(r"model.safetensors does not have the sha256")
def twins_swapped(d: Path) -> None:
    data = safetensors.numpy.save(swapped(d))
    (d / "model.safetensors").write_bytes(data)


@kind(r"tensor 'audio_projection/kernel' does not have the sha256")
def twins_swapped_and_file_hash_refreshed(d: Path) -> None:
    put_arrays(d, swapped(d))


@kind(r"metadata.json: the weights do not give the golden output")
def twins_swapped_and_every_hash_refreshed(d: Path) -> None:
    put_arrays(d, swapped(d), manifest=True)


@kind(r"metadata.json: the weights do not give the golden output")
def tensor_doubled_and_every_hash_refreshed(d: Path) -> None:
    arrays = load_arrays(d)
    arrays["head/kernel"] = arrays["head/kernel"] * 2
    put_arrays(d, arrays, manifest=True)
