import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import kgan.data
from kgan.attacks import FGSM, PGD, Attack, AutoAttackResult, RandomNoise, Result
from kgan.robustness import corrupt
from kgan.robustness.evaluation import evaluate
from kgan.robustness.markdown import markdown
from kgan.robustness.report import CHANGE_NORMS, Report

SHAPE = (3, 3, 1)


class Scripted(Attack):
    """Adds `change` to the images whose index is in `fools`."""

    norms = ("linf", "l2", "l1")

    def __init__(self, epsilon=None, *, fools=(), change=0.1, norm="linf", minimal=False, seed=0):
        self.epsilon, self.fools, self.change = epsilon, tuple(fools), change
        self.norm, self.minimal, self.seed = norm, minimal, seed
        self.runs = []

    def run(self, model, images, labels=None, *, indices=None, **_):
        SEEN.append((self.epsilon, tuple(indices)))
        success = np.isin(indices, self.fools)
        change = self.change * success.reshape(-1, 1, 1, 1)
        return Result((images + change).astype("float32"), success, labels)


SEEN = []


@pytest.fixture(autouse=True)
def _forget():
    SEEN.clear()


@pytest.fixture(scope="module")
def linear():
    """Two classes, parted by x.w + b = 0, and images whose linf distance is |x.w + b| / |w|_1."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=9).astype("float32")
    images = generator.uniform(0.4, 0.6, size=(50, *SHAPE)).astype("float32")
    bias = -float(np.median(images.reshape(50, 9) @ weights))
    layer = keras.layers.Dense(2)
    model = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), layer])
    layer.set_weights([np.stack([0 * weights, weights], axis=1), np.array([0, bias], "float32")])
    score = images.reshape(50, 9) @ weights + bias
    return model, images, (score > 0).astype("int32"), np.abs(score) / np.abs(weights).sum()


def test_robust_accuracy_of_a_linear_model_is_the_share_farther_than_epsilon(linear):
    model, images, labels, distances = linear
    epsilons = [0.0, *np.quantile(distances, [0.24, 0.5, 0.77]).tolist(), 0.3]
    report = evaluate(model, images, labels, attacks=[FGSM()], epsilons=epsilons, batch_size=7)
    expected = [float(np.mean(distances > epsilon)) for epsilon in epsilons]
    assert expected[0] == 1.0
    assert expected[-1] == 0.0
    for rows in (report.rows, report.worst_case):
        assert [row.robust_accuracy for row in rows] == pytest.approx(expected)
        assert [row.epsilon for row in rows] == pytest.approx(epsilons)
    assert report.curves["FGSM"].robust_accuracy == pytest.approx(expected)


def test_a_minimal_attack_runs_once_and_gives_its_whole_curve(linear):
    model, images, labels, _ = linear
    change = np.linspace(0.01, 0.5, 50).reshape(-1, 1, 1, 1)
    attack = Scripted(fools=range(50), change=change, minimal=True)
    report = evaluate(
        model, images, labels, attacks=[attack], epsilons=[0.1, 0.25], find_masking=False
    )
    assert len(SEEN) == 1
    sizes = np.linspace(0.01, 0.5, 50).astype("float32")
    assert [row.epsilon for row in report.rows] == [0.1, 0.25, None]
    expected = [float(np.mean(sizes > 0.1)), float(np.mean(sizes > 0.25)), 0.0]
    assert [row.robust_accuracy for row in report.rows] == pytest.approx(expected)
    curve = report.curves["Scripted"]
    assert len(curve.epsilon) > 100
    for epsilon, accuracy in zip(curve.epsilon, curve.robust_accuracy, strict=True):
        assert accuracy == pytest.approx(np.mean(sizes > epsilon), abs=0.021)


def test_the_worst_case_is_the_union_and_grows_with_epsilon(linear):
    model, images, labels, _ = linear
    one, two = Scripted(0.2, fools=range(10)), Scripted(0.2, fools=range(5, 30))
    report = evaluate(model, images, labels, attacks=[one, two], find_masking=False)
    assert [row.robust_accuracy for row in report.rows] == [0.8, 0.5]
    assert report.worst_case[0].robust_accuracy == pytest.approx(0.4)
    assert report.lowest == pytest.approx(0.4)
    assert [row.attack for row in report.rows] == ["Scripted", "Scripted 2"]
    # What the smaller ball holds, the larger one holds too.
    only_small = [FGSM(), Scripted(fools=range(10), change=0.05, minimal=True)]
    report = evaluate(model, images, labels, attacks=only_small, epsilons=[0.01, 0.05, 0.3])
    worst = [row.robust_accuracy for row in report.worst_case]
    assert worst == sorted(worst, reverse=True)
    curve = report.curves["worst case"]
    assert curve.robust_accuracy == sorted(curve.robust_accuracy, reverse=True)
    at = dict(zip(curve.epsilon, curve.robust_accuracy, strict=True))
    assert [at[row.epsilon] for row in report.worst_case] == worst


def test_images_that_were_wrong_count_against_accuracy_and_not_as_success(linear):
    model, images, labels, _ = linear
    wrong = labels.copy()
    wrong[:10] = 1 - wrong[:10]
    attack = Scripted(0.2, fools=range(5, 20))
    report = evaluate(model, images, wrong, attacks=[attack], find_masking=False)
    assert report.clean.robust_accuracy == pytest.approx(0.8)
    assert report.rows[0].robust_accuracy == pytest.approx(0.6)
    assert report.rows[0].success_rate == pytest.approx(10 / 40)
    robust = np.arange(50) >= 20
    expected = [robust[wrong == label].mean() for label in (0, 1)]
    assert report.rows[0].per_class == pytest.approx(expected)


def test_the_change_is_measured_in_four_norms(linear):
    model, images, labels, _ = linear
    change = np.zeros((50, *SHAPE))
    change[0, 0, :2] = 0.1
    change[1, 0, :1] = 0.2
    change[2, :, :] = 0.05
    attack = Scripted(0.2, fools=[0, 1, 2], change=change)
    (row,) = evaluate(model, images, labels, attacks=[attack], find_masking=False).rows
    sizes = {
        "l0": [2, 1, 9],
        "l1": [0.2, 0.2, 0.45],
        "l2": [0.02**0.5, 0.2, 0.15],
        "linf": [0.1, 0.2, 0.05],
    }
    for norm in CHANGE_NORMS:
        assert row.changes[norm].mean == pytest.approx(np.mean(sizes[norm]), rel=1e-5)
        assert row.changes[norm].median == pytest.approx(np.median(sizes[norm]), rel=1e-5)


def test_a_result_outside_the_ball_does_not_count(linear):
    model, images, labels, _ = linear
    attack = Scripted(0.1, fools=range(50), change=0.11)
    report = evaluate(model, images, labels, attacks=[attack], find_masking=False)
    assert report.rows[0].robust_accuracy == 1.0
    assert any("50 results of Scripted at 0.1 lie outside" in text for text in report.assumptions)
    attack = Scripted(0.1, fools=range(50), change=0.1)
    report = evaluate(model, images, labels, attacks=[attack], find_masking=False)
    assert report.rows[0].robust_accuracy == 0.0
    assert not any("outside" in text for text in report.assumptions)


def test_a_minimal_attack_of_another_norm_is_judged_in_the_reports_norm(linear):
    model, images, labels, _ = linear
    attack = Scripted(fools=range(50), change=0.1, norm="l2", minimal=True)  # l2: 0.3
    settings = {"attacks": [FGSM(), attack], "epsilons": [0.05, 0.15], "find_masking": False}
    report = evaluate(model, images, labels, **settings)
    assert report.norm == "linf"
    assert [r.robust_accuracy for r in report.rows if r.attack == "Scripted"] == [1.0, 0.0, 0.0]
    assert any("Scripted looks for small changes in l2" in text for text in report.assumptions)


def figures(report):
    rows = [report.clean, *report.rows, *report.worst_case]
    return [(r.attack, r.epsilon, r.robust_accuracy, r.success_rate, r.changes) for r in rows]


def test_the_figures_do_not_depend_on_chunks_streams_or_dtypes(model, some):
    images, labels = some
    images = np.round(images * 255).astype("uint8")
    attacks = [RandomNoise(), PGD(steps=5)]
    settings = {"attacks": attacks, "epsilons": [0.1, 0.3], "find_masking": False}
    expected = figures(evaluate(model, images, labels, **settings))
    scaled = images.astype("float32") / np.float32(255)
    assert figures(evaluate(model, scaled, np.eye(10)[labels], **settings)) == expected
    stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(5)
    for again in (
        evaluate(model, images, labels, batch_size=4, **settings),
        evaluate(model, stream, batch_size=3, **settings),
    ):
        for row, other in zip(figures(again), expected, strict=True):
            assert row[:4] == other[:4]
            for norm, change in row[4].items():
                assert change.mean == pytest.approx(other[4][norm].mean, rel=0.02)


def test_data_that_cannot_be_gone_through_is_refused(model, some):
    images, labels = some
    stream = tf.data.Dataset.from_tensor_slices((images, labels)).batch(5)
    for data, message in (
        (stream.repeat(), r"must end, and this one repeats"),
        (iter(stream), "must be an array or a tf.data.Dataset .*Iterator"),
        (np.full_like(images, np.nan), "images must be numbers, got NaN for"),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate(model, data, attacks=[PGD()], epsilons=[0.1], find_masking=False)


def test_a_sweep_does_not_trace_again(some):
    images, labels = some
    traces = []

    class Watching(keras.layers.Layer):
        def call(self, inputs):
            # Of a model with layers of the user's own, answers are compared at each run.
            if not tf.executing_eagerly():
                traces.append(inputs.shape)
            return inputs

    model = keras.Sequential(
        [keras.Input((8, 8, 1)), Watching(), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    attacks = [FGSM(), PGD(steps=3)]
    evaluate(model, images, labels, attacks=attacks, epsilons=[0.1], find_masking=False)
    before = len(traces)
    evaluate(model, images, labels, attacks=attacks, epsilons=[0.2, 0.3, 0.4], find_masking=False)
    assert len(traces) == before


def test_what_is_kept_is_not_done_again(linear, tmp_path):
    model, images, labels, _ = linear
    settings = {"epsilons": [0.1, 0.2], "batch_size": 5, "find_masking": False, "keep": tmp_path}

    def go(model=model, labels=labels, **changes):
        SEEN.clear()
        return evaluate(
            model, images, labels, attacks=[Scripted(0.1, fools=[3], **changes)], **settings
        )

    expected = figures(go())
    assert len(SEEN) == 2 * 3  # Two epsilons, and chunks of 20, 20 and 10 images.
    assert figures(go()) == expected
    assert SEEN == []
    # One result lost, and one cut short.
    lost, cut, *_ = sorted(tmp_path.glob("*.npz"))
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:100])
    assert figures(go()) == expected
    assert len(SEEN) == 2
    # Anything that changes the result makes it new.
    go(change=0.05)
    assert len(SEEN) == 6
    go(labels=1 - labels)
    assert len(SEEN) == 6
    twin = keras.models.clone_model(model)
    go(model=twin)
    assert len(SEEN) == 6


def test_interrupted_in_the_middle_it_goes_on_from_there(linear, tmp_path):
    model, images, labels, _ = linear
    settings = {"attacks": [Scripted(0.1)], "epsilons": [0.1, 0.2], "batch_size": 5}
    settings |= {"keep": tmp_path, "find_masking": False}

    def stop(done, total, what):
        assert total == 100
        if done >= 40:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(model, images, labels, progress=stop, **settings)
    done = len(SEEN)
    assert 0 < done < 6
    evaluate(model, images, labels, **settings)
    assert len(SEEN) == 6


def test_a_report_survives_json(linear, tmp_path):
    model, images, labels, _ = linear
    attacks = [FGSM(), Scripted(fools=range(3), minimal=True)]
    report = evaluate(model, images, labels, attacks=attacks, epsilons=[0.1])
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["rows"][0]["robust_accuracy"] == report.rows[0].robust_accuracy
    assert content["attacks"]["FGSM"]["norm"] == "linf"


def test_a_binary_classifier_and_one_without_labels(linear):
    _, images, _, distances = linear
    model, *_ = linear
    weights, bias = model.get_weights()
    layer = keras.layers.Dense(1, activation="sigmoid")
    binary = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), layer])
    layer.set_weights([weights[:, 1:], bias[1:]])
    report = evaluate(binary, images, attacks=[FGSM()], epsilons=[0.05])
    assert report.clean.robust_accuracy == 1.0
    assert report.rows[0].robust_accuracy == pytest.approx(np.mean(distances > 0.05))
    assert any("own predictions" in text for text in report.assumptions)
    assert any("sigmoid" in text for text in report.assumptions)


def test_examples_show_what_the_model_says(linear):
    model, images, labels, distances = linear
    epsilons = [0.0, float(distances.max() + 0.01)]
    report = evaluate(model, images, labels, attacks=[FGSM()], epsilons=epsilons)
    shown = report.examples
    assert shown.epsilon == {"FGSM": epsilons[1]}
    assert len(shown.images) == 8
    np.testing.assert_array_equal(shown.predicted["FGSM"], 1 - shown.labels)
    logits = model(shown.adversarial["FGSM"])
    expected = tf.reduce_max(tf.nn.softmax(logits), axis=1)
    np.testing.assert_allclose(shown.predicted_confidence["FGSM"], expected, rtol=1e-4)


def test_guessing_is_pointed_out(linear):
    model, images, labels, _ = linear
    report = evaluate(model, images, 1 - labels, attacks=[FGSM()], epsilons=[0.1])
    assert any("close to guessing" in text for text in report.assumptions)
    assert report.rows[0].success_rate is None


def test_errors_name_the_remedy(linear):
    model, images, labels, _ = linear
    with pytest.raises(ValueError, match="must not be empty"):
        evaluate(model, images, labels, attacks=[])
    with pytest.raises(TypeError, match="such as kgan"):
        evaluate(model, images, labels, attacks=["pgd"])
    with pytest.raises(ValueError, match=r"Did you mean 8/255\?"):
        evaluate(model, images, labels, attacks=[FGSM()], epsilons=[8])
    with pytest.raises(ValueError, match="one report for each norm"):
        evaluate(model, images, labels, attacks=[FGSM(), PGD(1.0, norm="l2")])
    with pytest.raises(ValueError, match="labels must be 50"):
        evaluate(model, images, labels[:10], attacks=[FGSM()])
    with pytest.raises(ValueError, match="images must not be empty"):
        evaluate(model, images[:0], labels[:0], attacks=[FGSM()])
    with pytest.raises(TypeError, match=r"must be a keras\.Model"):
        evaluate("my.keras", images, attacks=[FGSM()])


def test_arguments_of_another_form_are_told(linear):
    model, images, labels, _ = linear
    for options, error, said in (
        ({"attacks": FGSM(0.1)}, TypeError, r"must be a list of attacks, got one alone: \[FGSM"),
        ({"epsilons": 0.1}, ValueError, r"epsilons must be a list of radii, .* got 0\.1"),
        ({"class_names": ["a", "b", "c"]}, ValueError, "class_names must be at most 2, .* got 3"),
    ):
        with pytest.raises(error, match=said):
            evaluate(model, images, labels, **{"attacks": [FGSM(0.1)], **options})
    data = kgan.data.load("digits")
    with pytest.raises(ValueError, match=r"an array or a tf\.data\.Dataset .* got Dataset"):
        evaluate(model, data, attacks=[FGSM(0.1)])
    with pytest.raises(ValueError, match=r"indices must have the shape \(1,\), got \(2,\)"):
        corrupt(np.zeros((1, 8, 8, 1)), "fog", 1, indices=[0, 1])


def test_what_an_attack_warns_of_is_in_the_report_and_kept(linear, tmp_path):
    model, images, labels, _ = linear

    class Doubtful(Scripted):
        def run(self, *arguments, **how):
            result = super().run(*arguments, **how)
            return AutoAttackResult(
                result.adversarial, result.success, result.labels, {}, {}, ("few classes",)
            )

    for _ in range(2):  # The second time from the files of the first.
        report = evaluate(
            model, images, labels, attacks=[Doubtful(0.1)], epsilons=[0.1], batch_size=4,
            keep=tmp_path, find_masking=False,
        )  # fmt: skip
        warned = [text for text in report.assumptions if text.startswith("WARNING")]
        assert warned == ["WARNING: Doubtful at 0.1: few classes"]
    # 50 images in chunks of 16, once.
    assert len(SEEN) == 4
    assert "- WARNING: Doubtful at 0.1: few classes" in markdown(report)
