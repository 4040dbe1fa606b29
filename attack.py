"""Attack a classifier. The command comes next; kgan trains, samples and exports GANs today."""

import sys

if __name__ == "__main__":
    sys.exit("attack.py is not there yet: attacks come with the next version of kgan.")
