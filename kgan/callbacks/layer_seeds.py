"""Draws of Keras's own random layers as a function of the step."""

import keras
import numpy as np

from kgan.counter import steps_done
from kgan.history import Logs


class LayerSeeds(keras.callbacks.Callback):
    """Sets the state of each Keras layer that draws, such as `keras.layers.Dropout`, by the step.

    A `.keras` file leaves these states out, so that a resumed training would draw other masks than
    the uninterrupted one. Layers of kgan's draw by the step anyway. It does nothing where a model
    has no such layer.
    """

    def on_train_begin(self, logs: Logs = None) -> None:
        layers = self.model._flatten_layers()
        found = {id(layer): getattr(layer, "seed_generator", None) for layer in layers}
        self._states = [one.state for one in found.values() if one is not None]

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        if self._states:
            step = steps_done(self.model)
            for state in self._states:
                # Its first word tells layers apart; the second one counts their draws.
                first = np.asarray(state.value)[0]
                state.assign(np.array([first, step], np.uint32))
