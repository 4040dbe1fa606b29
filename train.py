"""Train a GAN: `python train.py [PRESET] [--field value ...]`; see `--help`."""

import sys

from kgan.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
