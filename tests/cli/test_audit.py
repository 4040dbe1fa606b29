"""`kgan audit` on the record of a run, which is all that it needs of one."""

import dataclasses
import json

import pytest

import kgan.cli
from kgan.runs.run import Run
from kgan.settings import GANSettings
from kgan.settings.table import TableSettings

# A promise so weak that no luck of the guesses refutes it.
PRIVATE = GANSettings(
    penalty=(),
    epsilon=1000.0,
    noise=0.4,
    delta=1e-6,
    batch_size=5_000,
    epochs=1,
    steps_per_epoch=3,
    # Of which an audit may ask for a part.
    steps_per_execution=3,
    conditional=False,
    networks="mlp",
    data="ring",
    latent_dim=2,
    generator_width=4,
    discriminator_width=4,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run.new(tmp_path_factory.mktemp("runs"), "private", PRIVATE).folder


@pytest.fixture(scope="module")
def table_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    path = folder / "few.csv"
    path.write_text("age,sex\n" + "".join(f"{i % 90},{'fm'[i % 2]}\n" for i in range(100)))
    declared = {
        "age": {"type": "integer", "low": 0, "high": 100},
        "sex": {"type": "category", "values": ["f", "m"]},
    }
    path.with_suffix(".columns.json").write_text(json.dumps(declared))
    settings = TableSettings(
        data=str(path),
        held_out=0.0,
        packing=1,
        model="gan",
        epsilon=1000.0,
        counts_share=0.01,
        noise=0.4,
        delta=1e-6,
        batch_size=50,
        epochs=1,
        steps_per_epoch=3,
        generator_width=4,
        discriminator_width=4,
    )
    return Run.new(folder / "runs", "private", settings).folder


@pytest.mark.slow
def test_a_run_of_a_table(table_run, capsys):
    assert kgan.cli.main(["audit", str(table_run), "--canaries", "40", "--steps", "2"]) == 0
    written = json.loads((table_run / "audit.json").read_text())
    assert (written["promised"]["steps"], len(written["promised"]["released"])) == (2, 1)
    assert written["found"]["epsilon"] <= written["promised"]["epsilon"]
    assert "the promise was not refuted" in capsys.readouterr().out


@pytest.mark.parametrize("control", [False, True])
def test_it_compares_what_is_promised_with_what_is_found(run, control, capsys):
    flags = ["--control"] * control
    assert kgan.cli.main(["audit", str(run), "--canaries", "40", "--steps", "2", *flags]) == 0
    written = json.loads((run / "audit.json").read_text())
    assert written["promised"]["steps"] == 2
    assert written["promised"]["noise"] == 0.4
    assert (written["found"]["canaries"], written["found"]["guesses"]) == (40, 20)
    assert written["found"]["epsilon"] <= written["promised"]["epsilon"]
    assert written["control"] is control
    told = capsys.readouterr().out
    assert ("not refuted, so this audit would not notice" in told) is control
    assert ("the promise was not refuted" in told) is not control


def test_mistakes_are_named(run, tmp_path, capsys):
    assert kgan.cli.main(["audit", str(run), "--canaries", "10000000"]) == 2
    assert "canaries must be from 20 to half of the" in capsys.readouterr().err
    copula = Run.new(
        tmp_path, "copula", TableSettings(packing=1, epsilon=1.0, batch_size=10)
    ).folder
    assert kgan.cli.main(["audit", str(copula)]) == 2
    assert "is a copula, which has no discriminator" in capsys.readouterr().err
    open_run = dataclasses.replace(PRIVATE, epsilon=None, noise=None, delta=1e-5)
    folder = Run.new(tmp_path, "open", open_run).folder
    assert kgan.cli.main(["audit", str(folder)]) == 2
    assert "was trained without --epsilon: it promises nothing" in capsys.readouterr().err
