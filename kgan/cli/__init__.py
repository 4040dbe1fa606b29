"""The command line: `kgan COMMAND ...`.

Arguments are read here, without TensorFlow; then `kgan.cli.COMMAND` is imported, and its
`main(request)` does the work.
"""

import atexit
import contextlib
import dataclasses
import gc
import importlib
import logging
import os
import select
import shlex
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import kgan
from kgan.cli.command_line import Command, Request, read
from kgan.names import printable
from kgan.runs import faults
from kgan.settings import (
    CLASSIFIER_PRESETS,
    FAMILIES,
    HARDENING_PRESETS,
    PRESETS,
    AttackSettings,
    AuditSettings,
    CacheSettings,
    EvaluateSettings,
    ExportSettings,
    LatentsSettings,
    SampleSettings,
    ServeSettings,
    TranslateSettings,
)

# The exit code that a shell gives for the signal of a broken pipe.
_GONE = 141

COMMANDS: dict[str, Command] = {
    "train": Command(
        "train a generative model and export it",
        presets=PRESETS,
        families=FAMILIES,
        remedy="For data of your own: --data FOLDER.",
        own_data="auto",
    ),
    "sample": Command(
        "generate samples from a run, a .keras file or an exported model", SampleSettings
    ),
    "translate": Command(
        "translate or restore images: a file, a folder, or standard input to output",
        TranslateSettings,
    ),
    "latents": Command(
        "show what a GAN's latents mean: mixing, truncation, directions, projection",
        LatentsSettings,
    ),
    "evaluate": Command("score a generator against real data", EvaluateSettings),
    "train-classifier": Command(
        "train a classifier to attack or to harden",
        presets=CLASSIFIER_PRESETS,
        prefix="classifier-",
        remedy="For data of your own: --data FILE.",
    ),
    "harden": Command(
        "train a classifier against attacks and compare before and after",
        presets=HARDENING_PRESETS,
        prefix="harden-",
        remedy="For data of your own: --data FILE.",
        by_data=True,
    ),
    "attack": Command(
        "attack a classifier and report its robustness",
        AttackSettings,
        prefix="attack-",
        first="model",
    ),
    "audit": Command("try to refute the promise of a private run", AuditSettings),
    "export": Command(
        "write a SavedModel, ONNX or LiteRT file of a run, a generator or a classifier",
        ExportSettings,
    ),
    "serve": Command(
        "serve exported models over REST and gRPC, with a page to play with", ServeSettings
    ),
    "cache": Command("list or clear what was prepared: decoded images, features", CacheSettings),
}


def main(argv: Sequence[str] | None = None) -> int:
    """The `kgan` console script.

    Returns:
        The exit code: 0 for success; 1 if a check that the user asked for failed; 2 for a mistake
        of the user; 3 for a fault of the program or the machine; 130 if interrupted; 141 if whoever
        read its output has gone, as `head` does when it has enough.
    """
    # Python looks at all that TensorFlow made for cycles before it ends, which takes seconds. Once
    # is enough, however often a process calls this.
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        code = _command(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError as error:
        if not _is_closed(error):
            raise
        # What is still held back would be written when the process ends.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
        return _GONE
    return code


def _command(arguments: list[str]) -> int:
    """Reads the command and runs it; see `main`."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: kgan COMMAND [options]      (kgan COMMAND --help tells the options)\n")
        for name, command in COMMANDS.items():
            print(f"  {name:<18}{command.help}")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"kgan {kgan.__version__}")
        return 0
    name = arguments[0]
    if name not in COMMANDS:
        print(f"error: no command {name!r}; choose from {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    debug = "--debug" in arguments
    try:
        request = read(name, COMMANDS[name], arguments[1:])
        request = dataclasses.replace(request, command=shlex.join(["kgan", *arguments]))
    except (ValueError, OSError) as error:
        if debug or _is_closed(error):
            raise
        return _tell(error)
    return _run(name, request, debug=debug)


def _run(name: str, request: Request, *, debug: bool) -> int:
    """Imports the command's body and runs it."""
    settings: Any = request.settings
    try:
        body: Callable[[Request], int]
        with _uncollected():
            if settings.needs_tensorflow and not settings.verbose:
                hush_tensorflow()
            body = importlib.import_module(f"kgan.cli.{name.replace('-', '_')}").main
        with contextlib.nullcontext() if debug else _plain_warnings():
            return body(request)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if debug or _is_closed(error):
            raise
        return _tell(error)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """For imports, whose objects stay: looking for garbage among them takes a fifth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextlib.contextmanager
def _plain_warnings() -> Iterator[None]:
    """What kgan warns of is a line for the user, without the place in its code."""
    usual, own = warnings.formatwarning, Path(kgan.__file__).parent

    def form(message: Any, category: Any, filename: str, *rest: Any, **more: Any) -> str:
        # Other categories tell of faults, whose place is wanted.
        if category is not UserWarning or not Path(filename).is_relative_to(own):
            return usual(message, category, filename, *rest, **more)
        return f"warning: {printable(' '.join(str(message).split()))}\n"

    warnings.formatwarning = form
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _is_closed(error: Exception) -> bool:
    """Whether it is the pipe behind the standard output that broke, and no connection."""
    if not isinstance(error, BrokenPipeError):
        return False
    asked = select.poll()
    asked.register(1, 0)
    return any(found & select.POLLERR for _, found in asked.poll(0))


def _tell(error: Exception) -> int:
    """Prints an error in one line, and writes the traceback of a fault to a file."""
    message = printable(" ".join(str(error).split())) or "no message"
    if faults.is_mistake(error):
        print(f"{type(error).__name__}: {message} (--debug shows where)", file=sys.stderr)
        return 2
    path = faults.keep(error)
    whose = "connection" if isinstance(error, faults.LINES) else "program"
    print(f"fault of the {whose}: {type(error).__name__}: {message[:300]}", file=sys.stderr)
    print(f"its traceback is kept in {path}", file=sys.stderr)
    return 3


def hush_tensorflow() -> None:
    """Imports TensorFlow without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Its libraries write some messages to the file descriptor before they read the log level.
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
