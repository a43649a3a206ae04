"""Runs as models of the Hugging Face hub, by its conventions; needs the extra `hub`.

    HubRun(run, audit=audit).save_pretrained("folder")     # or push_to_hub("me/model")
    HubRun.from_pretrained("folder").run.predict(x)        # or "me/model"

What is saved is the run folder, the audit and a model card (README.md) with the figures of both.
Nothing is executed on load.
"""

from pathlib import Path
from typing import Any

from infoshed.auditing import Audit
from infoshed.auditing.text import audit_text, verdict
from infoshed.checks import InfoshedError
from infoshed.io import read_json, write_json
from infoshed.run import Run, load_run
from infoshed.tables import run_table
from infoshed.targets import Numbers

try:
    from huggingface_hub import EvalResult, ModelCard, ModelCardData, ModelHubMixin
    from huggingface_hub import snapshot_download as download
except ImportError:
    raise InfoshedError("the hub needs huggingface_hub: pip install 'infoshed[hub]'") from None

AUDIT = "audit.json"
FILES = ("config.json", "metrics.jsonl", "results.json", "model.safetensors", AUDIT)


class HubRun(ModelHubMixin, library_name="infoshed"):
    """A run, with an audit for its model card.

    Args:
        run: of a named encoder; one with the caller's own module cannot be rebuilt by others.
        audit: what `infoshed.audit` found on rows that the run was not fitted on.

    `save_pretrained`, `push_to_hub` and `from_pretrained` are those of `ModelHubMixin`.
    """

    def __init__(self, run: Run, audit: Audit | None = None):
        if run.config.encoder == "custom":
            raise InfoshedError(
                "the run has an encoder of its own, which others could not rebuild; share the "
                "module beside the folder that `Run.save` writes"
            )
        self.run = run
        self.audit = audit

    def _save_pretrained(self, save_directory: Path) -> None:
        self.run.save(save_directory)
        if self.audit is not None:
            write_json(save_directory / AUDIT, self.audit.to_dict())

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **model_kwargs: Any,
    ) -> "HubRun":
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                download(
                    model_id, revision=revision, cache_dir=cache_dir, token=token,
                    force_download=force_download, local_files_only=local_files_only,
                    allow_patterns=list(FILES),
                )
            )  # fmt: skip
        found = folder / AUDIT
        audit = Audit.from_dict(read_json(found)) if found.is_file() else None
        return cls(load_run(folder), audit)

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """The card: what the model is, its accuracies, and what it still tells of the attribute."""
        return ModelCard(f"---\n{self._data().to_yaml()}\n---\n\n{self._text()}\n")

    def _data(self) -> ModelCardData:
        config, target = self.run.config, self.run.target
        task = "regression" if isinstance(target, Numbers) else "classification"
        results = [
            EvalResult(
                task_type=f"{'image' if len(config.shape) == 3 else 'tabular'}-{task}",
                dataset_type=Path(config.dataset).stem,
                dataset_name=Path(config.dataset).stem,
                dataset_split=split,
                metric_type=target.score.key,
                metric_value=round(result[target.score.key], 4),
            )
            for split, result in self.run.results.items()
        ]  # fmt: skip
        return ModelCardData(
            model_name=f"{Path(config.dataset).stem}-{config.method}",
            library_name="infoshed",
            tags=["fairness", "debiasing", "mutual-information"],
            eval_results=results or None,
        )

    def _text(self) -> str:
        config = self.run.config
        name, target = self.run.attribute.name, self.run.target
        predicted = ", ".join(config.classes or target.columns)
        lines = [
            f"# {Path(config.dataset).stem}: {predicted}, shedding {name}",
            "",
            f"Trained with infoshed, method `{config.method}`, so that its representation keeps "
            f"the {'class' if config.classes else 'target'} and sheds the attribute *{name}*.",
            "",
            "```python",
            "from infoshed.hub import HubRun",
            "",
            'run = HubRun.from_pretrained("THIS MODEL").run',
            f"guess = run.predict(x)  # x: (n, {', '.join(map(str, config.shape))})",
            "```",
            "",
            "## Figures",
            "",
            f"```\n{run_table(self.run)}\n```",
            "",
            "The information estimate is that of the critic trained alongside, a lower bound.",
            "",
            f"## What it still tells about {name}",
            "",
        ]
        if self.audit is None:
            lines.append("Not audited: no statement about leakage or groups can be made.")
        else:
            lines += [f"- {verdict(part)}" for part in self.audit.parts]
            lines += ["", f"```\n{audit_text(self.audit)}\n```"]
        return "\n".join(lines)
