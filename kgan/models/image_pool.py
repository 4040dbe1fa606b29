"""A history of generated samples, from which a discriminator is shown older ones too."""

import keras
import tensorflow as tf

import kgan.random
from kgan.counter import add_counter


@keras.saving.register_keras_serializable(package="kgan")
class ImagePool(keras.layers.Layer):
    """Keeps generated samples, and gives back some of them in the place of new ones.

    The samples of a batch come one after the other. While there is room, a new one is kept and
    given back. After that, half of them are given back as they are; each of the others takes the
    place of a random kept one, which is given back instead.

    The pool is made of variables, so it is saved with the model that owns it. All choices are a
    function of the seed and of the position in the global batch, and the pool is one for all
    replicas: each of them sees the samples of all, keeps the same ones, and gives back its own
    share. A batch on several replicas must be split evenly.

    Args:
        size: How many samples are kept; 0 keeps none and gives back what it is given.
        sample_shape: Shape of one sample.

    Reference:
        Shrivastava et al. 2017, section 2.3 (arXiv:1612.07828); the way of choosing is that of
        CycleGAN, Zhu et al. 2017, section 4 (arXiv:1703.10593).
    """

    def __init__(self, size: int, sample_shape: tuple[int, ...], **options):
        super().__init__(**options)
        if size < 0:
            raise ValueError(f"size of a pool must be at least 0, got {size}.")
        self.size = size
        self.sample_shape = tuple(sample_shape)
        if size:
            # The same on every replica: there is nothing to add up.
            self.samples = self.add_weight(
                name="samples",
                shape=(size, *self.sample_shape),
                dtype="float32",
                initializer="zeros",
                trainable=False,
                aggregation="only_first_replica",
            )
            self.kept = add_counter(self, "kept")
        self.built = True

    def exchange(self, samples: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Shows the pool new samples.

        Args:
            samples: This replica's share of the batch, float32 (batch, ...).
            seed: From `kgan.random.step_seed`.

        Returns:
            As many samples, new and old ones, for this replica.
        """
        if not self.size:
            return samples
        batch = tf.shape(samples)[0]
        everywhere, first = _of_all_replicas(samples)
        place, kept, old = self._choices(tf.shape(everywhere)[0], seed)
        # Where two samples of a batch take the same place, the later one finds the earlier one.
        place_of_row, place_of_column = place[:, tf.newaxis], place[tf.newaxis]
        row = tf.range(tf.shape(place)[0])
        before = (place_of_row == place_of_column) & kept & (row < row[:, tf.newaxis])
        previous = tf.reduce_max(tf.where(before, row, -1), axis=1)
        known = tf.convert_to_tensor(self.samples)
        found = _choose(previous >= 0, tf.gather(everywhere, tf.maximum(previous, 0)), known, place)
        given = tf.where(_like(old, found), found, everywhere)
        total = tf.cast(self.kept, tf.int64) + tf.cast(tf.shape(everywhere)[0], tf.int64)
        self.kept.assign(tf.minimum(total, self.size))
        # What lies in each place after the batch: the last sample that took it.
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            taken = (place_of_row == place_of_column) & kept
            last = tf.reduce_max(tf.where(taken, row, -1), axis=1)
            newest = tf.gather(everywhere, tf.maximum(last, 0))
            newest = _choose(last >= 0, newest, known, place)
            # Where a place is named twice, it is given the same sample twice.
            self.samples.value.scatter_update(tf.IndexedSlices(newest, place))
            return given
        all_places = tf.range(self.size)
        taken = (all_places[:, tf.newaxis] == place) & kept
        last = tf.reduce_max(tf.where(taken, row, -1), axis=1)
        newest = tf.gather(everywhere, tf.maximum(last, 0))
        self.samples.assign(_choose(last >= 0, newest, known, all_places))
        return given[first : first + batch]

    def _choices(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """For each sample: a place in the pool, whether it is kept there, whether an old one is
        given back."""
        coins = kgan.random.stateless_uniform(seed, [batch, 2])
        arrival = tf.cast(self.kept, tf.int32) + tf.range(batch)
        filling = arrival < self.size
        random_place = tf.cast(coins[:, 1] * self.size, tf.int32)
        old = ~filling & (coins[:, 0] < 0.5)
        return tf.where(filling, arrival, random_place), filling | old, old

    def get_config(self):
        return {**super().get_config(), "size": self.size, "sample_shape": list(self.sample_shape)}


def _of_all_replicas(samples: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | int]:
    """The global batch, and where this replica's share of it begins."""
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return samples, 0
    context = tf.distribute.get_replica_context()
    first = context.replica_id_in_sync_group * tf.shape(samples)[0]
    return context.all_gather(samples, axis=0), first


def _choose(new: tf.Tensor, samples: tf.Tensor, pool: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    return tf.where(_like(new, samples), samples, tf.gather(pool, place))


def _like(mask: tf.Tensor, samples: tf.Tensor) -> tf.Tensor:
    """A mask (batch,) that broadcasts against samples (batch, ...)."""
    return tf.reshape(mask, [-1, *([1] * (samples.shape.rank - 1))])
