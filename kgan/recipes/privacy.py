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
    keyed: bool = True,
) -> tuple[float, list[str]]:
    """The noise of a training, found where it is not given, and lines that say what is promised.

    Args:
        settings: Settings with the group `Privacy`, with an epsilon.
        sampling_rate: Probability of each record to be in a half-step.
        epochs: How long is trained.
        steps_per_epoch: Steps of an epoch, of `n_critic` half-steps each.
        released: What else is told of the records; see `kgan.privacy.epsilon_of`.
        keyed: Whether the noise can be drawn anew by a key that checkpoints hold.

    Raises:
        ValueError: Where the given noise is too little for so many epochs.
    """
    epsilon, delta, noise = settings.epsilon, settings.delta, settings.noise
    each = steps_per_epoch * settings.n_critic
    steps = epochs * each
    spending: dict[str, Any] = {"sampling_rate": sampling_rate, "released": tuple(released)}
    if noise is None:
        noise = kgan.privacy.noise_for(epsilon, steps=steps, delta=delta, **spending)
    else:
        # The tighter accountant takes minutes over next to no noise, where the faster one is sure.
        rough = kgan.privacy.epsilon_of(
            noise=noise, steps=steps, delta=delta, method="rdp", **spending
        )
        if rough > 2 * epsilon + 1:
            raise ValueError(
                f"noise must be more for {steps:,} steps and epsilon {epsilon:g}, got {noise:.4g}, "
                f"which would spend about {rough:.4g}. Leave it out to have the least one found."
            )
    promise = promise_of(settings, noise=noise, steps=steps, **spending)
    if promise.epsilon > epsilon:
        most = kgan.privacy.steps_for(epsilon, noise=noise, delta=delta, **spending)
        if most < each:
            least = kgan.privacy.noise_for(epsilon, steps=steps, delta=delta, **spending)
            raise ValueError(
                f"noise must be at least {least:.4g} for epsilon {epsilon:g}, got {noise:.4g}."
            )
        raise ValueError(
            f"epochs must be at most {most // each} for epsilon {epsilon:g} with noise "
            f"{noise:.4g}, got {epochs}, which would spend {promise.epsilon:.4g}."
        )
    start = settings.init_from
    known = [] if start is None else [f"the promise does not cover what {start} has seen"]
    if settings.n_critic > 1:
        known.append(
            f"each step of the generator has {settings.n_critic} of the discriminator, which are "
            "those with noise"
        )
    if keyed:
        known.append("checkpoints hold the key of the noise: keep them to yourself")
    return noise, [f"private: {promise}", *known]


def promise_of(
    settings: Any,
    *,
    noise: float,
    sampling_rate: float,
    steps: int,
    released: Sequence[float] = (),
) -> kgan.privacy.Guarantee:
    """What so many steps promise to each record.

    Args:
        settings: Settings with the group `Privacy`.
        noise: As for `kgan.privacy.epsilon_of`, as are the others.
        sampling_rate: Probability of each record to be in a step.
        steps: How many.
        released: What else is told of the records.
    """
    once = tuple(released)
    spent = kgan.privacy.epsilon_of(
        noise=noise,
        steps=steps,
        sampling_rate=sampling_rate,
        delta=settings.delta,
        released=once,
    )
    return kgan.privacy.Guarantee(spent, settings.delta, noise, sampling_rate, steps, "pld", once)
