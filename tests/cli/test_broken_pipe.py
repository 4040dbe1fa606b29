"""What reads the output goes away before it ends."""

import subprocess
import sys

import pytest

MAIN = "import sys, kgan.cli; sys.exit(kgan.cli.main())"


@pytest.mark.parametrize("words", [["--help"], ["harden", "--help"], ["-V"]])
def test_an_output_that_nobody_reads_is_no_fault(words):
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 141
    process.stderr.close()
