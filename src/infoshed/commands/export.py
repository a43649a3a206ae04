"""`infoshed export`: a run's model for use elsewhere."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from infoshed.checks import InfoshedError
from infoshed.commands.output import OUTPUT
from infoshed.run import load_run


def export(
    run: Path,
    /,
    *,
    out: Annotated[Path, Parameter(group=OUTPUT)],
    part: Annotated[Literal["model", "encoder"], Parameter(group=OUTPUT)] = "model",
) -> None:
    """The model of a run as an ONNX file, for any number of rows, checked in onnxruntime.

    `infoshed export runs/people --out model.onnx`. Needs the extra `onnx`.

    Parameters
    ----------
    run
        The folder that `infoshed train` wrote.
    out
        The file to write: .onnx.
    part
        model: x -> logits and probabilities. encoder: x -> z.
    """
    from infoshed.export import PARTS, export_onnx

    if out.suffix.lower() != ".onnx":
        raise InfoshedError(f"--out: cannot write {out}; known: .onnx")
    loaded = load_run(run)
    difference = export_onnx(loaded, out, part)
    shape = ", ".join(map(str, loaded.config.shape))
    print(f"{out}: x (n, {shape}) -> {', '.join(PARTS[part].outputs)}")
    print(f"onnxruntime and torch differ by at most {difference:.1g}")
