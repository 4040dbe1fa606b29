"""`kgan attack [options]`: attack a classifier, tell and keep how robust it is."""

import sys
from collections.abc import Sequence
from pathlib import Path

import tyro

from kgan.cli import run
from kgan.cli.runs import latest_run, new_run, read_config
from kgan.config import AttackConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `attack.py` and `kgan attack`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        config = _parse(arguments, AttackConfig())
        name = f"attack-{config.name or Path(config.model).stem}"
        if config.resume:
            folder = latest_run(config.runs_dir, name)
            config = _parse(arguments, read_config(folder, AttackConfig))
        else:
            folder = new_run(config.runs_dir, name)
    except (ValueError, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2

    def body() -> int:
        # It imports TensorFlow, for which --help does not wait.
        from kgan.cli.attack_body import attack

        return attack(config, folder)

    return run(body, debug=config.debug, verbose=config.verbose)


def _parse(arguments: Sequence[str], defaults: AttackConfig) -> AttackConfig:
    return tyro.cli(AttackConfig, default=defaults, args=arguments, prog="kgan attack")
