"""Settings of the family of table GANs."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from kgan.settings.groups import (
    Machine,
    Messages,
    Output,
    Privacy,
    RunFolder,
    Scores,
    Start,
    TableReading,
    check_at_least,
    check_decay,
    name_of_data,
)


@dataclass(frozen=True, kw_only=True)
class TableSettings(Messages, Output, TableReading, Scores, Privacy, Start, Machine):
    """Train a GAN of the rows of a table and export its generator."""

    family: ClassVar[str] = "table"
    changeable: ClassVar[tuple[str, ...]] = ("epochs", "target")
    places: ClassVar[tuple[str, ...]] = ("data",)

    # Data
    data: str = "breast-cancer"
    """breast-cancer, or a .csv or .parquet file (extra: tables)."""
    target: str | None = None
    """A category that kgan evaluate trains classifiers to tell; default none, or the data's own."""

    # Model
    model: Literal["gan", "tvae", "copula"] | None = None
    """gan: a conditional GAN (CTGAN); tvae: a variational autoencoder; copula: correlations of a
    Gaussian, fitted at once; with a target of at most 20 categories, one for each of them.
    Default gan, and copula with epsilon."""

    # Networks
    networks: str = "dense"
    """A key of kgan.networks.TABLE_NETWORKS (dense)."""
    latent_dim: int = 128
    """Length of a latent vector."""
    generator_width: int = 256
    """Units of each of the generator's two layers."""
    discriminator_width: int = 256
    """Units of each of the discriminator's two layers."""
    discriminator_dropout: float = 0.5
    """Share of its units that a layer of the discriminator drops in training, in [0, 1)."""
    decoder_width: int = 128
    """Of a tvae, units of each of the decoder's and the posterior's two layers."""

    # Objective
    loss: str | None = None
    """A key of kgan.losses.LOSSES; default wasserstein, or non_saturating with epsilon."""
    penalty_weight: float | None = None
    """Weight of the gradient penalty; default 10, and none with epsilon."""
    n_critic: int = 1
    """Discriminator updates for each generator update, of a private training alone."""
    counts_share: float = 0.5
    """Of a private training, the share of epsilon that noisy counts of each column's values may
    spend alone, in (0, 1); they and the training together spend epsilon."""
    packing: int = 10
    """Rows that the discriminator judges at once (PacGAN); it must divide the batch."""
    temperature: float = 0.2
    """Temperature of the softmax with Gumbel noise that makes categories."""
    conditions: Literal["categories", "modes"] = "categories"
    """What a gan's generator is told: a category of a column, or also the mode of a number
    (CTAB-GAN)."""
    target_loss: float = 0.0
    """Weight of what a gan's generator learns by a classifier of the target: that the other columns
    of its rows tell their target (CTAB-GAN); 0 is none, 1 published."""
    several: float | None = None
    """Share of the rows that stand for categories of several columns, in [0, 1]; default 0.5, and 0
    with epsilon."""

    # Optimizers
    g_learning_rate: float = 2e-4
    """The generator's learning rate."""
    d_learning_rate: float = 2e-4
    """The discriminator's learning rate."""
    learning_rate: float = 1e-3
    """The learning rate of a tvae."""
    beta_1: float = 0.5
    """Adam's decay of the mean, of a gan."""
    beta_2: float = 0.9
    """Adam's decay of the square, of a gan."""
    weight_decay: float = 1e-6
    """Adam's decay of the weights."""
    ema_decay: float = 0.999
    """Decay of the moving average of the generator or decoder."""

    @property
    def chosen_model(self) -> str:
        """The model, named or by default."""
        # Measured: the copula's rows are worth more, at every epsilon that was tried.
        return self.model or ("gan" if self.epsilon is None else "copula")

    @property
    def shaped_by(self) -> frozenset[str]:
        made_for = self.chosen_model == "copula" or self.target_loss > 0
        return frozenset({"target"} if made_for else ())

    def check(self) -> None:
        super().check()
        check_at_least(self, 1, "latent_dim", "generator_width", "discriminator_width", "packing")
        check_at_least(self, 1, "decoder_width")
        check_at_least(self, 0, "g_learning_rate", "d_learning_rate", "penalty_weight")
        check_at_least(self, 0, "weight_decay", "learning_rate")
        check_at_least(self, 1, "n_critic")
        check_decay(self, "beta_1", "beta_2", "ema_decay")
        if not 0 <= self.discriminator_dropout < 1:
            raise ValueError(
                f"discriminator_dropout must be in [0, 1), got {self.discriminator_dropout}."
            )
        if self.several is not None and not 0 <= self.several <= 1:
            raise ValueError(f"several must be in [0, 1], got {self.several}.")
        check_at_least(self, 0, "target_loss")
        for name, default in (("conditions", "categories"), ("target_loss", 0.0)):
            if getattr(self, name) != default and self.chosen_model != "gan":
                raise ValueError(
                    f"{name} must be left out for a {self.chosen_model}, got "
                    f"{getattr(self, name)}: it is a gan's. Add --model gan."
                )
        if self.target_loss and self.target is None:
            raise ValueError(
                f"target must be given with target_loss ({self.target_loss:g}): the column of "
                "categories that a classifier learns to tell."
            )
        if self.constraints and self.chosen_model == "copula":
            raise ValueError("constraints must be left out for a copula, which keeps none.")
        if self.batch_size is not None and self.batch_size % self.packing:
            raise ValueError(
                f"packing must divide batch_size ({self.batch_size}), got {self.packing}."
            )

        if self.epsilon is not None:
            self._check_private()
        elif self.n_critic > 1:
            raise ValueError(f"n_critic must be 1 without epsilon, got {self.n_critic}.")

    def _check_private(self) -> None:
        """Raises for what would look at records outside of what is promised."""
        if self.chosen_model == "tvae":
            raise ValueError("model must be gan or copula with epsilon, got tvae.")
        if self.chosen_model == "copula":
            for name, only in (("n_critic", 1), ("clip_norm", 1.0)):
                if getattr(self, name) != only:
                    raise ValueError(
                        f"{name} must be left out for a private copula, which has no steps, got "
                        f"{getattr(self, name):g}."
                    )
        for name, allowed in (("packing", 1), ("penalty_weight", 0), ("several", 0)):
            if getattr(self, name) not in (None, allowed):
                raise ValueError(
                    f"{name} must be {allowed} with epsilon, got {getattr(self, name):g}: it looks "
                    "at several records together, or at what is not clipped."
                )
        if self.target_loss:
            raise ValueError(
                f"target_loss must be 0 with epsilon, got {self.target_loss:g}: its classifier "
                "learns from records without any noise."
            )
        for name in ("columns", "categorical", "integer", "number", "constraints"):
            if getattr(self, name):
                raise ValueError(
                    f"{name} must be left out with epsilon, got {' '.join(getattr(self, name))}: "
                    "what columns may hold is declared in full in DATA.columns.json beside the "
                    "data, and combinations are not looked up."
                )
        if self.patience is not None:
            raise ValueError(
                f"patience must be left out with epsilon, got {self.patience}: it stops by scores "
                "by real rows, and there is none."
            )
        for name in ("evaluate_every", "evaluate_samples"):
            default = Scores.__dataclass_fields__[name].default
            if getattr(self, name) not in (default, getattr(PRESETS["table"], name)):
                raise ValueError(
                    f"{name} must be left out with epsilon, got {getattr(self, name)}: scores are "
                    "by real rows, and there is none."
                )
        if self.precision != "float32":
            raise ValueError(f"precision must be float32 with epsilon, got {self.precision}.")
        if not 0 < self.counts_share < 1:
            raise ValueError(f"counts_share must be in (0, 1), got {self.counts_share}.")

    def default_name(self, preset: str | None, defaults: RunFolder) -> str:
        assert isinstance(defaults, TableSettings)
        own_data = preset is None or self.data != defaults.data
        return name_of_data(self.data) if own_data else str(preset)


PRESETS: dict[str, TableSettings] = {
    # The published settings but for two; the batch is 500, or a tenth of the rows where that is
    # less. Packs of ten rows under a dropout of one half hide from the discriminator how the
    # columns of a row belong together: classifiers learn more from rows that are judged alone.
    "table": TableSettings(
        epochs=300,
        packing=1,
        discriminator_dropout=0.25,
        evaluate_every=500,
        evaluate_samples=2000,
    ),
}
