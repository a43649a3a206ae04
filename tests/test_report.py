"""The report page: well formed, self-contained, harmless names, the same bytes each time."""

import dataclasses
import importlib.util
import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from infoshed.report import ReportContent, RunContent, render

SRC = Path(__file__).resolve().parents[1] / "src"
VOID = {"meta", "img", "br", "hr", "link", "input"}
HOSTILE = "<script>alert('x')</script> & $\\frac$ \"q\" \x00\udcff"
M = 4


def make_run(method: str, seed: int, unbiased: float, **changes) -> RunContent:
    rng = np.random.default_rng(seed)
    n = 700
    rows = [
        {"epoch": e, "task_loss": 1 / e, "mi": 0.5 / e if method == "mi" else None, "seconds": 1.0}
        for e in range(1, 7)
    ]
    values = {
        "method": method,
        "seed": seed,
        "accuracy": {"biased": 0.95, "unbiased": unbiased, "validation": 0.96},
        "metrics": rows,
        "config": {"epochs": 6, "seed": seed, "strength": None},
        "confusion": {"unbiased": rng.integers(0, 30, (M, M))},
        "embedding": rng.normal(size=(n, 2)),
        "embedding_y": rng.integers(0, M, n),
        "embedding_c": rng.random((n, 3)),
        "predictions": rng.integers(0, M, 6),
    }
    return RunContent(**(values | changes))


def make_content(runs=None, **changes) -> ReportContent:
    rng = np.random.default_rng(7)
    if runs is None:
        scores = {"plain": (0.40, 0.42, 0.44), "mi": (0.80, 0.81, 0.85)}
        runs = [make_run(name, s, a) for name, list_ in scores.items() for s, a in enumerate(list_)]
    values = {
        "title": "Coloured shapes",
        "dataset": "shapes",
        "description": "Shapes in four colours.",
        "classes": ("disc", "square", "star", "ring"),
        "attribute": "colour",
        "attribute_entropy": 1.386,
        "label_information": 1.1,
        "runs": tuple(runs),
        "samples": rng.integers(0, 256, (6, 8, 8, 3)).astype(np.uint8),
        "sample_labels": rng.integers(0, M, 6),
        "sample_split": "unbiased test",
        "train_samples": rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8),
        "train_sample_labels": np.arange(40) % M,
        "command": "infoshed demo",
        "versions": {"numpy": np.__version__},
    }
    return ReportContent(**(values | changes))


def bare_content() -> ReportContent:
    """One run, with nothing but its accuracy."""
    run = RunContent("mi", 3, {"unbiased": 0.75}, [], {})
    return ReportContent("T", "D", "", ("a", "b"), "colour", None, None, (run,))


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def figures_of(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


@pytest.fixture(scope="module")
def html() -> str:
    return render(make_content())


@pytest.mark.parametrize("content", [make_content(), bare_content()], ids=["full", "bare"])
def test_page_is_well_formed_and_self_contained(content):
    html = render(content)
    page = Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert page.tags["h1"] == page.tags["main"] == page.tags["style"] == 1
    assert page.tags["script"] == page.tags["link"] == page.tags["iframe"] == 0
    for tag, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert value.startswith(("#", "data:image/png;base64,")), (tag, name, value[:60])
        assert not name.startswith("on")
    for target in re.findall(r"url\(([^)]*)\)", html):
        assert target.startswith("#")
    assert "@import" not in html


def test_ids_are_unique_and_links_lead_somewhere(html):
    page = Page(html)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value for _, name, value in page.attributes if name == "href"]
    targets = [link[1:] for link in links if link.startswith("#")]
    targets += re.findall(r"url\(#([^)]*)\)", html)
    targets += [value for _, name, value in page.attributes if name == "aria-labelledby"]
    assert set(targets) <= set(ids)


def test_figures_parse_and_speak_for_themselves(html):
    figures = figures_of(html)
    assert len(figures) == 1 + 2 + 4 + 2  # accuracy, confusion, embeddings, loss and information
    for figure in figures:
        assert figure.get("role") == "img"
        assert figure.get("aria-label")
        assert figure.get("viewBox")
        assert figure.get("width") is None
    assert "currentColor" in html
    assert "#010203" not in html
    assert Page(html).tags["details"] >= len(figures)


def test_every_dot_of_the_embedding_is_drawn(html):
    by_class = next(f for f in figures_of(html) if "by the class" in (f.get("aria-label") or ""))
    paths = [element.get("d") or "" for element in by_class.iter() if element.tag.endswith("path")]
    assert sum(path.count("h0") for path in paths) == 600


def test_verdict_compares_the_means(html):
    text = " ".join(Page(html).text.split())
    assert (
        "On unbiased data the plain classifier is right 42.0% of the time; trained with mi: 82.0% "
        "(mean of 3 seeds each, range 40.0–44.0% and 80.0–85.0%)."
    ) in text


def test_verdict_of_one_run_compares_nothing():
    page = Page(render(make_content(runs=[make_run("mi", 0, 0.8)])))
    text = " ".join(page.text.split())
    assert "On unbiased data the mi classifier is right 80.0% of the time (one seed)." in text
    assert "trained with" not in text


def test_verdict_names_unequal_seeds():
    runs = [make_run("plain", 0, 0.4), make_run("mi", 0, 0.8), make_run("mi", 1, 0.9)]
    text = " ".join(Page(render(make_content(runs=runs))).text.split())
    assert "(mean of 1 and 2 seeds, range 40.0–40.0% and 80.0–90.0%)" in text


def test_caution_is_always_there(html):
    for page in (html, render(bare_content())):
        text = " ".join(Page(page).text.split())
        assert "lower bound" in text
        assert "not prove that nothing leaks" in text


def test_missing_parts_are_left_out(html):
    page = Page(render(bare_content()))
    assert page.tags["img"] == 0
    assert page.tags["svg"] == 1
    headings = ("Image by image", "Where the errors go", "Training", "To run it again")
    for heading in headings:
        assert heading not in page.text
        assert heading in html
    assert "None" not in page.text
    assert "nan" not in page.text


def test_run_without_accuracy_still_makes_a_page():
    page = Page(
        render(dataclasses.replace(bare_content(), runs=(RunContent("mi", 0, {}, [], {}),)))
    )
    assert "no accuracy was recorded" in page.text


def test_hostile_names_are_harmless():
    runs = [
        make_run(HOSTILE, 0, 0.5, config={HOSTILE: HOSTILE}, accuracy={HOSTILE: 0.5}),
        make_run("mi", 0, 0.5, confusion={HOSTILE: np.eye(M, dtype=int)}),
    ]
    html = render(
        make_content(
            runs=runs,
            classes=(HOSTILE, "b", "c", "d"),
            **dict.fromkeys(("title", "dataset", "description", "attribute", "command"), HOSTILE),
            sample_split=HOSTILE,
            versions={HOSTILE: HOSTILE},
        )
    )
    page = Page(html)
    assert page.tags["script"] == 0
    assert "<script" not in html
    html.encode("utf-8")
    assert "\x00" not in html
    texts = [e.text or "" for f in figures_of(html) for e in f.iter() if e.tag.endswith("text")]
    assert any(text.startswith("<script>") for text in texts)


def test_image_labels_show_each_call_in_words(html):
    page = Page(html)
    content = make_content()
    assert content.sample_labels is not None
    predictions = content.runs[0].predictions
    assert predictions is not None
    plain = int((predictions == content.sample_labels).sum())
    assert f"plain (seed 0) {plain}" in page.text
    assert page.text.count("right:") + page.text.count("wrong:") == 12


@pytest.mark.parametrize(("method", "late"), [("mi", False), ("ancova", True)])
def test_a_curve_of_a_model_that_changes_after_its_end_says_so(method: str, late: bool):
    rows = [{"epoch": e, "val_accuracy": 0.5 + e / 10} for e in (1, 2)]
    run = make_run(method, 0, 0.6, metrics=rows)
    assert (f"{method}: before the last step" in render(make_content([run]))) == late


def test_the_same_content_gives_the_same_page(html):
    assert render(make_content()) == html


def test_what_fresh_judges_read_stands_on_the_page(html: str):
    shares = {"share_of_entropy": 0.031, "label_nats": 1.1}
    reading = {"attribute": "colour", "rows": 1200, "nats": 0.043, "low": 0.01, "high": 0.08}
    age = reading | {"attribute": "age", "share_of_entropy": None, "label_nats": None}
    run = make_run("mi", 0, 0.8, leakage=[reading | shares, age])
    page = render(make_content(runs=[run]))
    table = page[page.index("Information that fresh judges read in z") :].split("</table>")[0]
    for cell in (
        "mi, seed 0",
        "colour",
        "0.0430 (0.0100 to 0.0800) = 3.1% of H(C)",
        "1.1",
        "1,200",
    ):
        assert f">{cell}<" in table
    said = "80.0% of the time; its z tells 0.0430 nats (0.0100 to 0.0800) of colour and 0.0430 nats"
    assert said in " ".join(Page(page).text.split())
    assert "Information that fresh judges" not in html
    alone = make_run("mi", 0, 0.8, leakage=[reading | shares], embedding=None)
    page = render(make_content(runs=[alone]))
    assert "What the representation keeps" in page
    assert "Each dot is the representation" not in page


@pytest.mark.parametrize(
    ("splits", "headline"),
    [
        (("validation", "test"), "test"),
        (("validation", "biased", "unbiased"), "unbiased"),
        (("validation",), "validation"),
    ],
)
def test_the_headline_is_of_a_test_where_there_is_one(splits: tuple[str, ...], headline: str):
    run = make_run("mi", 0, 0.8, accuracy=dict.fromkeys(splits, 0.9), confusion={})
    assert f"On {headline} data the mi classifier is right 90.0%" in render(
        make_content(runs=[run])
    )


@pytest.mark.parametrize(
    ("splits", "said"),
    [
        (("test", "validation"), True),
        (("biased",), True),
        (("biased", "unbiased"), False),
        (("validation", "held out"), False),
    ],
)
def test_a_test_that_is_as_biased_as_training_is_said_to_be(splits: tuple[str, ...], said: bool):
    run = make_run("mi", 0, 0.8, accuracy=dict.fromkeys(splits, 0.9), confusion={})
    page = render(make_content(runs=[run]))
    assert ("drawn as the training rows are, and as biased" in page) is said


def test_page_stays_small_with_large_content():
    rng = np.random.default_rng(0)
    runs = [
        make_run(
            name,
            seed,
            0.5,
            embedding=rng.normal(size=(5000, 2)),
            embedding_y=rng.integers(0, M, 5000),
            embedding_c=rng.random((5000, 3)),
            predictions=rng.integers(0, M, 100),
            metrics=[{"epoch": e, "task_loss": float(rng.random())} for e in range(1, 301)],
        )
        for name in ("plain", "mi")
        for seed in range(5)
    ]
    images = rng.integers(0, 256, (100, 28, 28, 3)).astype(np.uint8)
    images[:, :8] = images[:, -8:] = 0
    labels = rng.integers(0, M, 100)
    content = make_content(
        runs=runs,
        samples=images,
        sample_labels=labels,
        train_samples=images,
        train_sample_labels=labels,
    )
    assert len(render(content).encode()) < 600_000


def test_attribute_may_be_a_number_and_classes_many():
    m, n = 30, 200
    rng = np.random.default_rng(0)
    run = make_run(
        "plain",
        0,
        0.5,
        confusion={"unbiased": rng.integers(0, 9, (m, m))},
        embedding=np.zeros((n, 2)),
        embedding_y=rng.integers(0, m, n),
        embedding_c=rng.integers(-1, 2, n),
        metrics=[{"mi": 0.3}, {"mi": float("nan")}, {}],
    )
    names = tuple(f"class {i}" for i in range(m))
    html = render(make_content(runs=[run], classes=names))
    Page(html)
    assert len(figures_of(html)) == 1 + 1 + 2 + 1


def test_matplotlib_settings_are_left_alone_and_without_effect(html):
    import matplotlib

    with matplotlib.rc_context({"font.size": 31, "axes.grid": True, "svg.fonttype": "path"}):
        before = dict(matplotlib.rcParams)
        again = render(make_content())
        assert dict(matplotlib.rcParams) == before
    assert again == html


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": {"unbiased": 41.0}}, r"accuracy\['unbiased'\].* of at most 1, got 41"),
        ({"accuracy": {"unbiased": float("nan")}}, "got nan"),
        ({"confusion": {"unbiased": np.zeros((2, 3))}}, r"\(m, m\), got shape \(2, 3\)"),
        ({"confusion": {"unbiased": -np.eye(M)}}, "counts >= 0"),
        ({"embedding": np.zeros((5, 3))}, r"\(n, 2\), got shape \(5, 3\)"),
        ({"embedding": np.full((700, 2), np.nan)}, "finite"),
        ({"embedding_c": np.zeros(3, dtype=int)}, r"\(700,\) or \(700, 3\)"),
        ({"embedding_c": np.full((700, 3), 255.0)}, r"RGB in \[0, 1\]"),
        ({"embedding_c": np.zeros(700)}, "integer type"),
    ],
)
def test_bad_runs_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_run("plain", 0, 0.5, **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"runs": ()}, "at least one run"),
        ({"runs": (make_run("mi", 0, 0.5), make_run("mi", 0, 0.5))}, "more than once"),
        ({"classes": ("a",)}, "at least two classes"),
        ({"classes": ("a", "b", "c")}, r"\(3, 3\), got shape \(4, 4\)|in 0\.\.2"),
        ({"samples": np.zeros((6, 8, 8, 3))}, "uint8"),
        ({"sample_labels": None}, "sample_labels"),
        ({"sample_labels": np.full(6, M)}, r"in 0\.\.3, got values in 4\.\.4"),
        ({"train_sample_labels": np.zeros(3, dtype=int)}, r"shape \(40,\), got shape \(3,\)"),
        ({"runs": (make_run("mi", 0, 0.5, predictions=np.zeros(5, dtype=int)),)}, "predictions"),
        ({"runs": (make_run("mi", 0, 0.5, embedding_y=np.zeros(5, dtype=int)),)}, "embedding_y"),
    ],
)
def test_content_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_content(**changes)


def test_import_is_light():
    assert importlib.util.find_spec("infoshed.report")
    code = "import sys, infoshed.report; print({'matplotlib', 'jinja2', 'PIL'} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    if "infoshed/__init__" in result.stderr:
        pytest.skip("infoshed itself cannot be imported")
    assert result.stdout.strip() == "set()", result.stderr
