"""Damage to a preset's directory, its metadata and its config."""

import os
from pathlib import Path
from typing import Any

from tests.presets.damage import (
    change_arguments,
    change_files,
    change_golden,
    change_metadata,
    kind,
    lead_out,
    put_config,
    read_json,
    refresh_file,
    write_json,
)


def without(directory: Path, key: str) -> None:
    path = directory / "metadata.json"
    data = read_json(path)
    del data[key]
    write_json(path, data)


def entry(directory: Path) -> Any:
    return read_json(directory / "metadata.json")["files"]["config.json"]


# === The directory ===


@kind(r"is not a preset: metadata.json is missing. It holds: nothing")
def directory_empty(d: Path) -> None:
    for path in d.iterdir():
        path.unlink()


@kind(r"metadata.json is missing. It holds: .*config.json")
def metadata_missing(d: Path) -> None:
    (d / "metadata.json").unlink()


@kind(r"metadata.json is missing. It holds: config.json, model.weights.h5")
def directory_of_keras_hub(d: Path) -> None:
    for path in d.iterdir():
        path.unlink()
    (d / "config.json").write_text("{}")
    (d / "model.weights.h5").write_bytes(b"\x89HDF\r\n\x1a\n")


@kind(r"is not a directory")
def directory_is_a_file(d: Path) -> None:
    for path in d.iterdir():
        path.unlink()
    d.rmdir()
    d.write_text("{}")


# === The metadata as a file ===


@kind(r"metadata.json is empty")
def metadata_of_zero_bytes(d: Path) -> None:
    (d / "metadata.json").write_bytes(b"")


@kind(r"metadata.json is not valid JSON")
def metadata_truncated(d: Path) -> None:
    data = (d / "metadata.json").read_bytes()
    (d / "metadata.json").write_bytes(data[: len(data) // 2])


@kind(r"metadata.json is not UTF-8")
def metadata_not_utf8(d: Path) -> None:
    data = (d / "metadata.json").read_bytes()
    (d / "metadata.json").write_bytes(data.replace(b"TinyTwins", b"\xff"))


@kind(r"metadata.json has the key 'trained' twice")
def metadata_with_a_key_twice(d: Path) -> None:
    text = (d / "metadata.json").read_text()
    (d / "metadata.json").write_text('{"trained": false,' + text[1:])


@kind(r"metadata.json must hold a JSON object. Received: list")
def metadata_a_list(d: Path) -> None:
    write_json(d / "metadata.json", [])


@kind(r"metadata.json holds the number NaN")
def metadata_with_nan(d: Path) -> None:
    change_metadata(d, metrics={"accuracy": float("nan")})


@kind(r"metadata.json is a link that leads out")
def metadata_linked_outside(d: Path) -> None:
    lead_out(d, "metadata.json")


@kind(r"metadata.json is not a regular file")
def metadata_a_pipe(d: Path) -> None:
    (d / "metadata.json").unlink()
    os.mkfifo(d / "metadata.json")


# === The form of the metadata ===


@kind(r"metadata.json has format version 2, newer than the 1 .* Upgrade")
def format_newer(d: Path) -> None:
    change_metadata(d, format_version=2, files="of a form not yet known")


@kind(r"'format_version' must be a positive whole number. Received: '1'")
def format_as_text(d: Path) -> None:
    change_metadata(d, format_version="1")


@kind(r"'format_version' must be .* Received: None")
def format_missing(d: Path) -> None:
    without(d, "format_version")


@kind(r"metadata.json: 'class_name' must be of type str")
def class_name_missing(d: Path) -> None:
    without(d, "class_name")


@kind(r"metadata.json: 'trained' must be of type bool. Received: 'yes'")
def trained_as_text(d: Path) -> None:
    change_metadata(d, trained="yes")


@kind(r"metadata.json: 'trained' is False, but 'files' lists model")
def trained_denied(d: Path) -> None:
    change_metadata(d, trained=False)


@kind(r"metadata.json: 'trained' is True, but 'files' lacks model")
def weights_not_listed(d: Path) -> None:
    change_metadata(d, files={"config.json": entry(d)})


@kind(r"metadata.json: 'files' does not list config.json")
def config_not_listed(d: Path) -> None:
    files = read_json(d / "metadata.json")["files"]
    change_metadata(d, files={"model.safetensors": files["model.safetensors"]})


@kind(r"the file name '../config.json' leads out")
def file_name_upwards(d: Path) -> None:
    change_files(d, "../config.json", entry(d))


@kind(r"the file name '/etc/hostname' leads out")
def file_name_absolute(d: Path) -> None:
    change_files(d, "/etc/hostname", entry(d))


@kind(r"the file name 'C:\\\\config.json' leads out")
def file_name_absolute_on_windows(d: Path) -> None:
    change_files(d, "C:\\config.json", entry(d))


@kind(r"the file name 'nested/config.json' leads out")
def file_name_nested(d: Path) -> None:
    change_files(d, "nested/config.json", entry(d))


@kind(r"unknown file name 'setup.py' in 'files'")
def file_name_unknown(d: Path) -> None:
    change_files(d, "setup.py", entry(d))


@kind(r"'files' needs sha256 .* for 'config.json'")
def file_hash_malformed(d: Path) -> None:
    change_files(d, "config.json", {**entry(d), "sha256": "abc"})


@kind(r"'files' needs sha256 .* and size for 'config.json'")
def file_size_missing(d: Path) -> None:
    change_files(d, "config.json", {"sha256": entry(d)["sha256"]})


@kind(r"malformed entry in 'variables': 'head/bias'")
def variable_only_a_name(d: Path) -> None:
    change_metadata(d, variables=["head/bias"])


@kind(r"malformed entry in 'variables': .*'shape': \[-2\]")
def variable_of_negative_shape(d: Path) -> None:
    variables = read_json(d / "metadata.json")["variables"]
    variables[0]["shape"] = [-2]
    change_metadata(d, variables=variables)


@kind(r"'variables' lists '.*' twice")
def variable_twice(d: Path) -> None:
    variables = read_json(d / "metadata.json")["variables"]
    change_metadata(d, variables=[*variables, variables[0]])


@kind(r"model.safetensors does not match metadata.json: unexpected '")
def variable_not_listed(d: Path) -> None:
    variables = read_json(d / "metadata.json")["variables"]
    change_metadata(d, variables=variables[1:])


# === The golden input and output ===


@kind(r"metadata.json: a trained preset needs the entry 'golden'")
def golden_missing(d: Path) -> None:
    without(d, "golden")


@kind(r"golden input or output does not fit the model: 'outputs'")
def golden_without_output(d: Path) -> None:
    change_metadata(d, golden={"inputs": {}})


@kind(r"golden input must have the modalities \['audio', 'text'\]")
def golden_of_other_modality(d: Path) -> None:
    change_golden(d, inputs={"audio": [2, 16, 3], "video": [2, 16, 3]})


@kind(r"golden input 'text' must have a shape like")
def golden_of_absurd_size(d: Path) -> None:
    change_golden(d, inputs={"audio": [2, 16, 3], "text": [2, 2**50, 3]})


@kind(r"golden output 'output' has shape \(1, 1\), the model gives \(2, 2\)")
def golden_of_other_shape(d: Path) -> None:
    change_golden(d, outputs={"output": {"shape": [1, 1], "values": [0.0]}})


@kind(r"the golden tolerance must be a number above 0 and at most 0.1")
def golden_of_boundless_tolerance(d: Path) -> None:
    change_golden(d, tolerance=1e9)


@kind(r"metadata.json: the weights do not give the golden output")
def golden_altered(d: Path) -> None:
    output = {"shape": [2, 2], "values": [1.0, 2.0, 3.0, 4.0]}
    change_golden(d, outputs={"output": output})


# === The config ===


@kind(r"config.json is missing")
def config_missing(d: Path) -> None:
    (d / "config.json").unlink()


@kind(r"config.json does not have the sha256")
def config_altered(d: Path) -> None:
    data = (d / "config.json").read_bytes()
    (d / "config.json").write_bytes(data.replace(b"4", b"5"))


@kind(r"config.json is empty")
def config_of_zero_bytes(d: Path) -> None:
    put_config(d, b"")


@kind(r"config.json is not UTF-8")
def config_not_utf8(d: Path) -> None:
    put_config(d, b'{"class_name": "\xff"}')


@kind(r"config.json must hold a JSON object. Received: list")
def config_a_list(d: Path) -> None:
    put_config(d, [])


@kind(r"config.json has the key 'units' twice")
def config_with_a_key_twice(d: Path) -> None:
    put_config(d, b'{"config": {"units": 4, "units": 5}}')


@kind(r"config.json is a link that leads out")
def config_linked_outside(d: Path) -> None:
    lead_out(d, "config.json")


@kind(r"config.json names the class 'TinyTwin', metadata.json 'TinyTwins'")
def config_of_other_class(d: Path) -> None:
    data = read_json(d / "config.json")
    put_config(d, {**data, "class_name": "TinyTwin"})


@kind(r"config.json: .*Unknown class name 'os.system'")
def class_not_registered(d: Path) -> None:
    data = read_json(d / "config.json")
    put_config(d, {**data, "class_name": "os.system"})
    change_metadata(d, class_name="os.system")


@kind(r'config.json: .*Expected {"class_name"')
def config_with_module(d: Path) -> None:
    data = read_json(d / "config.json")
    put_config(d, {**data, "module": "keras.layers"})


@kind(r"config.json: .*names a module to import \(key 'module'\)")
def argument_with_module(d: Path) -> None:
    gadget = {"module": "keras.utils", "class_name": "get_file", "config": {}}
    change_arguments(d, name=gadget)


@kind(r"config.json: .*Unknown class name 'Lambda'")
def argument_of_foreign_class(d: Path) -> None:
    change_arguments(d, name={"class_name": "Lambda", "config": {}})


@kind(r"config.json: .*The config of TinyTwins must be an object")
def arguments_a_list(d: Path) -> None:
    data = read_json(d / "config.json")
    put_config(d, {**data, "config": [3, 4]})


@kind(r"config.json: .*unknown key 'unit'. Did you mean 'units'\?")
def argument_unknown(d: Path) -> None:
    change_arguments(d, unit=4)


@kind(r"config.json: the network cannot be built: ")
def argument_of_wrong_type(d: Path) -> None:
    change_arguments(d, units="four")


@kind(r"config.json: the network cannot be built: ")
def argument_negative(d: Path) -> None:
    change_arguments(d, units=-4)


@kind(r"config.json: the network cannot be built: 'video'")
def argument_of_unknown_modality(d: Path) -> None:
    change_arguments(d, order=["audio", "video"])


@kind(r"config.json builds another network .*'head/bias' is float32 \(3,\)")
def argument_contradicts_the_manifest(d: Path) -> None:
    change_arguments(d, num_classes=3)


@kind(r"config.json builds another network .*\(2000000, 8000000\)")
def argument_of_absurd_size(d: Path) -> None:
    change_arguments(d, units=2_000_000)


@kind(r"config.json has 1 bytes; metadata.json lists")
def config_shortened(d: Path) -> None:
    (d / "config.json").write_bytes(b"{")


@kind(r"config.json is not valid JSON")
def config_not_json(d: Path) -> None:
    (d / "config.json").write_bytes(b"class_name: TinyTwins")
    refresh_file(d, "config.json")
