"""The small classifiers of the attack tests."""

from tests.attacks.conftest import digits, model, some

__all__ = ["digits", "model", "some"]
