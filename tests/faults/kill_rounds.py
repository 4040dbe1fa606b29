"""Kills a tiny run at random moments and resumes it, until it is done.

    python -m tests.faults.kill_rounds FOLDER --rounds 30 --seed 1 --preset cyclegan

The run saves at each step. It is a child of this process, which has imported all and started none
of TensorFlow's threads, so that a round takes a second or two. Prints a line for each kill.
"""

import argparse
import os
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import kgan.cli
import kgan.cli.train
import kgan.recipes
import kgan.runs.training

SMALL = ["--steps-per-epoch", "1", "--batch-size", "8"]
SMALL += ["--generator-width", "4", "--discriminator-width", "4"]
PRESETS = {
    "digits": ["--evaluate-samples", "100", "--evaluate-every", "10"],
    # A pool that is full after two steps.
    "cyclegan": ["--blocks", "1", "--pool-size", "12"],
    "pix2pix": [],
    "cut": ["--blocks", "1", "--projection", "8", "--patches", "16"],
}


def start(preset: str, *arguments: str) -> int:
    """The process that trains; what it says goes to said.txt."""
    process = os.fork()
    if process:
        return process
    with open("said.txt", "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    code = 70
    try:
        code = kgan.cli.main(["train", preset, *SMALL, *PRESETS[preset], *arguments])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def end_of(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--preset", choices=list(PRESETS), default="digits")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(asked.folder)
    epochs = ("--epochs", str(asked.epochs))
    begin = time.monotonic()
    code = end_of(start(asked.preset, *epochs, "--name", "whole"))
    assert code == 0, Path("said.txt").read_text()
    # Most kills while steps are made and saved, some before, as fast as this machine is now.
    a_step = (time.monotonic() - begin) / asked.epochs
    moments = random.Random(asked.seed)
    kills = runs = 0
    while kills < asked.rounds:
        # A run that came to its end although it was to be killed is done; so another one.
        runs += 1
        name = f"killed-{runs}"
        table = Path("runs") / name / "metrics.csv"
        while kills < asked.rounds:
            before = changed(table)
            process = start(asked.preset, *epochs, "--name", name, *resume(name))
            if moments.random() < 0.8:
                while changed(table) == before:
                    time.sleep(0.002)
            time.sleep(moments.uniform(0, 2 * a_step))
            os.kill(process, signal.SIGKILL)
            code = end_of(process)
            if code == 0:
                break
            assert code == -signal.SIGKILL, Path("said.txt").read_text()
            kills += 1
            rows = len(table.read_text().splitlines()) - 1 if table.is_file() else 0
            left = [path.name.split("-")[-1] for path in Path().rglob(".tmp-*")]
            print(f"kill {kills}: {name}, {rows} of {asked.epochs} steps; left: {left}", flush=True)
        else:
            code = end_of(start(asked.preset, *epochs, "--name", name, *resume(name)))
            assert code == 0, Path("said.txt").read_text()


def resume(name: str) -> list[str]:
    """How a run that has begun goes on."""
    return ["--resume"] if (Path("runs") / name / "config.json").is_file() else []


def changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


if __name__ == "__main__":
    main()
