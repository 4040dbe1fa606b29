"""Attacks side by side with their peers: one process, the same weights, the same images.

    python benchmarks/attacks.py --model classifier.keras --data test.npz --out results.json

The data are arrays `images` (float32 in [0, 1]) and `labels`. Peers that are not installed, or that
fail on Keras 3, are listed as such: cleverhans 4.0.0, foolbox 3.3.4,
adversarial-robustness-toolbox 1.20.1, and the authors' autoattack on PyTorch, for which a
`Sequential` of Conv2D, MaxPooling2D, Flatten and Dense is copied weight by weight.

`--only speed` runs PGD, Carlini-Wagner, Square and HopSkipJump in alternating rounds with foolbox
and torchattacks 3.5.1, whose ratios to kgan's time are what counts.

Each figure is the median of `--repeats` calls after one that compiles or warms up. kgan is timed
twice: stopping at fooled examples (its default), and making all steps as the peers do.
"""

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import platform
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):
    import torch._dynamo  # noqa: F401  before TensorFlow, or torch's optimizers crash
import keras
import numpy as np
import tensorflow as tf

from kgan import attacks

EPSILON, STEPS, STEP_SIZE = 0.3, 40, 0.01


def median_seconds(call: Callable[[], Any], repeats: int) -> float:
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def attempt(name: str, row: dict[str, Any], make: Callable[[], Callable[[], Any]], repeats: int):
    """Times one contender, or notes why it cannot run."""
    try:
        row[name] = median_seconds(make(), repeats)
    except Exception as error:
        row[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
    print(f"  {name:<28}{row[name] if isinstance(row[name], str) else f'{row[name]:.4f} s'}")


def pgd(model: keras.Model, images: np.ndarray, labels: np.ndarray, repeats: int) -> dict:
    row: dict[str, Any] = {}
    ours = attacks.PGD(EPSILON, steps=STEPS, step_size=STEP_SIZE)
    full = ours.replace(early_stop=False)
    x, y = tf.constant(images), tf.constant(labels.astype("int64"))

    def cleverhans():
        from cleverhans.tf2.attacks.projected_gradient_descent import projected_gradient_descent

        return lambda: projected_gradient_descent(
            model, x, EPSILON, STEP_SIZE, STEPS, np.inf,
            clip_min=0.0, clip_max=1.0, y=y, rand_init=True, sanity_checks=False,
        )  # fmt: skip

    def foolbox():
        import foolbox

        wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
        attack = foolbox.attacks.LinfPGD(steps=STEPS, abs_stepsize=STEP_SIZE)
        return lambda: attack(wrapped, x, y, epsilons=EPSILON)

    def art_keras():
        from art.attacks.evasion import ProjectedGradientDescent
        from art.estimators.classification import KerasClassifier

        wrapped = KerasClassifier(model, clip_values=(0, 1), use_logits=True)
        attack = ProjectedGradientDescent(wrapped, eps=EPSILON, eps_step=STEP_SIZE, max_iter=STEPS,
            num_random_init=1, batch_size=len(images), verbose=False)  # fmt: skip
        return lambda: attack.generate(images, labels)

    def art_tf2():
        from art.attacks.evasion import ProjectedGradientDescent
        from art.estimators.classification import TensorFlowV2Classifier

        wrapped = TensorFlowV2Classifier(
            model, nb_classes=10, input_shape=images.shape[1:], clip_values=(0, 1),
            loss_object=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )  # fmt: skip
        attack = ProjectedGradientDescent(wrapped, eps=EPSILON, eps_step=STEP_SIZE, max_iter=STEPS,
            num_random_init=1, batch_size=len(images), verbose=False)  # fmt: skip
        return lambda: attack.generate(images, labels)

    attempt("kgan", row, lambda: lambda: ours.run(model, images, labels), repeats)
    attempt("kgan, all steps", row, lambda: lambda: full.run(model, images, labels), repeats)
    attempt("cleverhans", row, cleverhans, repeats)
    attempt("foolbox", row, foolbox, repeats)
    attempt("art KerasClassifier", row, art_keras, repeats)
    attempt("art TensorFlowV2Classifier", row, art_tf2, repeats)
    return row


def minimal(model: keras.Model, images: np.ndarray, labels: np.ndarray, repeats: int) -> dict:
    """C&W and EAD with 100 steps and 5 constants, with and without the early abort."""
    rows: dict[str, Any] = {}
    x, y = tf.constant(images), tf.constant(labels.astype("int64"))
    for abort in (True, False):
        how = {"steps": 100, "search_steps": 5, "initial_constant": 0.01, "abort_early": abort}

        def foolbox(name: str, **settings: Any):
            import foolbox

            wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
            attack = getattr(foolbox.attacks, name)(
                steps=100, binary_search_steps=5, initial_const=0.01, **settings
            )
            return lambda: attack(wrapped, x, y, epsilons=None)

        for name, ours, theirs, extra in (
            ("cw", attacks.CarliniWagner(**how), "L2CarliniWagnerAttack", {}),
            ("ead", attacks.ElasticNet(beta=0.01, **how), "EADAttack", {"regularization": 0.01}),
        ):
            row = rows[f"{name}, abort_early={abort}"] = {}
            print(f" {name}, abort_early={abort}")
            attempt("kgan", row, lambda ours=ours: lambda: ours.run(model, images, labels), repeats)
            settings = {**extra, "abort_early": abort}
            attempt("foolbox", row, lambda n=theirs, s=settings: foolbox(n, **s), repeats)
    return rows


def torch_twin(model: keras.Sequential):
    """The same network in PyTorch; takes channels first."""
    import torch
    from torch import nn
    from torch.nn import functional

    steps: list[Callable] = []
    for layer in model.layers:
        weights = [torch.tensor(weight) for weight in layer.get_weights()]
        relu = getattr(layer, "activation", None) is keras.activations.relu
        if isinstance(layer, keras.layers.Conv2D):
            kernel, bias = weights[0].permute(3, 2, 0, 1).contiguous(), weights[1]
            stride = layer.strides[0]
            # "same" padding is symmetric for the sizes used here.
            padding = (kernel.shape[2] - stride + 1) // 2 if layer.padding == "same" else 0
            steps.append(
                lambda x, k=kernel, b=bias, s=stride, p=padding: functional.conv2d(
                    x, k, b, stride=s, padding=p
                )
            )
        elif isinstance(layer, keras.layers.MaxPooling2D):
            steps.append(lambda x, n=layer.pool_size[0]: functional.max_pool2d(x, n))
        elif isinstance(layer, keras.layers.Flatten):
            steps.append(lambda x: x.permute(0, 2, 3, 1).flatten(1))
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = weights[0].T.contiguous(), weights[1]
            steps.append(lambda x, k=kernel, b=bias: functional.linear(x, k, b))
        else:
            raise TypeError(f"no PyTorch twin for {type(layer).__name__}")
        if relu:
            steps.append(functional.relu)

    class Twin(nn.Module):
        def forward(self, x):
            for step in steps:
                x = step(x)
            return x

    return Twin().eval()


def autoattack(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict:
    """Both once: seconds (the first call of kgan compiles, which counts), robust accuracy, and the
    images on which they disagree."""
    row: dict[str, Any] = {}
    start = time.perf_counter()
    ours = attacks.AutoAttack(EPSILON).run(model, images, labels, batch_size=250)
    row["kgan seconds"] = time.perf_counter() - start
    row["kgan robust"] = ours.robust
    print(row)
    try:
        import autoattack as official
        import torch

        twin = torch_twin(model)
        x = torch.tensor(images.transpose(0, 3, 1, 2).copy())
        y = torch.tensor(labels.astype("int64"))
        with torch.no_grad():
            difference = twin(x[:250]).numpy() - attacks.victim_of(model, images).predict(
                images[:250]
            )
        row["largest difference of logits"] = float(np.abs(difference).max())
        evaluation = official.AutoAttack(
            twin, norm="Linf", eps=EPSILON, version="standard", device="cpu", seed=0, verbose=False
        )
        start = time.perf_counter()
        _, predicted = evaluation.run_standard_evaluation(x, y, bs=250, return_labels=True)
        row["official seconds"] = time.perf_counter() - start
        robust = (predicted == y).numpy()
        row["official robust"] = float(robust.mean())
        row["only kgan fools"] = np.flatnonzero(robust & ours.success).tolist()
        row["only official fools"] = np.flatnonzero(~robust & ~ours.success).tolist()
    except Exception as error:
        row["official"] = f"{type(error).__name__}: {error}"
    print({name: row[name] for name in list(row)[2:]})
    return row


def beside(name: str, calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, Any]:
    """Median seconds of alternating rounds, after one that compiles; kgan is the first of all."""
    seconds: dict[str, list[float]] = {key: [] for key in calls}
    for number in range(rounds + 1):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            if number:
                seconds[key].append(time.perf_counter() - start)
    medians = {key: float(np.median(values)) for key, values in seconds.items()}
    ours = next(iter(medians.values()))
    texts = [f"{key} {value:.4g} s ({value / ours:.2f})" for key, value in medians.items()]
    print(f"{name:<28}{', '.join(texts)}", flush=True)
    return medians


def speed(
    model: keras.Model, images: np.ndarray, labels: np.ndarray, rounds: int, only: list[str]
) -> dict[str, Any]:
    """PGD, Carlini-Wagner, Square and HopSkipJump beside their peers, alternating.

    All make the same number of steps or queries of the same images; kgan does not stop at those
    that are fooled, except where the peers do.
    """
    import foolbox
    import torch
    import torchattacks

    torch.set_num_threads(tf.config.threading.get_intra_op_parallelism_threads() or 2)
    twin = torch_twin(model)
    wrapped = foolbox.TensorFlowModel(model, bounds=(0, 1))
    found: dict[str, Any] = {}

    def torch_images(n: int) -> tuple[Any, Any]:
        pixels = torch.tensor(images[:n].transpose(0, 3, 1, 2).copy())
        return pixels, torch.tensor(labels[:n].astype("int64"))

    def run(attack: attacks.Attack, n: int) -> Callable[[], Any]:
        return lambda: attack.run(model, images[:n], labels[:n])

    def with_foolbox(attack: Any, n: int, epsilon: float | None = None) -> Callable[[], Any]:
        x, y = tf.constant(images[:n]), tf.constant(labels[:n].astype("int64"))
        return lambda: attack(wrapped, x, foolbox.Misclassification(y), epsilons=epsilon)

    pgd = attacks.PGD(EPSILON, steps=STEPS, step_size=STEP_SIZE, early_stop=False)
    cw = {"steps": 100, "search_steps": 5, "initial_constant": 0.01}
    for n in (256, 1):
        if "pgd" in only:
            theirs = foolbox.attacks.LinfPGD(steps=STEPS, abs_stepsize=STEP_SIZE)
            torch_pgd = torchattacks.PGD(twin, eps=EPSILON, alpha=STEP_SIZE, steps=STEPS)
            found[f"pgd-40, {n}"] = beside(
                f"PGD-40, {n} images",
                {
                    "kgan": run(pgd, n),
                    "kgan, early stop": run(pgd.replace(early_stop=True), n),
                    "foolbox": with_foolbox(theirs, n, EPSILON),
                    "torchattacks": lambda n=n, a=torch_pgd: a(*torch_images(n)),
                },
                rounds,
            )
    if "cw" in only:
        theirs = foolbox.attacks.L2CarliniWagnerAttack(
            steps=100, binary_search_steps=5, initial_const=0.01, abort_early=False
        )
        found["cw, 32"] = beside(
            "C&W, 32 images",
            {
                "kgan": run(attacks.CarliniWagner(**cw, abort_early=False), 32),
                "foolbox": with_foolbox(theirs, 32),
            },
            min(rounds, 2),
        )
        torch_cw = torchattacks.CW(twin, c=1, steps=100, lr=0.01)
        one = attacks.CarliniWagner(
            steps=100, search_steps=1, initial_constant=1.0, abort_early=False
        )
        found["cw, one constant, 32"] = beside(
            "C&W, one constant, 32",
            {"kgan": run(one, 32), "torchattacks": lambda: torch_cw(*torch_images(32))},
            min(rounds, 2),
        )
    if "square" in only:
        torch_square = torchattacks.Square(twin, eps=0.1, n_queries=200, seed=0)
        for n in (100, 256, 512):
            found[f"square, 200 queries, {n}"] = beside(
                f"Square, 200 queries, {n}",
                {
                    "kgan": run(attacks.Square(0.1, steps=200), n),
                    "torchattacks": lambda n=n: torch_square(*torch_images(n)),
                },
                rounds,
            )
    if "hopskipjump" in only:
        theirs = foolbox.attacks.HopSkipJumpAttack(steps=4, constraint="l2")
        found["hopskipjump, 781 queries, 20"] = beside(
            "HopSkipJump, 781 queries, 20",
            {
                "kgan": run(attacks.HopSkipJump(queries=781), 20),
                "foolbox": lambda: theirs.run(
                    wrapped,
                    tf.constant(images[:20]),
                    foolbox.Misclassification(tf.constant(labels[:20].astype("int64"))),
                ),
            },
            min(rounds, 3),
        )
    return found


def versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for name in ("tensorflow", "keras", "cleverhans", "foolbox", "torch",
                 "adversarial-robustness-toolbox"):  # fmt: skip
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", nargs="+", default=["pgd", "minimal", "autoattack", "memory"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--autoattack-images", type=int, default=1000)
    parser.add_argument("--speed", nargs="+", default=["pgd", "cw", "square", "hopskipjump"])
    options = parser.parse_args()
    model = keras.models.load_model(options.model)
    data = np.load(options.data)
    images, labels = data["images"], data["labels"].astype("int32")
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(),
        "versions": versions(),
        "model": options.model.name,
    }
    if "memory" in options.only:
        for epsilon in (0.1, 0.2, 0.3):
            sweep = attacks.PGD(epsilon, steps=STEPS)
            sweep.run(model, images[:10000], labels[:10000], batch_size=256)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        results["peak GiB of a sweep over 10,000 images"] = peak
        print(f"sweep of PGD-40 over {len(images[:10000])} images: peak {peak:.2f} GiB")
    if "pgd" in options.only:
        for batch in (1, 32, 256):
            print(f"PGD-40, batch {batch}")
            results[f"pgd, batch {batch}"] = pgd(
                model, images[:batch], labels[:batch], options.repeats
            )
    if "minimal" in options.only:
        results["minimal, 32 images"] = minimal(model, images[:32], labels[:32], 1)
    if "speed" in options.only:
        right = model.predict(images[:1000], verbose=0).argmax(axis=1) == labels[:1000]
        results["speed"] = speed(
            model, images[:1000][right], labels[:1000][right], options.repeats, options.speed
        )
    if "autoattack" in options.only:
        n = options.autoattack_images
        results[f"autoattack, {n} images"] = autoattack(model, images[:n], labels[:n])
    if options.out:
        options.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
