"""Random bits for many seeds at once: for each, what TensorFlow draws for it alone.

TensorFlow's stateless draws take one seed, so a draw for each of many examples is a loop over
them. Philox is a function of a key and a counter, so that function can be taken of all at once.

Reference: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3.
"""

import tensorflow as tf

_ROUNDS = 10
# Of each half of a counter, what it is multiplied by; and what is added to each half of a key.
_MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
_STEPS = 0x9E3779B9, 0xBB67AE85
# With this key TensorFlow makes a key and a counter of a seed.
_SEED_KEY = 0x3EC8F720, 0x02461E29
_LOW = 0xFFFFFFFF
# Words of 32 bits that one counter gives.
_WORDS = 4

Words = tuple[tf.Tensor, ...]


def bits_of(seeds: tf.Tensor, size: int) -> tf.Tensor:
    """`size` words of 32 random bits for each seed.

    Args:
        seeds: int64 tensor (batch,); its two halves are the two numbers of TensorFlow's seed.
        size: Words of each.

    Returns:
        uint32 tensor (batch, size): row i is `tf.random.stateless_uniform([size],
        tf.bitcast(seeds[i], tf.int32), None, None, tf.uint32, alg="philox")`.
    """
    halves = tf.bitcast(seeds, tf.int32)
    first, second = (tf.cast(half, tf.int64) for half in tf.unstack(halves, axis=1))
    counter = (*_words(first), *_words(second))
    mixed = _philox(counter, tuple(_constant(one) for one in _SEED_KEY))
    key, high = [[one[:, None] for one in pair] for pair in (mixed[:2], mixed[2:])]
    count = -(-size // _WORDS)
    # What is alike in a row or a column is taken once: the first rounds are nearly free.
    low = tf.cast(tf.range(count), tf.uint64)[None]
    found = _philox((low, tf.zeros([1, 1], tf.uint64), *high), tuple(key))
    words = tf.cast(tf.stack(found, axis=2), tf.uint32)
    return tf.reshape(words, [-1, _WORDS * count])[:, :size]


def _philox(counter: Words, key: Words) -> Words:
    """Four words of a counter's four and a key's two, each a number below 2**32 in a uint64."""
    # Once, not in each of ten rounds: a graph of fewer operations is made sooner.
    multipliers, steps = [[_constant(one) for one in pair] for pair in (_MULTIPLIERS, _STEPS)]
    mask, half = _constant(_LOW), _constant(32)
    for _ in range(_ROUNDS):
        products = [one * by for one, by in zip(counter[::2], multipliers, strict=True)]
        first, second = [tf.bitwise.right_shift(one, half) for one in products]
        first_low, second_low = [tf.bitwise.bitwise_and(one, mask) for one in products]
        counter = (
            _xor(_xor(second, counter[1]), key[0]),
            second_low,
            _xor(_xor(first, counter[3]), key[1]),
            first_low,
        )
        moved = [one + by for one, by in zip(key, steps, strict=True)]
        key = tuple(tf.bitwise.bitwise_and(one, mask) for one in moved)
    return counter


def _words(numbers: tf.Tensor) -> Words:
    """The lower and the upper 32 bits of int64 numbers."""
    wide = tf.bitcast(numbers, tf.uint64)
    low = tf.bitwise.bitwise_and(wide, _constant(_LOW))
    return low, tf.bitwise.right_shift(wide, _constant(32))


def _xor(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    return tf.bitwise.bitwise_xor(one, other)


def _constant(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)
