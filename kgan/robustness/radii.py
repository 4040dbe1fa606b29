"""The radii at which a classifier is attacked by default."""

from kgan.kinds import Images, Kind

# Radii that tell robust from ordinary classifiers, for grey digits and for colour photographs.
_GREY = {
    "linf": (0.05, 0.1, 0.2, 0.3),
    "l2": (0.5, 1.0, 2.0, 3.0),
    "l1": (2.5, 5.0, 10.0, 20.0),
    "l0": (4.0, 8.0, 16.0, 32.0),
}
_COLOUR = {
    "linf": (1 / 255, 2 / 255, 4 / 255, 8 / 255),
    "l2": (0.125, 0.25, 0.5, 1.0),
    "l1": (3.0, 6.0, 12.0, 24.0),
    "l0": (6.0, 12.0, 24.0, 48.0),
}


def default_radii(kind: Kind, norm: str) -> tuple[float, ...]:
    """Four radii that show differences in robustness for samples of this kind.

    Raises:
        ValueError: If there are no default radii for this kind and norm.
    """
    if not isinstance(kind, Images):
        raise ValueError(f"epsilons must be given: none are known for {kind.plural}.")
    return (_GREY if kind.channels == 1 else _COLOUR)[norm]
