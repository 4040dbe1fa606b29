"""Train a GAN: `python train.py [PRESET] [--field value ...]`; see `--help`."""

import sys

from kgan.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
