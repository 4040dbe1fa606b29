"""Attack a classifier: `python attack.py [--field value ...]`; see `--help`."""

import sys

from kgan.cli import main

if __name__ == "__main__":
    sys.exit(main(["attack", *sys.argv[1:]]))
