"""Where the files of a data set may lie: one rule for all data sets that read files."""

import os
from pathlib import Path


def folders(data_dir: str | Path | None, name: str) -> list[Path]:
    """The folders to look in, the likeliest first.

    Args:
        data_dir: the folder that holds the files, or the one above it; None where not given.
        name: of the data set's own folder, "mnist".

    With `data_dir` that folder and `name` in it, else `name` in $INFOSHED_DATA; none if neither is
    given.
    """
    if data_dir is not None:
        return [Path(data_dir), Path(data_dir) / name]
    return [Path(os.environ["INFOSHED_DATA"]) / name] if "INFOSHED_DATA" in os.environ else []
