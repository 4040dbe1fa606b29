"""Makes the random draws of Keras's own layers a function of the step."""

import keras
import numpy as np

from kgan.counter import steps_done
from kgan.history import Logs


class LayerSeeds(keras.callbacks.Callback):
    """Sets the seed state of each random Keras layer, such as `keras.layers.Dropout`, by the step.

    A `.keras` file does not store these states, so without this callback a resumed training would
    draw other masks than an uninterrupted one. The layers of `kgan` depend on the step already.
    The callback does nothing if the model has no random Keras layer.
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        layers = self.model._flatten_layers()
        found = {id(layer): getattr(layer, "seed_generator", None) for layer in layers}
        self._states = [one.state for one in found.values() if one is not None]

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if self._states:
            step = steps_done(self.model)
            for state in self._states:
                # The first word of the state identifies the layer; the second counts its draws.
                first = np.asarray(state.value)[0]
                state.assign(np.array([first, step], np.uint32))
