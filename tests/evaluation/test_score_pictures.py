"""Pictures of an evaluation."""

from kgan.evaluation.score_pictures import scores_of


def test_rates_and_losses_are_no_scores():
    first = {"epoch": 1.0, "step": 9.0, "seconds": 2.0, "d_loss": 1.0, "g_learning_rate": 0.1}
    second = {**first, "learning_rate": 0.1, "distance": 0.3, "fid": 2.0, "d_real": 0.5}
    assert scores_of([first, second]) == ["distance", "fid"]
