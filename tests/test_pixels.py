import numpy as np
import pytest

from kgan.pixels import rounded_to_8_bits, to_float, to_uint8

EVERY_BYTE = np.arange(256, dtype=np.uint8)


def test_bytes_survive_the_way_to_floats_and_back():
    floats = to_float(EVERY_BYTE)
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats, (EVERY_BYTE / 255.0).astype(np.float32))
    np.testing.assert_array_equal(to_uint8(floats), EVERY_BYTE)
    np.testing.assert_array_equal(rounded_to_8_bits(EVERY_BYTE), floats)
    # What is no bytes is left alone.
    assert to_float(floats) is floats


def test_floats_are_rounded_to_the_nearest_byte_and_kept_in_range():
    values = np.array([-1.0, 0.0, 0.49 / 255, 0.51 / 255, 1.0, 2.0], np.float32)
    np.testing.assert_array_equal(to_uint8(values), [0, 0, 0, 1, 255, 255])
    inside = values[1:-1]
    np.testing.assert_array_equal(rounded_to_8_bits(inside), to_float(to_uint8(inside)))
    with pytest.raises(ValueError, match=r"takes float images in \[0, 1\], got -1 to 2"):
        rounded_to_8_bits(values)
    np.testing.assert_array_equal(to_uint8(np.array([np.nan])), [0])
