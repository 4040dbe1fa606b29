"""The command line: `kgan COMMAND ...`; one module a command, each with a `main(argv)`."""

import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Sequence

import kgan

COMMANDS = {
    "train": "train a GAN and export it",
    "sample": "generate images from a run, a .keras file or an exported model",
    "evaluate": "score a generator against real data",
    "train-classifier": "train a classifier to attack or to harden",
    "harden": "train a classifier against attacks and compare before and after",
    "attack": "attack a classifier and report its robustness",
    "export": "write a SavedModel, ONNX or LiteRT file of a run, a GAN or a classifier",
    "serve": "serve exported models over REST and gRPC, with a page to play with",
}


class UsageError(ValueError):
    """A mistake of the caller's, told in one line."""


def main(argv: Sequence[str] | None = None) -> int:
    """The `kgan` console script: finds the command and hands the rest of the line to it."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: kgan COMMAND [options]      (kgan COMMAND --help tells the options)\n")
        for name, text in COMMANDS.items():
            print(f"  {name:<18}{text}")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"kgan {kgan.__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        print(f"error: no command {name!r}; choose from {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    command = importlib.import_module(f"kgan.cli.{name.replace('-', '_')}")
    return command.main(arguments[1:])


def run(body: Callable[[], int], *, debug: bool, verbose: bool) -> int:
    """Runs a command's body: quiet TensorFlow, one-line errors, exit code 2 for bad input.

    Args:
        body: Does the work and returns the exit code.
        debug: Let exceptions through with their traceback.
        verbose: Leave TensorFlow's own messages on.
    """
    try:
        if not verbose:
            hush_tensorflow()
        return body()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug:
            raise
        message = " ".join(str(error).split()) or "no message"
        print(f"{type(error).__name__}: {message}", file=sys.stderr)
        print("(--debug shows where)", file=sys.stderr)
        return 2


def hush_tensorflow() -> None:
    """Imports TensorFlow without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Its libraries write some messages before they read that level, straight to the descriptor.
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            importlib.import_module("tensorflow")
        except BaseException:
            said.seek(0)
            os.write(stderr, said.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    for name in ("tensorflow", "absl"):
        logging.getLogger(name).setLevel(logging.ERROR)
