"""What can be done from a shell.

python -m keras_mmfusion convert FILE --preset mosei --out DIR
"""

import argparse
import sys
from collections.abc import Sequence

from keras_mmfusion.convert import checkpoint_to_preset


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m keras_mmfusion", description="Fusion networks."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser(
        "convert",
        help="turn an official PyTorch checkpoint into a preset directory",
    )
    convert.add_argument("file", help="the checkpoint, .pth or .checkpoint")
    convert.add_argument(
        "--preset",
        required=True,
        help="built-in preset of the network: mosei, ravdess, ...",
    )
    convert.add_argument("--out", required=True, help="a new directory")
    options = parser.parse_args(arguments)
    try:
        checkpoint_to_preset(options.file, options.preset, options.out)
    except (ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{options.out}: load it with from_preset('{options.out}')")
    return 0


if __name__ == "__main__":
    sys.exit(main())
