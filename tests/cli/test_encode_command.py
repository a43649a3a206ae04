"""`infoshed encode`, and columns of the file that stand beside z or predictions."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from command import Cli

from infoshed import fit, load, load_run
from own_files import people, write_pictures, write_table

COMMANDS = ("encode", "predict")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on people.csv."""
    folder = tmp_path_factory.mktemp("encode")
    data = load(str(write_table(folder / "people.csv", people())), target="income", attribute="sex")
    fit(data, "plain", epochs=2, dim=5, out=folder / "run")
    return folder / "run"


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_z_is_what_the_models_head_reads(run: Cli, trained: Path):
    write_table(Path("new.csv"), people(80, seed=5))
    assert run("encode", str(trained), "new.csv", "--out", "z.npy").out == "80 rows: z.npy\n"
    z = np.load("z.npy")
    assert (z.shape, z.dtype) == ((80, 5), np.float32)
    head = load_run(trained).model.head
    scores = z @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    guess = np.array(["high", "low"])[scores.argmax(1)]
    said = [row["prediction"] for row in cells(run("predict", str(trained), "new.csv").out)]
    assert guess.tolist() == said
    printed = cells(run("encode", str(trained), "new.csv").out)
    assert list(printed[0]) == ["z1", "z2", "z3", "z4", "z5"]
    np.testing.assert_allclose([[float(v) for v in row.values()] for row in printed], z, rtol=1e-6)


def test_z_goes_on_into_an_estimate(run: Cli, trained: Path):
    table = people(300, seed=6)
    write_table(Path("new.csv"), table)
    assert run("encode", str(trained), "new.csv", "--out", "z.npy").code == 0
    code, out, _ = run("mi", "z.npy", "new.csv:income", "--estimator", "quick")
    assert code == 0
    assert "income" in out


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_kept_columns_stand_first_as_they_are(run: Cli, trained: Path, command: str, suffix: str):
    table = people(80, seed=5) | {"code": [f"{i:03d}" for i in range(80)]}
    table["code"][7] = "NA"
    path = write_table(Path("new.csv"), table)
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame = pytest.importorskip("pandas").read_csv(path, dtype={"code": str}, na_filter=False)
        for name in ("hours", "age"):
            frame[name] = [float(v) if v else None for v in table[name]]
        frame.to_parquet("new.parquet")
    before = run(command, str(trained), f"new{suffix}").out
    code, out, _ = run(command, str(trained), f"new{suffix}", "--keep", "code, sex")
    assert code == 0
    found = cells(out)
    assert list(found[0])[:2] == ["code", "sex"]
    assert [row["code"] for row in found] == table["code"]
    assert [row["sex"] for row in found] == table["sex"]
    assert [line.split(",", 2)[2] for line in out.splitlines()] == before.splitlines()


@pytest.mark.parametrize("command", COMMANDS)
def test_pictures_that_do_not_open_have_empty_cells(run: Cli, tmp_path: Path, command: str):
    path = write_pictures(tmp_path / "photos")
    asked = {"target": "label", "attribute": "camera", "images": str(tmp_path / "photos")}
    fit(load(str(path), **asked, size=16), "plain", epochs=1, out=tmp_path / "run")
    code, out, err = run(command, "run", "photos/labels.csv", "--keep", "iso")
    assert code == 0
    found = cells(out)
    assert list(found[0])[:2] == ["file", "iso"]
    assert {row["iso"] for row in found} == {"100"}
    assert "2 pictures do not open" in err
    for i, row in enumerate(found):
        assert (set(list(row.values())[2:]) == {""}) == (i < 2)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("new.csv --keep idd", "new.csv has no 'idd'; it has id"),
        ("new.csv --keep id --out o.npy", "--keep needs a .csv file"),
        ("x.npy --keep id", "--keep takes columns of a table, and x.npy is none"),
        ("new.csv --keep z1,prediction", "is a column of the result; rename it in the file"),
        ("new.csv --out nowhere/o.csv", "the folder nowhere does not exist; make it first"),
        ("new.csv --out folder.csv", "folder.csv is a folder; name a file"),
        ("new.csv --out o.txt", "cannot write o.txt; known: .csv, .npy"),
    ],
)
def test_mistakes(run: Cli, trained: Path, command: str, arguments: str, message: str):
    write_table(Path("new.csv"), people(80) | {n: ["1"] * 80 for n in ("z1", "prediction")})
    np.save("x.npy", np.zeros((5, 8)))
    Path("folder.csv").mkdir()
    code, out, err = run(command, str(trained), *arguments.split())
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
