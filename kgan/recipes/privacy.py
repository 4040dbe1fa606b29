"""The budget of a private training: how much noise it needs, and what is promised."""

from collections.abc import Sequence
from typing import Any

import kgan.privacy


def settled(
    settings: Any,
    *,
    sampling_rate: float,
    epochs: int,
    steps_per_epoch: int,
    released: Sequence[float] = (),
) -> tuple[float, list[str]]:
    """The noise of a training, found where it is not given, and lines that say what is promised.

    Args:
        settings: Settings with the group `Privacy`, with an epsilon.
        sampling_rate: Probability of each record to be in a half-step.
        epochs: How long is trained.
        steps_per_epoch: Steps of an epoch, of `n_critic` half-steps each.
        released: What else is told of the records; see `kgan.privacy.epsilon_of`.

    Raises:
        ValueError: Where the given noise is too little for so many epochs.
    """
    epsilon, delta, noise = settings.epsilon, settings.delta, settings.noise
    each = steps_per_epoch * settings.n_critic
    steps = epochs * each
    spending: dict[str, Any] = {
        "sampling_rate": sampling_rate,
        "delta": delta,
        "released": tuple(released),
    }
    if noise is None:
        noise = kgan.privacy.noise_for(epsilon, steps=steps, **spending)
    spent = kgan.privacy.epsilon_of(noise=noise, steps=steps, **spending)
    if spent > epsilon:
        most = kgan.privacy.steps_for(epsilon, noise=noise, **spending)
        raise ValueError(
            f"epochs must be at most {most // each} for epsilon {epsilon:g} with noise "
            f"{noise:.4g}, got {epochs}, which would spend {spent:.4g}."
        )
    promise = kgan.privacy.Guarantee(
        spent, delta, noise, sampling_rate, steps, "pld", tuple(released)
    )
    start = settings.init_from
    known = [] if start is None else [f"the promise does not cover what {start} has seen"]
    return noise, [
        f"private: {promise}",
        *known,
        "checkpoints hold the key of the noise: keep them to yourself",
    ]
