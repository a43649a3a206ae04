"""One version, in the package and in its metadata."""

import tomllib
from pathlib import Path

import infoshed


def test_the_version_is_that_of_the_metadata():
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    assert infoshed.__version__ == tomllib.loads(pyproject.read_text())["project"]["version"]
