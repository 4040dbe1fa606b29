"""What many noisy steps on Poisson samples cost: (epsilon, delta) differential privacy.

The figures are those of the package dp-accounting (extra `privacy`), for data sets that differ in
one record, which is there or is not.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any, Literal

Method = Literal["pld", "rdp"]
_MOST_NOISE = 2.0**14


@dataclasses.dataclass(frozen=True)
class Guarantee:
    """What was promised to each record.

    Attributes:
        epsilon: The privacy loss is at most this, but for a probability of `delta`.
        delta: In (0, 1); well below one over the number of records.
        noise: Standard deviation of the noise over the clipping norm.
        sampling_rate: Probability of each record to be in a step.
        steps: Number of steps.
        method: How it was accounted: "pld" or "rdp".
        released: What else was told of the data, once each: standard deviation of normal noise over
            the sensitivity, which is how far one record can move it.
    """

    epsilon: float
    delta: float
    noise: float
    sampling_rate: float
    steps: int
    method: str
    released: tuple[float, ...] = ()

    def __str__(self) -> str:
        also = "".join(f", counts with noise {one:.4g}" for one in self.released)
        return (
            f"({self.epsilon:.4g}, {self.delta:g})-differentially private for each record: "
            f"{self.steps:,} steps with noise {self.noise:.4g} at sampling rate "
            f"{self.sampling_rate:.4g}{also} ({self.method.upper()} accountant)"
        )


def epsilon_of(
    *,
    sampling_rate: float,
    noise: float,
    steps: int,
    delta: float,
    released: Sequence[float] = (),
    method: Method = "pld",
) -> float:
    """The epsilon of `steps` steps of the Poisson-sampled Gaussian mechanism.

    Args:
        sampling_rate: Probability of each record to be in a step, in (0, 1].
        noise: Standard deviation of the noise over the clipping norm, at least 0; with 0 there is
            no guarantee, and epsilon is infinite.
        steps: Number of steps, at least 0.
        delta: In (0, 1).
        released: What else is told of the data with normal noise, once each: its standard deviation
            over the sensitivity, above 0.
        method: "pld" (privacy loss distributions, about a tenth tighter) or "rdp" (Rényi).

    Returns:
        Epsilon, a float.

    Raises:
        ImportError: Where dp-accounting is not installed.

    Reference: Abadi et al. 2016 (arXiv:1607.00133); Mironov et al. 2019 (arXiv:1908.10530) for
    "rdp"; Koskela et al. 2020 (arXiv:1906.03049) and Doroshenko et al. 2022 (arXiv:2207.04380) for
    "pld".
    """
    _check(sampling_rate, delta, method)
    if not noise >= 0:
        raise ValueError(f"noise must be at least 0, got {noise}.")
    if steps != int(steps) or steps < 0:
        raise ValueError(f"steps must be a whole number of at least 0, got {steps}.")
    if not all(one > 0 for one in released):
        raise ValueError(f"released must be noise above 0, got {tuple(released)}.")
    if steps == 0 and not released:
        return 0.0
    if noise == 0 and steps:
        return math.inf
    once = tuple(map(float, released))
    return _epsilon(float(sampling_rate), float(noise), int(steps), float(delta), method, once)


def noise_for(
    epsilon: float,
    *,
    sampling_rate: float,
    steps: int,
    delta: float,
    released: Sequence[float] = (),
    method: Method = "pld",
) -> float:
    """The least noise, to a thousandth of it, with which so many steps stay within `epsilon`.

    Args:
        epsilon: What may be spent, above 0.
        sampling_rate: Probability of each record to be in a step, in (0, 1].
        steps: Number of steps, at least 1.
        delta: In (0, 1).
        released: As for `epsilon_of`.
        method: As for `epsilon_of`.

    Returns:
        Standard deviation of the noise over the clipping norm.
    """
    _check(sampling_rate, delta, method)
    _check_target(epsilon)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")

    spending: dict[str, Any] = {
        "sampling_rate": sampling_rate,
        "steps": steps,
        "delta": delta,
        "released": released,
    }

    def fits(noise: float) -> bool:
        return epsilon_of(noise=noise, method=method, **spending) <= epsilon

    if method == "pld":
        # The faster accountant's answer is enough for this one too, and close above it.
        high = noise_for(epsilon, method="rdp", **spending)
        low = 0.8 * high
    else:
        low, high = 0.5, 1.0
        while not fits(high):
            low, high = high, 2 * high
            if high > _MOST_NOISE:
                raise ValueError(
                    f"epsilon must be one that {steps:,} steps at sampling rate "
                    f"{sampling_rate:.4g} can reach with delta {delta:g}, got {epsilon}. Train "
                    "fewer steps, or allow more."
                )
    while low > 1e-3 and fits(low):
        low, high = low / 2, low
    while high - low > 1e-3 * high:
        middle = (low + high) / 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high


def steps_for(
    epsilon: float,
    *,
    sampling_rate: float,
    noise: float,
    delta: float,
    released: Sequence[float] = (),
    method: Method = "pld",
) -> int:
    """The most steps, to a thousandth of them, that stay within `epsilon`; 0 where one is too many.

    Args:
        epsilon: What may be spent, above 0.
        sampling_rate: Probability of each record to be in a step, in (0, 1].
        noise: Standard deviation of the noise over the clipping norm.
        delta: In (0, 1).
        released: As for `epsilon_of`.
        method: As for `epsilon_of`.
    """
    _check_target(epsilon)

    spending: dict[str, Any] = {
        "sampling_rate": sampling_rate,
        "noise": noise,
        "delta": delta,
        "released": released,
    }

    def fits(steps: int) -> bool:
        return epsilon_of(steps=steps, method=method, **spending) <= epsilon

    if not fits(1):
        return 0
    low = 1
    if method == "pld":
        low = max(steps_for(epsilon, method="rdp", **spending), 1)
    high = 2 * low
    while fits(high):
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _check(sampling_rate: float, delta: float, method: str) -> None:
    if not 0 < sampling_rate <= 1:
        raise ValueError(f"sampling_rate must be in (0, 1], got {sampling_rate}.")
    if not 0 < delta < 1:
        raise ValueError(f"delta must be in (0, 1), got {delta}.")
    if method not in ("pld", "rdp"):
        raise ValueError(f"method must be 'pld' or 'rdp', got {method!r}.")


def _check_target(epsilon: float) -> None:
    if not 0 < epsilon < math.inf:
        raise ValueError(f"epsilon must be above 0 and finite, got {epsilon}.")


@functools.lru_cache(maxsize=256)
def _epsilon(
    sampling_rate: float,
    noise: float,
    steps: int,
    delta: float,
    method: str,
    released: tuple[float, ...],
) -> float:
    accounting = _dp_accounting()
    step: Any = accounting.GaussianDpEvent(noise or 1.0)
    if sampling_rate < 1:
        step = accounting.PoissonSampledDpEvent(sampling_rate, step)
    accountant = (
        accounting.pld.PLDAccountant() if method == "pld" else accounting.rdp.RdpAccountant()
    )
    for once in released:
        accountant.compose(accounting.GaussianDpEvent(once))
    if steps:
        accountant.compose(accounting.SelfComposedDpEvent(step, steps))
    return float(accountant.get_epsilon(delta))


def _dp_accounting() -> Any:
    # It pins an old attrs, so it is an extra, and imported where it is needed alone.
    try:
        import dp_accounting
        import dp_accounting.pld
        import dp_accounting.rdp
    except ImportError as error:
        raise ImportError(
            "private training needs dp-accounting: pip install 'kgan[privacy]'"
        ) from error
    return dp_accounting
