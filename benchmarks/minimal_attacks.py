"""Minimal, sparse and label-only attacks beside their peers, image by image on the same weights.

    python -m benchmarks.minimal_attacks --model classifier.keras --data test.npz --out results.json

The data are arrays `images` (float32 in [0, 1]) and `labels`; the first images that the model gets
right are attacked. For each pair it prints the share that is fooled and the median size of the
change, on how many images each side needs less, and the median seconds of `--rounds` rounds in
which the two alternate, after one that compiles or warms up. Peers: foolbox 3.3.4 on the Keras
model; adv-lib 0.2.8 and torchattacks 3.5.1 on a PyTorch twin with the same weights (see
`benchmarks/attacks.py`); `--sparse-rs FOLDER` names the authors' code of that attack.

HopSkipJump and the boundary attack are compared at equal numbers of queries: those that the peer
made are counted, rows that only fill its batch included, and kgan gets as many.
"""

import argparse
import contextlib
import datetime
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Before TensorFlow, after which importing torchvision may crash.
with contextlib.suppress(ImportError):
    import torchvision  # noqa: F401

import keras
import numpy as np
import tensorflow as tf

from benchmarks.attacks import torch_twin, versions
from kgan import attacks
from kgan.robustness.testing import lengths

Call = Callable[[], np.ndarray]


class Bench:
    """A model, its images, and the rows that are compared.

    Attributes:
        rows: The results so far, by name of the attack and the peer.
    """

    def __init__(self, model: keras.Model, images: np.ndarray, labels: np.ndarray, rounds: int):
        self.model, self.images, self.labels, self.rounds = model, images, labels, rounds
        self.targets = (labels + 1) % 10
        self.rows: dict[str, Any] = {}

    def fooled(self, found: np.ndarray, targeted: bool) -> np.ndarray:
        predicted = self.model.predict(found, verbose=0).argmax(axis=1)
        return predicted == self.targets if targeted else predicted != self.labels

    def compare(self, name: str, norm: str, ours: Call, theirs: Call, targeted: bool = False):
        """Runs both and notes sizes, wins and seconds."""
        calls = {"kgan": ours, "peer": theirs}
        found, seconds = {}, {key: [] for key in calls}
        try:
            for number in range(self.rounds + 1):
                for key, call in calls.items():
                    start = time.perf_counter()
                    found[key] = call()
                    if number or self.rounds == 0:
                        seconds[key].append(time.perf_counter() - start)
        except Exception as error:
            self.rows[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:120]}"
            print(f"{name:<34}{self.rows[name]}")
            return
        sizes, shares = {}, {}
        for key, images in found.items():
            fooled = self.fooled(images, targeted)
            size = lengths(images - self.images, norm)
            sizes[key] = np.where(fooled, size, np.inf)
            shares[key] = float(fooled.mean())
        ours_size, their_size = sizes["kgan"], sizes["peer"]
        both = np.isfinite(ours_size + their_size)
        self.rows[name] = {
            "fooled": shares,
            "median": {key: float(np.median(size)) for key, size in sizes.items()},
            "kgan smaller by 1%": int(np.sum(ours_size < 0.99 * their_size)),
            "peer smaller by 1%": int(np.sum(their_size < 0.99 * ours_size)),
            "median ratio": float(np.median(ours_size[both] / their_size[both])),
            "seconds": {key: float(np.median(values)) for key, values in seconds.items()},
            "images": len(self.images),
        }
        row = self.rows[name]
        print(
            f"{name:<34}fooled {shares['kgan']:.1%} {shares['peer']:.1%}  median {norm} "
            f"{row['median']['kgan']:.4g} {row['median']['peer']:.4g}  smaller "
            f"{row['kgan smaller by 1%']} {row['peer smaller by 1%']}  s "
            f"{row['seconds']['kgan']:.3g} {row['seconds']['peer']:.3g}",
            flush=True,
        )

    def kgan(self, attack: attacks.Attack, targeted: bool = False, batch_size: int = 256) -> Call:
        wanted = {"targets": self.targets} if targeted else {"labels": self.labels}
        return lambda: (
            attack.run(self.model, self.images, **wanted, batch_size=batch_size).adversarial
        )


def foolbox_call(bench: Bench, attack: Any, count: list[int] | None = None) -> Call:
    import foolbox

    model: Any = bench.model
    if count is not None:

        class Counting(keras.Model):
            def call(self, images):
                count[0] += len(images)
                return bench.model(images, training=False)

        model = Counting()
    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
    x, y = tf.constant(bench.images), tf.constant(bench.labels.astype("int64"))
    return lambda: attack.run(wrapped, x, foolbox.Misclassification(y)).numpy()


def torch_call(bench: Bench, attack: Callable[..., Any], labels: np.ndarray) -> Call:
    """Calls `attack(twin, images, labels)` with channels first."""
    import torch

    twin = torch_twin(bench.model)
    x = torch.tensor(bench.images.transpose(0, 3, 1, 2).copy())
    y = torch.tensor(labels.astype("int64"))
    return lambda: attack(twin, x, y).detach().numpy().transpose(0, 2, 3, 1)


def gradients(bench: Bench) -> None:
    """FMN, DDN and sigma-zero: as many gradients each."""
    import adv_lib.attacks
    import foolbox

    for norm, name, order in (
        ("linf", "LInfFMNAttack", float("inf")),
        ("l2", "L2FMNAttack", 2),
        ("l1", "L1FMNAttack", 1),
        ("l0", "L0FMNAttack", 0),
    ):
        ours = bench.kgan(attacks.FMN(norm=norm, steps=100))
        theirs = foolbox_call(bench, getattr(foolbox.attacks, name)(steps=100))
        bench.compare(f"fmn {norm}, foolbox", norm, ours, theirs)

        def adv_lib_fmn(twin, x, y, order=order):
            return adv_lib.attacks.fmn(twin, x, y, norm=order, steps=100)

        theirs = torch_call(bench, adv_lib_fmn, bench.labels)
        bench.compare(f"fmn {norm}, adv-lib", norm, ours, theirs)
    ours = bench.kgan(attacks.DDN(steps=100))
    theirs = foolbox_call(bench, foolbox.attacks.DDNAttack(steps=100, init_epsilon=1.0))
    bench.compare("ddn, foolbox", "l2", ours, theirs)

    def sigma_zero(twin, x, y):
        return adv_lib.attacks.sigma_zero(twin, x, y, num_steps=300)

    ours = bench.kgan(attacks.SigmaZero(steps=300))
    bench.compare("sigma-zero, adv-lib", "l0", ours, torch_call(bench, sigma_zero, bench.labels))


def decisions(bench: Bench, budgets: list[int]) -> None:
    """HopSkipJump in two norms and the boundary attack, at equal queries."""
    import foolbox

    for norm in ("l2", "linf"):
        for budget in budgets:
            # The rounds of growing size that fit, with what steps and bisections take.
            rounds, spent = 0, 60
            while spent + 100 * (rounds + 1) ** 0.5 + 30 <= budget:
                spent, rounds = spent + 100 * (rounds + 1) ** 0.5 + 30, rounds + 1
            count = [0]
            peer = foolbox.attacks.HopSkipJumpAttack(steps=rounds, constraint=norm)
            theirs = foolbox_call(bench, peer, count)
            theirs()
            queries = count[0] // len(bench.images)
            ours = bench.kgan(attacks.HopSkipJump(norm=norm, queries=queries))
            bench.compare(f"hopskipjump {norm} {queries} q, foolbox", norm, ours, theirs)
    for budget in budgets[:2]:
        count = [0]
        theirs = foolbox_call(bench, foolbox.attacks.BoundaryAttack(steps=int(budget / 1.1)), count)
        theirs()
        queries = count[0] // len(bench.images)
        ours = bench.kgan(attacks.Boundary(queries=queries))
        bench.compare(f"boundary {queries} q, foolbox", "l2", ours, theirs)


def sparse(bench: Bench, folder: Path | None) -> None:
    """JSMA, one pixel, and Sparse-RS within 12 values and 1,000 queries."""
    import torchattacks

    def jsma(twin, x, y):
        attack = torchattacks.JSMA(twin, theta=1.0, gamma=1.0)
        attack.set_mode_targeted_by_label(quiet=True)
        return attack(x, y)

    ours = bench.kgan(attacks.JSMA(), targeted=True)
    theirs = torch_call(bench, jsma, bench.targets)
    bench.compare("jsma, torchattacks", "l0", ours, theirs, targeted=True)
    for pixels in (1, 10):

        def one_pixel(twin, x, y, pixels=pixels):
            return torchattacks.OnePixel(twin, pixels=pixels, steps=20, popsize=100)(x, y)

        ours = bench.kgan(attacks.OnePixel(pixels=pixels, steps=20, population=100))
        theirs = torch_call(bench, one_pixel, bench.labels)
        bench.compare(f"one-pixel {pixels}, torchattacks", "l0", ours, theirs)
    if folder is None:
        return
    sys.path.insert(0, str(folder))
    import rs_attacks

    def sparse_rs(twin, x, y):
        # The authors' code tells a success by a margin below zero, and returns all its images.
        attack = rs_attacks.RSAttack(
            twin, norm="L0", eps=12, n_queries=1000, p_init=0.3, device="cpu", seed=0, verbose=False
        )
        return attack.perturb(x, y)[1]

    ours = bench.kgan(attacks.SparseRS(12, steps=1000))
    theirs = torch_call(bench, sparse_rs, bench.labels)
    bench.compare("sparse-rs 12, authors", "l0", ours, theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", default=["gradients", "decisions", "sparse"])
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--queries", type=int, nargs="+", default=[1000, 5000, 20000])
    parser.add_argument("--sparse-rs", type=Path)
    options = parser.parse_args()
    model = keras.models.load_model(options.model)
    data = np.load(options.data)
    images, labels = data["images"], data["labels"].astype("int32")
    right = model.predict(images, verbose=0).argmax(axis=1) == labels
    rows = np.flatnonzero(right)[: options.n]
    bench = Bench(model, images[rows], labels[rows], options.rounds)
    if "gradients" in options.only:
        gradients(bench)
    if "decisions" in options.only:
        decisions(bench, options.queries)
    if "sparse" in options.only:
        sparse(bench, options.sparse_rs)
    results = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "model": options.model.name,
        "rows": bench.rows,
    }
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
