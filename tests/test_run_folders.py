"""Where a run is written: what is not overwritten, and what is told before training."""

from pathlib import Path

import pytest

from infoshed import DataSet, InfoshedError, fit, load_run


def test_a_folder_that_holds_a_run_is_not_overwritten(table: DataSet, tmp_path: Path):
    fit(table, "plain", epochs=1, out=tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    with pytest.raises(InfoshedError, match=r"holds a run already.*--resume"):
        fit(table, "plain", epochs=1, seed=1, out=tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_a_folder_of_runs_is_none_for_a_run(table: DataSet, tmp_path: Path):
    fit(table, "plain", epochs=1, out=tmp_path / "first")
    with pytest.raises(InfoshedError, match=r"is a folder of runs, such as .*first; name a new"):
        fit(table, "plain", epochs=1, out=tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["first"]


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_file_is_no_run_folder(table: DataSet, tmp_path: Path, place: str):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InfoshedError, match=r"file is a file; choose another"):
        fit(table, "plain", epochs=1, out=tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_without_permission_is_told_before_training(
    table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != tmp_path)  # root may write
    with pytest.raises(InfoshedError, match="cannot be written: no permission for"):
        fit(table, "plain", epochs=1, out=tmp_path / "run", begin=lambda: pytest.fail("begun"))


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_tracker_that_is_not_installed_is_told_before_training(
    table: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr("infoshed.tracking.find_spec", lambda package: None)
    with pytest.raises(InfoshedError, match=rf"needs {name}: pip install 'infoshed\[{name}\]'"):
        fit(table, "plain", epochs=1, out=tmp_path / "run", track=name)
    assert not (tmp_path / "run").exists()


def test_of_two_runs_that_begin_at_once_in_one_folder_one_is_refused(
    table: DataSet, tmp_path: Path
):
    """The second looks at the folder before the first has begun there, and begins after."""
    folder = tmp_path / "run"

    def meanwhile() -> None:
        fit(table, "mi", epochs=1, out=folder)

    with pytest.raises(InfoshedError, match="another run has just begun in"):
        fit(table, "plain", epochs=1, out=folder, begin=meanwhile)
    assert load_run(folder).config.method == "mi"


def test_a_folder_that_cannot_go_on_is_not_said_to(table: DataSet, tmp_path: Path):
    fit(table, "plain", epochs=1).save(tmp_path / "saved")
    with pytest.raises(InfoshedError, match="holds a run already; choose another folder"):
        fit(table, "plain", epochs=1, out=tmp_path / "saved")
    fit(table, "plain", epochs=1, out=tmp_path / "made")
    with pytest.raises(InfoshedError, match="continue it with --resume"):
        fit(table, "plain", epochs=1, out=tmp_path / "made")
