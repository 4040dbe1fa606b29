"""What `fit` is given, for every model: used as meant, or refused; never dropped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
import kgan.defenses
import kgan.models
import kgan.networks
import kgan.penalties
from kgan.kinds import Images, Points
from kgan.models.batches import labels_of, samples_of
from kgan.models.output_activation import check_logits, last_activation
from tests.conftest import slow_but
from tests.models.people import build as build_table
from tests.models.people import people

SIZE, LATENT = 4, 3


def own_generator(last="sigmoid", *, classes=None):
    latents = keras.Input((LATENT,))
    inputs, found = latents, latents
    if classes:
        labels = keras.Input((), dtype="int32")
        inputs = [latents, labels]
        found = keras.layers.Concatenate()([latents, keras.layers.Embedding(classes, 2)(labels)])
    values = keras.layers.Dense(SIZE * SIZE, activation=last)(found)
    return keras.Model(inputs, keras.layers.Reshape((SIZE, SIZE, 1))(values))


def own_discriminator(last=None, *, classes=None):
    images = keras.Input((SIZE, SIZE, 1))
    inputs, found = images, keras.layers.Flatten()(images)
    found = keras.layers.Dense(4, activation="relu", name="first")(found)
    if classes:
        labels = keras.Input((), dtype="int32")
        inputs = [images, labels]
        found = keras.layers.Concatenate()([found, keras.layers.Embedding(classes, 2)(labels)])
    return keras.Model(inputs, keras.layers.Dense(1, activation=last)(found))


def own_gan(classes=None, *, generator=None, discriminator=None, compiled=True, **options):
    keras.utils.set_random_seed(0)
    gan = kgan.models.GAN(
        generator or own_generator(classes=classes),
        discriminator or own_discriminator(classes=classes),
        num_classes=classes,
        **options,
    )
    if compiled:
        gan.compile(g_optimizer=keras.optimizers.SGD(0.1), d_optimizer=keras.optimizers.SGD(0.1))
    return gan


def own_vae(classes=None):
    keras.utils.set_random_seed(0)
    shape = (8, 8, 1)
    vae = kgan.models.VAE(
        kgan.networks.dcgan_encoder(shape, LATENT, width=2, num_classes=classes),
        kgan.networks.dcgan_decoder(shape, LATENT, width=2, num_classes=classes),
        num_classes=classes,
    )
    vae.compile("sgd")
    return vae


def own_cyclegan():
    keras.utils.set_random_seed(0)

    def translator():
        images = keras.Input((SIZE, SIZE, 1))
        return keras.Model(images, keras.layers.Conv2D(1, 1, activation="sigmoid")(images))

    gan = kgan.models.CycleGAN(
        translator(), translator(), own_discriminator(), own_discriminator(), pool_size=0
    )
    gan.compile("sgd")
    return gan


def own_perturbation_gan():
    keras.utils.set_random_seed(0)
    images = keras.Input((SIZE, SIZE, 1))
    generator = keras.Model(images, keras.layers.Conv2D(1, 1, activation="tanh")(images))
    gan = kgan.models.PerturbationGAN(generator, own_discriminator())
    weight = tf.random.stateless_normal([SIZE * SIZE, 3], [0, 1])
    gan.set_victim(lambda images: tf.reshape(images, [-1, SIZE * SIZE]) @ weight)
    gan.compile("sgd")
    return gan


def pictures(n=8, size=SIZE):
    return np.random.default_rng(0).random((n, size, size, 1)).astype(np.float32)


def weights(model):
    return np.concatenate([weight.ravel() for weight in model.get_weights()])


def trained(model, *data, **options):
    model.fit(*data, batch_size=4, shuffle=False, verbose=0, **options)
    return weights(model)


# The range table: what a batch may hold, and what becomes of it.


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: x * 255, r"must be in \[0, 1\] .* got 0\.\d+ to 25\d\.\d+"),
        (lambda x: x * 2 - 1, r"must be in \[0, 1\] .* got -0\.\d+ to 0\.\d+"),
        (lambda x: np.where(x == x.max(), np.nan, x), "must be finite, got NaN or infinity"),
        (lambda x: np.where(x == x.max(), np.inf, x), "must be finite, got NaN or infinity"),
        (lambda x: (x * 255).astype(np.int64), "must be float32 .* got int64"),
        (lambda x: x[:, :2], r"shape \(4, 4, 1\), got \(2, 4, 1\)"),
    ],
    ids=["0..255", "-1..1", "nan", "inf", "int64", "shape"],
)
@pytest.mark.parametrize("form", slow_but(["array", "dataset"], "array"))
def test_images_of_another_range_type_or_shape_are_refused(change, said, form):
    data = np.asarray(change(pictures()))
    data = data.astype(np.float32) if data.dtype.kind == "f" else data
    gan = own_gan()
    before = weights(gan)
    given = data if form == "array" else tf.data.Dataset.from_tensor_slices(data).batch(8)
    with pytest.raises(ValueError, match=said):
        gan.fit(given, verbose=0, shuffle=False)
    np.testing.assert_array_equal(weights(gan), before)


def test_an_array_is_refused_before_the_first_step():
    """The last of many rows is NaN: no step is made, where a data set would train up to it."""
    data = pictures(40)
    data[-1, 0, 0, 0] = np.nan
    gan = own_gan()
    with pytest.raises(ValueError, match="finite"):
        gan.fit(data, batch_size=4, shuffle=False, verbose=0)
    assert int(gan.step.numpy()) == 0


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (own_vae, lambda: (pictures(size=8) * 255,)),
        (own_cyclegan, lambda: (pictures(), pictures() * 255)),
        (own_perturbation_gan, lambda: (pictures() * 255,)),
    ],
    ids=["vae", "cyclegan", "perturbation_gan"],
)
def test_every_model_of_images_refuses_another_range(make, data):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        make().fit(*data(), verbose=0, shuffle=False)


def test_points_have_no_range_and_must_be_finite():
    points = np.array([[300.0, -5.0]], np.float32)
    found = samples_of(points, (2,), Points(2), what="samples", whose="their")
    np.testing.assert_array_equal(found, points)
    with pytest.raises(ValueError, match="samples must be finite"):
        samples_of(points * np.nan, (2,), Points(2), what="samples", whose="their")


def test_xla_which_leaves_assertions_out_refuses_all_the_same():
    gan = own_gan(compiled=False)
    gan.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match=r"must be in \[0, 1\]"):
        gan.fit(
            tf.data.Dataset.from_tensor_slices(pictures() * 255).batch(8), verbose=0, shuffle=False
        )


# The type table


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floats_become_float32(dtype):
    values = tf.constant([[0.25, 1.0], [0.5, 0.0]], dtype)
    found = samples_of(values, (2,), Points(2), what="samples", whose="their")
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, [[0.25, 1.0], [0.5, 0.0]])


def test_uint8_images_are_the_floats_that_they_stand_for():
    data = np.arange(8 * SIZE * SIZE).astype(np.uint8).reshape(8, SIZE, SIZE, 1)
    floats = data.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(trained(own_gan(), data), trained(own_gan(), floats))
    with pytest.raises(ValueError, match="must be float32, got uint8"):
        samples_of(data.reshape(8, -1), (16,), Points(16), what="points", whose="their")


@pytest.mark.parametrize("form", slow_but(["array", "dataset"], "dataset"))
def test_float64_trains_as_float32(form):
    data = pictures().astype(np.float64)
    wanted = trained(own_gan(), pictures())
    if form == "array":
        found = trained(own_gan(), data)
    else:
        gan = own_gan()
        gan.fit(tf.data.Dataset.from_tensor_slices(data).batch(4), verbose=0, shuffle=False)
        found = weights(gan)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("floatx", ["float16", "float64"])
def test_another_floatx_trains(floatx):
    before = keras.config.floatx()
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        gan = own_gan(penalties=[kgan.penalties.GradientPenalty(1.0)], compiled=False)
        gan.compile("sgd", auto_scale_loss=False)
        start = weights(gan)
        assert np.abs(trained(gan, pictures()) - start).max() > 0
        assert gan.generate(2).dtype == np.float32
    finally:
        keras.config.set_floatx(before)
        keras.config.set_dtype_policy(before)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("shape", [None, (None, None, None, 1)], ids=["rank", "sides"])
def test_unknown_shapes_are_those_of_the_network_or_an_error(shape):
    def data(images):
        kind = tf.TensorSpec(shape, tf.float32)
        return tf.data.Dataset.from_generator(lambda: iter([images]), output_signature=kind)

    gan = own_gan()
    gan.fit(data(pictures(4)), verbose=0, shuffle=False)
    wanted = trained(own_gan(), pictures(4))
    np.testing.assert_array_equal(weights(gan), wanted)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"4,4,1|4, 4, 1"):
        own_gan().fit(data(pictures(4, size=5)), verbose=0, shuffle=False)


def test_a_shape_that_does_not_fit_names_ensure_shape():
    unknown = tf.data.Dataset.from_tensors(np.zeros((2, 4, 4, 3), np.float32))
    with pytest.raises(ValueError, match=r"tf\.ensure_shape"):
        own_gan().fit(unknown, verbose=0, shuffle=False)
    single = tf.data.Dataset.from_tensor_slices(pictures(2))
    with pytest.raises(ValueError, match=r"in batches, .*dataset\.batch"):
        own_gan().fit(single, verbose=0, shuffle=False)


POLICIES = ["mixed_float16", "mixed_bfloat16"]


def one_penalty(name):
    return [kgan.penalties.get(name, 1.0)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", kgan.penalties.PENALTIES)
def test_own_networks_train_in_mixed_precision_under_every_penalty(policy, name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        gan = own_gan(loss="wasserstein", penalties=one_penalty(name))
    finally:
        keras.config.set_dtype_policy(before)
    start = weights(gan)
    logs = gan.train_step(tf.constant(pictures()))
    assert np.isfinite([float(value) for value in logs.values()]).all()
    assert np.abs(weights(gan) - start).max() > 0
    scaled = isinstance(gan.d_optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")


@pytest.mark.slow
@pytest.mark.parametrize("make", [own_cyclegan, own_perturbation_gan])
def test_other_models_of_own_networks_train_in_float16(make):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = make()
    finally:
        keras.config.set_dtype_policy(before)
    start = weights(model)
    data = (pictures(), pictures()) if make is own_cyclegan else (pictures(),)
    assert np.abs(trained(model, *data) - start).max() > 0


# The label table

LABELS = np.array([0, 1, 2, 1], np.int64)


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS.astype(np.uint8),
        LABELS.astype(np.float64),
        LABELS[:, None],
        np.eye(3)[LABELS],
        np.eye(3, dtype=bool)[LABELS],
    ],
    ids=["int64", "uint8", "whole floats", "column", "one-hot", "one-hot bools"],
)
def test_labels_in_every_form_are_the_same_classes(labels):
    np.testing.assert_array_equal(labels_of(labels, 3), LABELS)
    found = tf.function(lambda given: labels_of(given, 3), reduce_retracing=True)(labels)
    np.testing.assert_array_equal(found, LABELS)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([1, 2, 3, 1], r"must be in \[0, 2\], counted from 0, got 1 to 3"),
        ([0, -1, 2, 1], r"must be in \[0, 2\], counted from 0, got -1 to 2"),
        ([0.0, 0.5, 2.0, 1.0], r"must be whole numbers, got \[0\.  0\.5"),
        ([0.0, np.nan, 2.0, 1.0], "must be whole numbers"),
        (np.full((4, 3), 1 / 3), "3 columns must be one-hot rows"),
        (np.zeros((4, 3)), "3 columns must be one-hot rows"),
        (np.eye(4), r"class numbers \(batch,\) or one-hot rows \(batch, 3\), got the shape"),
        (np.zeros((4, 3, 1)), "got the shape"),
        (np.array(["a", "b", "a", "b"]), "got string"),
    ],
    ids=["1..N", "-1", "fraction", "nan", "soft", "none", "wide", "map", "names"],
)
def test_labels_of_no_class_are_refused(labels, said):
    with pytest.raises(ValueError, match=said):
        labels_of(np.asarray(labels), 3)


@pytest.mark.parametrize("form", slow_but(["array", "dataset"], "dataset"))
@pytest.mark.parametrize("make", slow_but([own_gan, own_vae], own_gan))
def test_conditional_models_refuse_them_in_fit(make, form):
    data = pictures(4, size=8 if make is own_vae else SIZE), np.array([1, 2, 3, 1])
    given = data if form == "array" else (tf.data.Dataset.from_tensors(data),)
    with pytest.raises(ValueError, match=r"labels must be in \[0, 2\], counted from 0, got 1 to 3"):
        make(3).fit(*given, verbose=0, shuffle=False)


@pytest.mark.slow
def test_one_hot_labels_train_as_numbers():
    wanted = trained(own_gan(3), pictures(4), LABELS)
    np.testing.assert_array_equal(trained(own_gan(3), pictures(4), np.eye(3)[LABELS]), wanted)


def test_a_label_that_the_victim_has_not_is_refused():
    gan = own_perturbation_gan()
    gan.fit(pictures(4), LABELS, verbose=0, shuffle=False)
    with pytest.raises(ValueError, match="labels must be the victim's classes, got"):
        own_perturbation_gan().fit(pictures(4), LABELS + 1, verbose=0, shuffle=False)


def test_labels_of_requests_are_whole_numbers_of_classes():
    gan = own_gan(3)
    for labels, said in (([0.5], "whole numbers"), ([3], r"\[0, 2\]"), ([-1], r"\[0, 2\]")):
        with pytest.raises(ValueError, match=said):
            gan.generate(1, labels=labels)
        with pytest.raises(ValueError, match=said):
            gan.decode(np.zeros((1, LATENT), np.float32), labels)
    one_hot = np.eye(3)[[2, 0]]
    np.testing.assert_array_equal(gan.generate(2, one_hot), gan.generate(2, [2, 0]))


def test_labels_of_a_model_without_classes_are_told_to_be_unused():
    with pytest.warns(UserWarning, match="labels are not used: this GAN has no classes"):
        found = trained(own_gan(), pictures(4), LABELS)
    np.testing.assert_array_equal(found, trained(own_gan(), pictures(4)))


# Weights, records, validation


@pytest.mark.parametrize(
    "options",
    [{"class_weight": {0: 2.0, 1: 0.0, 2: 1.0}}, {"sample_weight": np.zeros(8, np.float32)}],
    ids=["class_weight", "sample_weight"],
)
def test_weights_are_refused_whatever_the_labels(options):
    with pytest.raises(ValueError, match="sample_weight and class_weight must be left out: a GAN"):
        own_gan(3).fit(pictures(), np.arange(8) % 3, verbose=0, shuffle=False, **options)


@pytest.mark.parametrize("form", [list, tuple])
def test_samples_and_labels_in_one_list_are_told_apart_by_the_caller(form):
    together = form([pictures(), np.arange(8) % 3])
    with pytest.raises(ValueError, match=r"samples must be one array .* got a \w+ of 2: call fit"):
        own_gan(3).fit(together, verbose=0)


def test_labels_in_a_dict_are_named():
    data = tf.data.Dataset.from_tensor_slices((pictures(), {"label": np.arange(8) % 3})).batch(4)
    with pytest.raises(ValueError, match="labels must be one array or tensor, got a dict of label"):
        own_gan(3).fit(data, verbose=0, shuffle=False)


def test_a_whole_number_of_samples_may_be_a_float():
    np.testing.assert_array_equal(own_gan().generate(2.0), own_gan().generate(2))


@pytest.mark.parametrize("given", ["r1", ["r1"], kgan.penalties.R1(1.0)])
def test_penalties_are_a_list_of_penalties(given):
    with pytest.raises(TypeError, match=r"penalties must be a list such as .* got .*(r1|R1)"):
        own_gan(penalties=given)


def test_hdf5_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.keras for a GAN, got .*gan\.h5"):
        own_gan().save(tmp_path / "gan.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("make", "data"),
    [
        (own_gan, lambda: (pictures(), None)),
        (own_vae, lambda: (pictures(size=8), None)),
        (own_cyclegan, lambda: (pictures(), pictures())),
        (own_perturbation_gan, lambda: (pictures(), np.zeros(8, int))),
        (lambda: build_table(eager=False), lambda: (dict(people(12).samples.columns), None)),
    ],
    ids=["gan", "vae", "cyclegan", "perturbation_gan", "table_gan"],
)
def test_weights_in_a_data_set_are_refused_by_every_model(make, data):
    model = make()
    with pytest.raises(ValueError, match="sample_weight and class_weight must be left out"):
        model.train_on_batch(*data(), sample_weight=np.ones(8, np.float32))


def test_records_as_tensorflow_datasets_gives_them():
    images, labels = pictures(), np.arange(8) % 3
    records = {"image": images, "label": labels, "id": labels}
    data = tf.data.Dataset.from_tensor_slices(records).batch(4)
    for classes, plain in ((3, (images, labels)), (None, (images,))):
        gan = own_gan(classes)
        gan.fit(data, verbose=0, shuffle=False)
        np.testing.assert_array_equal(weights(gan), trained(own_gan(classes), *plain))
    with pytest.raises(ValueError, match=r"samples under image, .* got picture"):
        own_gan().fit(tf.data.Dataset.from_tensors({"picture": images}), verbose=0, shuffle=False)


def test_held_out_data_is_refused_where_there_are_no_losses_of_it():
    for model in (own_perturbation_gan(), build_table(eager=False)):
        with pytest.raises(ValueError, match="no losses of held-out data"):
            model.test_step(None)


# Networks


def activated(how):
    inputs = keras.Input((4,))
    return keras.Model(inputs, how(keras.layers.Dense(1)(inputs)))


@pytest.mark.parametrize(
    ("how", "name"),
    [
        (lambda x: x, None),
        (keras.layers.Activation("sigmoid"), "sigmoid"),
        (lambda x: keras.layers.Reshape(())(keras.layers.Activation("sigmoid")(x)), "sigmoid"),
        (keras.ops.sigmoid, "sigmoid"),
        (keras.layers.Softmax(), "softmax"),
        (keras.layers.Dense(2, activation="tanh"), "tanh"),
        (lambda x: activated(lambda y: y)(keras.layers.Dense(4)(x)), None),
        (keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")]), "sigmoid"),
        (lambda x: keras.layers.Activation("linear")(keras.ops.tanh(x)), "tanh"),
        (lambda x: keras.layers.Rescaling(0.5, 0.5)(keras.ops.tanh(x)), "rescaling"),
    ],
    ids=[*("dense", "layer", "reshaped", "function", "softmax", "argument", "nested"),
         *("nested sigmoid", "linear after", "rescaled")],
)  # fmt: skip
def test_the_last_activation_is_found(how, name):
    assert last_activation(activated(how)) == name


@pytest.mark.parametrize("last", ["tanh", "relu", "softplus", "hard_tanh", "hard_sigmoid"])
@pytest.mark.parametrize("how", ["argument", "layer"])
def test_an_activation_that_gives_no_large_logit_is_refused(last, how):
    judge = own_discriminator(last if how == "argument" else None)
    if how == "layer":
        activation = keras.layers.Activation(last)
        layer = keras.layers.ReLU() if last == "relu" else activation
        judge = keras.Model(judge.inputs, layer(judge.output))
    with pytest.raises(ValueError, match=r"must give logits, and its last activation is .*, which"):
        check_logits("discriminator", judge)


@pytest.mark.parametrize("last", [None, "linear", "leaky_relu"])
def test_an_activation_that_gives_any_logit_is_taken(last):
    check_logits("discriminator", own_discriminator(last))


def test_every_network_of_ours_gives_logits_or_images():
    for name, pair in kgan.networks.NETWORKS.items():
        shape = (2,) if name.startswith("mlp") else (8, 8, 1)
        gan = kgan.models.GAN(
            pair.generator(shape, LATENT, width=2), pair.discriminator(shape, width=2)
        )
        gan.compile("sgd")
        gan._check_players()


def test_probabilities_for_logits_and_signed_images_are_refused():
    with pytest.raises(ValueError, match=r"discriminator must give logits, .* is sigmoid"):
        own_gan(discriminator=own_discriminator("sigmoid")).fit(
            pictures(), verbose=0, shuffle=False
        )
    tanh = own_gan(generator=own_generator("tanh"))
    with pytest.raises(ValueError, match=r"generator must give images in \[0, 1\].* is tanh"):
        tanh.fit(pictures(), verbose=0, shuffle=False)
    with pytest.warns(UserWarning, match=r"images of this GAN must be in \[0, 1\]"):
        assert tanh.generate(8).min() < 0
    cycle = own_cyclegan()
    cycle.discriminator_b = own_discriminator("sigmoid")
    with pytest.raises(ValueError, match=r"d_optimizer must be built|discriminator_b must give"):
        cycle.fit(pictures(), pictures(), verbose=0, shuffle=False)


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_a_player_that_is_frozen_whole_is_refused(player):
    gan = own_gan(compiled=False)
    getattr(gan, player).trainable = False
    gan.compile("sgd")
    with pytest.raises(ValueError, match=f"{player} must have something to train, got only what"):
        gan.fit(pictures(), verbose=0, shuffle=False)


def test_layers_frozen_between_two_fits_are_frozen_in_the_second():
    gan = own_gan()
    gan.fit(pictures(), verbose=0, shuffle=False)
    first = gan.discriminator.get_layer("first")
    first.trainable = False
    before, all_before = first.get_weights(), weights(gan)
    gan.fit(pictures(), verbose=0, shuffle=False)
    for old, new in zip(before, first.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert np.abs(weights(gan) - all_before).max() > 0


def test_what_is_unfrozen_wants_to_be_compiled():
    gan = own_gan(compiled=False)
    first = gan.discriminator.get_layer("first")
    first.trainable = False
    gan.compile("sgd")
    first.trainable = True
    with pytest.raises(ValueError, match="was frozen when compile was called: compile again"):
        gan.fit(pictures(), verbose=0, shuffle=False)


def test_images_are_the_kind_that_decides():
    assert isinstance(own_gan()._known_kind(), Images)


@pytest.mark.parametrize("by_name", [False, True], ids=["x", "x="])
@pytest.mark.parametrize("hardening", [False, True], ids=["gan", "hardening"])
def test_a_data_set_that_was_not_made_batches_is_told_how(hardening, by_name):
    model = own_gan()
    if hardening:
        layers = [keras.Input((SIZE, SIZE, 1)), keras.layers.Flatten(), keras.layers.Dense(2)]
        model = kgan.defenses.AdversarialTraining(keras.Sequential(layers), epsilon=0.1)
        model.compile("adam")
    data = kgan.data.Dataset("mine", np.zeros((4, SIZE, SIZE, 1), np.float32))
    with pytest.raises(TypeError, match=r"got rows: Dataset\('mine'.*kgan\.data\.feed\("):
        model.fit(x=data) if by_name else model.fit(data)


@pytest.mark.parametrize("hardening", [False, True])
def test_what_is_not_compiled_is_told_how(hardening, tmp_path):
    x, y = pictures(), np.zeros(8, np.int32)
    if hardening:
        model = kgan.defenses.AdversarialTraining(own_discriminator(), epsilon=0.1)
        call = r"compile\(optimizer, loss\)"
    else:
        model = own_gan(compiled=False)
        call = r'compile\(g_optimizer="adam", d_optimizer="adam"\), or compile\("adam"\) for a copy'
        own_gan().save(tmp_path / "gan.keras")
        loaded = keras.saving.load_model(tmp_path / "gan.keras", compile=False)
        with pytest.raises(ValueError, match=call):
            loaded.fit(x)
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=f"before {method}, also on .*: {call}"):
            getattr(model, method)(x, y)


def test_a_data_set_without_batches_is_told_after_other_data_too():
    gan = own_gan(2)
    x, y = pictures(), np.arange(8, dtype=np.int32) % 2
    data = tf.data.Dataset.from_tensor_slices((x, y))
    said = r"samples must come in batches.*dataset\.batch\(batch_size\)"
    gan.fit(x, y, batch_size=4, verbose=0)
    gan.fit(data.batch(3), verbose=0, shuffle=False)
    with pytest.raises(ValueError, match=said):
        gan.fit(data, verbose=0, shuffle=False)
    with pytest.raises(ValueError, match=said):
        own_gan(2).fit(data, verbose=0, shuffle=False)
