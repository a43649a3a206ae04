"""Figures published by others, for the tables to stand beside ours.

Values are in per cent for accuracies and in [0, 1] for gaps, as in our tables. None of the colour
figures was selected without a look at unbiased test data, or its source does not say.
"""

from dataclasses import dataclass

SIGMA2 = (0.020, 0.025, 0.030, 0.035, 0.040, 0.045, 0.050)


@dataclass(frozen=True)
class Published:
    """A row of a published table.

    Args:
        experiment, table: where it stands beside ours.
        method: as its source calls it.
        source: who reports it.
        values: column -> value: a column is sigma2 as text, or a figure's name.
        remark: what to know before comparing.
    """

    experiment: str
    table: str
    method: str
    source: str
    values: dict[str, float]
    remark: str = ""


LNTL_PAPER = "Kim et al. 2019 (arXiv 1812.10352)"
CSAD_README = "README of the code of Zhu et al. 2021 (arXiv 2108.05449)"
SABAF = "Li et al. 2023, re-runs; read off a figure"
ORIGINAL = "on the original files; selection not stated"
RERUN = (
    "another data set, regenerated and easier: means redrawn per run, test colours uniform in the "
    "cube, 32x32 pixels, mask at 0.3, colours clamped; selection not stated"
)
REIMPLEMENTATION = "public re-implementation of arXiv 2003.06430 for tables"
SAME_SPLIT = "rivals reported on the same Adult split"
MEMORY = "LNTL's table on IMDB faces, quoted from memory, not verified"


def _by_sigma2(table: str, method: str, source: str, remark: str, *values: float) -> Published:
    columns = [f"{sigma2:.3f}" for sigma2 in SIGMA2]
    return Published(
        "colored-mnist", table, method, source, dict(zip(columns, values, strict=False)), remark
    )


def _faces(method: str, eb1: tuple[float, float], eb2: tuple[float, float]) -> list[Published]:
    remark = "other faces (IMDB, ResNet-18): for orientation only"
    return [
        Published(
            "faces", table, method, MEMORY,
            {"accuracy_conflicting": pair[0], "accuracy_unbiased": pair[1]}, remark,
        )
        for table, pair in (("EB1", eb1), ("EB2", eb2))
    ]  # fmt: skip


def _fair(
    table: str, method: str, source: str, accuracy: float, gap: float, remark: str = ""
) -> Published:
    values = {"accuracy_test": 100 * accuracy, "gap_parity": gap}
    return Published("fairness", table, method, source, values, remark)


PUBLISHED: tuple[Published, ...] = (
    _by_sigma2("main", "plain baseline", LNTL_PAPER, ORIGINAL,
               40.6, 48.1, 60.0, 66.3, 73.3, 79.7, 84.5),
    _by_sigma2("main", "BlindEye (Alvi 2018)", LNTL_PAPER, ORIGINAL,
               67.4, 71.2, 78.8, 82.0, 86.4, 89.3, 91.6),
    _by_sigma2("main", "grey images", LNTL_PAPER, f"{ORIGINAL}; luminance still tells the colour",
               83.7, 87.5, 90.0, 91.7, 93.3, 94.7, 96.0),
    _by_sigma2("main", "LNTL", LNTL_PAPER, ORIGINAL, 81.9, 88.5, 91.4, 93.1, 94.1, 95.6, 96.2),
    _by_sigma2("main", "CSAD", CSAD_README, ORIGINAL, 94.3),
    _by_sigma2("rerun", "plain baseline", SABAF, RERUN, 59.1, 67.7, 72.2, 73.4, 79.3, 85.3, 88.0),
    _by_sigma2("rerun", "LNTL", SABAF, RERUN, 76.2, 78.8, 86.8, 88.6, 90.7, 93.5, 94.5),
    _by_sigma2("rerun", "MI backpropagation (arXiv 2003.06430)", SABAF, RERUN,
               83.0, 85.2, 90.3, 94.3, 95.0, 96.0, 97.1),
    _by_sigma2("rerun", "EnD", SABAF, RERUN, 75.9, 80.8, 84.9, 85.8, 90.4, 92.6, 93.7),
    _by_sigma2("rerun", "CSAD", SABAF, RERUN, 92.2, 92.9, 93.5, 94.9, 95.2, 96.1, 96.4),
    _by_sigma2("rerun", "SABAF", SABAF, RERUN, 94.0, 95.5, 94.9, 95.2, 95.4, 96.4, 97.0),
    _by_sigma2("rerun", "SABAF, universal filter", SABAF, f"{RERUN}; uses additional data",
               97.0, 98.0, 97.5, 97.7, 97.8, 97.7, 98.1),
    *_faces("plain baseline", (59.9, 84.4), (57.8, 69.8)),
    *_faces("BlindEye (Alvi 2018)", (63.7, 85.6), (57.3, 69.9)),
    *_faces("LNTL", (68.0, 86.7), (64.2, 74.5)),
    _fair("adult", "MI, lambda 0", REIMPLEMENTATION, 0.821, 0.179, "mean of runs"),
    _fair("adult", "MI, lambda 0.1", REIMPLEMENTATION, 0.814, 0.153, "mean of runs"),
    _fair("adult", "MI, lambda 1", REIMPLEMENTATION, 0.723, 0.103, "accuracy +- .136 over runs"),
    _fair("adult", "MI, lambda 10", REIMPLEMENTATION, 0.681, 0.098, "accuracy +- .110 over runs"),
    _fair("adult", "MI, single run", REIMPLEMENTATION, 0.7577, 0.011, "picked among runs"),
    _fair("adult", "MI, single run", REIMPLEMENTATION, 0.8212, 0.142, "picked among runs"),
    _fair("adult", "FAIR-scalar", SAME_SPLIT, 0.8110, 0.065),
    _fair("adult", "PYCO", SAME_SPLIT, 0.8162, 0.078),
    _fair("adult", "reweighing with a net", SAME_SPLIT, 0.8031, 0.123),
    _fair("german-sex", "MI", REIMPLEMENTATION, 0.700, 0.009,
          "gap .009 to .021; .700 is the share of good risks"),
)  # fmt: skip


def published(experiment: str, table: str) -> list[Published]:
    """The published rows that belong beside a table."""
    return [row for row in PUBLISHED if (row.experiment, row.table) == (experiment, table)]
