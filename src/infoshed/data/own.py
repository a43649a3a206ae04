"""The user's own table, or pictures with a table of labels: a file, and the names of its columns.

What was decided is said in `DataSet.notes`, beginning with a table of the columns. The attribute is
no input (see `infoshed.data.columns` for those that are), and rows that lack it or the target are
dropped and counted.

Rows are cut into train, validation and test by seed, `VALIDATION` and `TEST` of every cell (y, c),
a quantity counting by its quarters; what is learned of the columns is learned from training rows
alone. The test is biased as the training rows are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from infoshed.assignments import assignments
from infoshed.attributes import Attribute, Continuous, infer_attribute
from infoshed.checks import InfoshedError, check_choice, check_number, columns_text, meant_each
from infoshed.data.columns import QUARTERS, nearest, proxies, read_inputs
from infoshed.data.own_target import KINDS, TargetColumns, read_target, shares_text
from infoshed.files.gaps import complete
from infoshed.fingerprint import fingerprint
from infoshed.inputs import ImageInputs, Inputs, TableInputs, as_text
from infoshed.resnet import SMALLEST
from infoshed.seeds import numpy_generator
from infoshed.targets import Classes
from infoshed.targets.strata import quantile_code
from infoshed.types import DataSet, Recipe, Split

FORMATS = (".csv", ".tsv", ".parquet")
TEST, VALIDATION = 0.2, 0.15
MOST_ROWS = 3_000_000
MOST_NUMBERS = 10**9  # of the encoded table, 4 bytes each
LEAST_ROWS = 40
CRITIC_STEPS = 5
UNIQUE = 0.95  # distinct values of an attribute in a row, from which on it is a name of the row
LOOKED_AT = 20  # cells of a column, to tell names of files


Rows = Callable[[np.ndarray], torch.Tensor]
"""The inputs x of the rows of these numbers."""


@dataclass(frozen=True)
class Content:
    """What the inputs are: in words, the function that learns from the training rows how x is made,
    the lines of the table that is shown, what else is to be said, and all of the file that x is
    made of, for the fingerprint."""

    what: str
    learn: Callable[[np.ndarray], tuple[Inputs, Rows]]
    lines: list[list[str]]
    notes: list[str]
    source: Any


def own(
    path: str | Path,
    *,
    target: str | None = None,
    target_kind: str = "auto",
    attribute: str | None = None,
    attribute_kind: str = "auto",
    categories: str | None = None,
    images: str | Path | None = None,
    size: int = 64,
    color: bool = True,
    seed: int = 0,
) -> DataSet:
    """A data set from the user's own file.

    Args:
        path: .csv, .tsv or .parquet.
        target: the column to predict, classes or a quantity; several with commas, quantities or
            labels of two values each.
        target_kind: "auto", "classes" or "numbers", as `infoshed.data.own_target` has it.
        attribute: the column of the attribute; several with commas.
        attribute_kind: "auto", "categorical" or "continuous", as `infoshed.files.as_kind` has it;
            or of single columns, as in "age=continuous", the others being auto.
        categories: columns of numbers that are names (such as a postcode), with commas; inputs,
            attributes and targets.
        images: the folder of the pictures that a column of the file names; then they are x.
        size, color: of the pictures, in pixels; without colour they are grey.
        seed: of the split.

    Raises `InfoshedError` for files that cannot be read or are too large, columns that are not
    there or cannot be what they are to be, and an attribute that is the target under another name.
    """
    path = Path(path)
    if not target or not attribute:
        raise InfoshedError(
            f"which columns of {path}? `target` (--target NAME), the classes or a quantity, and "
            "`attribute` (--attribute NAME), what is to be shed"
        )
    from infoshed.files import read_table
    from infoshed.files.table import listed
    from infoshed.tables import text_table

    # First what a long file need not be read for.
    kinds = _kinds(_names(attribute), attribute_kind)
    check_choice("target-kind", target_kind, KINDS)
    quantities = {name: "--attribute-kind" for name, kind in kinds.items() if kind == "continuous"}
    quantities |= {name: "--target-kind" for name in _names(target) if target_kind == "numbers"}
    for name in _names(categories):
        if name in quantities:
            raise InfoshedError(
                f"'{name}' is categories by --categories and a quantity by {quantities[name]}; "
                "leave out one of them"
            )
    if images is not None:
        check_number("size", size, SMALLEST, 512, integer=True)
        if not Path(images).is_dir():
            raise InfoshedError(f"--images: the folder {images} does not exist")
    _refuse_huge(path)
    table = read_table(str(path), missing=True)
    columns, names, targets = dict(table.columns), _names(attribute), _names(target)
    asked = {"--target": targets, "--attribute": names, "--categories": _names(categories)}
    absent = {
        flag: [name for name in wanted if name not in columns] for flag, wanted in asked.items()
    }
    if any(absent.values()):
        flags = ", ".join(flag for flag, lacking in absent.items() if lacking)
        lacking = list(dict.fromkeys(name for names in absent.values() for name in names))
        hint = f" ({table.note})" if "no header" in table.note else meant_each(lacking, columns)
        raise InfoshedError(
            f"{flags}: {path} has no {columns_text(lacking)}; it has {listed(list(columns))}{hint}"
        )
    for flag, wanted in asked.items():
        twice = [name for name in wanted if wanted.count(name) > 1]
        if twice:
            raise InfoshedError(f"{flag} names '{twice[0]}' twice; name each column once")
    for name in targets:
        if name in names:
            raise InfoshedError(f"'{name}' is both target and attribute; give different columns")
    flat = [name for name, column in columns.items() if column.ndim > 1]
    if flat:
        raise InfoshedError(f"{path}: column '{flat[0]}' holds lists; give a column for each entry")
    columns |= {name: as_text(columns[name]) for name in asked["--categories"]}
    keep, dropped = complete((name, columns[name]) for name in [*targets, *names])
    columns = {name: column[keep] for name, column in columns.items()}
    if len(columns[targets[0]]) < LEAST_ROWS:
        raise InfoshedError(
            f"{path} has {len(columns[targets[0]])} rows with "
            f"{' and '.join([*targets, *names])}; at least {LEAST_ROWS} are needed for training, "
            "validation and test"
        )
    counters = [
        f"'{name}' numbers the rows: each value is larger than the one before; is it an id?"
        for name in [*targets, *names]
        if columns[name].dtype.kind in "biuf" and (columns[name][1:] > columns[name][:-1]).all()
    ]
    y = read_target(targets, columns, target_kind)
    y.check()
    for name in targets:
        del columns[name]
    parts, kind_notes = _attributes(names, columns, kinds)
    for name, part in parts.items():
        y.refuse(name, part)
    if images is not None:
        content, opened = _pictures(Path(images), columns, size, color)
        y = y.rows(opened)
        parts = {name: part[opened] for name, part in parts.items()}
    else:
        content = _table(path, columns, parts, y)
    rows = stratified(_strata(y, parts), seed)
    spec = _specification({name: part[rows["train"]] for name, part in parts.items()})
    learned = y.rows(rows["train"]).learn() if y.kind != Classes.kind else y.learn()
    given_c = parts if len(spec.parts) > 1 else np.column_stack(list(parts.values()))
    c = spec.encode(given_c)
    inputs, x = content.learn(rows["train"])
    splits = {k: Split(x(r), y.rows(r).encode(learned), c[r]) for k, r in rows.items()}
    lines = [*y.lines(), *_attribute_lines(spec), *content.lines]
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in rows.items())
    params = {"target": target, "attribute": attribute, "attribute_kind": attribute_kind}
    given: dict[str, Any] = {"target_kind": None if target_kind == "auto" else target_kind}
    given |= {"categories": categories, "images": None if images is None else str(images)}
    given |= {"size": int(size), "color": bool(color)} if images is not None else {}
    return DataSet(
        name=str(path),
        description=(
            f"{y.name} from {content.what}; the attribute is {', '.join(names)}, "
            "which is not among the inputs. The test is biased as the training data are."
        ),
        train=splits["train"],
        validation=splits["validation"],
        tests={"test": splits["test"]},
        attribute=spec,
        target=learned,
        recipe=_recipe(inputs, len(rows["train"]), learned.outputs),
        params=params | {k: v for k, v in given.items() if v is not None} | {"seed": seed},
        shows_images=images is not None,
        inputs=inputs,
        fingerprint=f"{fingerprint([y.columns, parts, content.source]):016x}",
        notes=(
            text_table(["column", "read as", "values", "missing"], lines, left=3),
            *(*dropped, *counters, *kind_notes, *content.notes, f"rows: {sizes}"),
        ),
    )


def is_own(name: str) -> bool:
    """Whether `name` is that of a file rather than of a data set."""
    return Path(name).suffix.lower() in FORMATS


def stratified(strata: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Rows of "train", "validation" and "test", sorted: of every stratum (n,) the same shares, as
    near as whole rows allow, chance rounding, and at least one row for training."""
    rng = numpy_generator(seed, "own split")
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for stratum in np.unique(strata):
        rows = rng.permutation(np.flatnonzero(strata == stratum))
        rest = len(rows) - 1
        test = min(rest, int(len(rows) * TEST + rng.random()))
        validation = min(rest - test, int(len(rows) * VALIDATION + rng.random()))
        cut = np.split(rows, [test, test + validation])
        for name, part in zip(("test", "validation", "train"), cut, strict=True):
            parts[name].append(part)
    return {name: np.sort(np.concatenate(part)) for name, part in parts.items()}


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _kinds(names: list[str], kind: str) -> dict[str, str]:
    """The kind of each attribute, of what `attribute_kind` says."""
    from infoshed.files import KINDS as OF_ATTRIBUTES

    kinds = assignments(kind)
    if isinstance(kinds, str):
        kinds = dict.fromkeys(names, kinds)
    for name, one in kinds.items():
        check_choice("attribute-kind", one, OF_ATTRIBUTES)
        check_choice("the name in attribute-kind", name, names)
    return kinds


def _refuse_huge(path: Path) -> None:
    """Before anything is parsed, which would take minutes and all memory."""
    if not path.is_file() or path.stat().st_size < MOST_ROWS:
        return
    if path.suffix.lower() == ".parquet":
        try:
            from pyarrow import ArrowInvalid, parquet
        except ImportError:
            return  # `read_table` says what to install
        try:
            rows = parquet.read_metadata(path).num_rows
        except ArrowInvalid:
            return
    else:
        rows = 0
        with open(path, "rb") as file:
            while block := file.read(1 << 22):
                rows += block.count(b"\n")
    if rows > MOST_ROWS:
        raise InfoshedError(
            f"{path} has about {rows:,} rows, and is read into memory: at most {MOST_ROWS:,}; take "
            "a random sample of its rows, or use infoshed.MutualInformationPenalty in a loop that "
            "streams them"
        )


def _attributes(
    names: list[str], columns: dict[str, np.ndarray], kinds: dict[str, str]
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Values (n,) by name, and what was decided; the attributes are taken out of `columns`."""
    from infoshed.files import as_kind

    parts, notes = {}, []
    for name in names:
        column = columns.pop(name)
        column = as_text(column) if column.dtype.kind == "U" else column
        parts[name], said = as_kind(column, kinds.get(name, "auto"), name)
        notes += said
        values = len(np.unique(parts[name]))
        if values < 2:
            raise InfoshedError(
                f"the attribute '{name}' has one value only; there is nothing to shed"
            )
        if parts[name].dtype.kind != "f" and values > UNIQUE * len(column):
            number = f"; give --attribute-kind {name}=continuous if it is a quantity"
            raise InfoshedError(
                f"the attribute '{name}' takes {values:,} different values in {len(column):,} "
                "rows, hardly any twice, and nothing can be learned of them; give coarser ones"
                f"{number * (column.dtype.kind in 'biuf')}"
            )
    if all(v.dtype.kind != "f" for v in parts.values()) and len(parts) > 1:
        text = any(v.dtype.kind == "U" for v in parts.values())
        parts = {name: v.astype(str) if text else v for name, v in parts.items()}
    return parts, notes


def _specification(parts: dict[str, np.ndarray]) -> Attribute:
    """Of the values (n,) by name. Quantities alone are one vector."""
    if len(parts) > 1 and all(values.dtype.kind == "f" for values in parts.values()):
        return Continuous.from_values(np.column_stack(list(parts.values())), ", ".join(parts))
    return infer_attribute(parts)


def _strata(y: TargetColumns, parts: dict[str, np.ndarray]) -> np.ndarray:
    """The cell (n,) of each row."""
    cells = []
    for part in (*y.columns.values(), *parts.values()):
        quantity = part.dtype.kind == "f"
        cells.append(
            quantile_code(part, QUARTERS) if quantity else np.unique(part, return_inverse=True)[1]
        )
    return np.unique(np.stack(cells, 1), axis=0, return_inverse=True)[1].ravel()


def _table(
    path: Path,
    columns: dict[str, np.ndarray],
    attributes: dict[str, np.ndarray],
    y: TargetColumns,
) -> Content:
    """The columns that are inputs."""
    found, n = read_inputs(columns), len(next(iter(y.columns.values())))
    notes = [*found.notes, *proxies(found.inputs, {**attributes, **y.columns}, tuple(y.columns))]
    notes += nearest(found.inputs, attributes)

    def learn(train: np.ndarray) -> tuple[Inputs, Rows]:
        inputs = TableInputs.learn({name: v[train] for name, v in found.inputs.items()})
        if inputs.width * n > MOST_NUMBERS:
            raise InfoshedError(
                f"{path}: {n:,} rows of {inputs.width:,} inputs do not fit in memory; take a "
                "sample of the rows, or leave out columns"
            )
        return inputs, lambda rows: torch.from_numpy(
            inputs({name: v[rows] for name, v in found.inputs.items()})
        )

    return Content(f"{len(found.inputs)} columns", learn, found.lines, notes, found.inputs)


def _pictures(
    folder: Path, columns: dict[str, np.ndarray], size: int, color: bool
) -> tuple[Content, np.ndarray]:
    """The pictures that a column names, and which rows (n,) have one that opens."""
    text = {name: as_text(column) for name, column in columns.items() if column.dtype.kind == "U"}
    named = [
        name
        for name, column in text.items()
        if np.mean([bool(v) and (folder / v).is_file() for v in column[:LOOKED_AT].tolist()]) >= 0.5
    ]
    if len(named) != 1:
        what = f"columns {', '.join(named)} all name" if named else "no column names"
        raise InfoshedError(
            f"{what} files in {folder}; one column must hold the pictures' file names"
        )
    inputs = ImageInputs(named[0], int(size), bool(color))
    pictures, opened = inputs(folder, text[named[0]])
    kind = f"{'colour' if color else 'grey'}, {size}x{size} pixels"
    lines = [[named[0], "picture", kind, "0"]]
    lines += [[name, "left out", "not a picture", ""] for name in columns if name != named[0]]
    failed = int((~opened).sum())
    first = text[named[0]][int(np.argmin(opened))]
    notes = [f"dropped: {failed:,} rows whose picture does not open (first: {first})"] * (
        failed > 0
    )
    files = text[named[0]][opened]
    each = {name: fingerprint((folder / name).read_bytes()) for name in np.unique(files).tolist()}
    content = Content(
        f"pictures, {kind}", lambda _: (inputs, lambda r: pictures[r]), lines, notes, [files, each]
    )
    return content, opened


def _recipe(inputs: Inputs, rows: int, outputs: int) -> Recipe:
    """Training settings: about 2,000 steps, in 10 to 20 epochs."""
    batch = 128 if rows > 4000 else 32
    epochs = min(20, max(10, 2000 * batch // rows))
    if isinstance(inputs, ImageInputs):
        return Recipe(encoder="resnet", dim=64, epochs=epochs, batch_size=batch)
    # Few columns and several critic steps: a network hides c from the critic that follows it in
    # columns that y does not need, and on few rows it outruns one that takes single steps.
    dim, options = max(2, min(outputs, 16)), {"mi": {"critic_steps": CRITIC_STEPS}}
    return Recipe("mlp", dim, epochs=epochs, batch_size=batch, options=options)


def _attribute_lines(attribute: Attribute) -> list[list[str]]:
    lines = []
    for part in attribute.parts:
        if isinstance(part, Continuous):
            pairs = zip(part.mean, part.scale, strict=True)
            text = ", ".join(f"mean {m:.4g}, deviation {s:.4g}" for m, s in pairs)
            lines.append([part.name, "attribute, quantity", text, "0"])
        else:
            text = shares_text(part.levels, part.probabilities)  # type: ignore[attr-defined]
            lines.append([part.name, "attribute", text, "0"])
    return lines
