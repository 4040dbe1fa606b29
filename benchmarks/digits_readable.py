"""Are generated digits readable? A logistic regression that has seen generated digits only is tried
on real ones it could not have seen: the held-out digits, which the GAN did not train on either.

    python benchmarks/digits_readable.py saved_models/digits
"""

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import kgan.data
from kgan.runs.source import open_source


def accuracy(images: np.ndarray, labels: np.ndarray) -> float:
    """Accuracy on the held-out real digits after training on these (n, 8, 8, 1) in [0, 1]."""
    test = kgan.data.load("digits", "test")
    classifier = LogisticRegression(max_iter=2000)
    classifier.fit(images.reshape(len(images), -1), labels)
    return float(classifier.score(test.as_float().reshape(len(test), -1), test.labels))


def main(source: str) -> None:
    """Prints the accuracy of both training sets."""
    train = kgan.data.load("digits", "train")
    print(
        f"trained on {len(train):,} real digits:     {accuracy(train.as_float(), train.labels):.1%}"
    )
    labels = np.arange(2000, dtype=np.int32) % 10
    images = open_source(Path(source)).generate(len(labels), labels, 0)
    print(f"trained on {len(images):,} generated digits: {accuracy(images, labels):.1%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "saved_models/digits")
