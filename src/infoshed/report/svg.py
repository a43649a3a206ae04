"""Matplotlib figures as SVG elements that may stand side by side inside one HTML page.

A figure is drawn on nothing (transparent). What is drawn in ``INK`` takes the text colour of the
page (``currentColor``) and what is drawn in ``PAGE`` its background, so that one picture serves
the light and the dark scheme. Text stays text, in the font of the page.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from xml.etree import ElementTree

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.figure import Figure

from infoshed.report.content import printable

INK = "#010203"
PAGE = "#010204"
_SCHEME = {INK: "currentColor", PAGE: "var(--page, #fff)"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "infoshed",
    "text.parse_math": False,  # a class may be called "$5"
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": INK,
    "grid.alpha": 0.14,
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


@contextmanager
def canvas(width: float, height: float) -> Iterator[Figure]:
    """An empty figure of ``width`` by ``height`` (units of the SVG's viewBox) in the page's style.

    Matplotlib's parameters are the library's defaults plus this style while the context lasts, and
    the caller's own again afterwards.
    """
    with rc_context(), warnings.catch_warnings():
        # The browser draws the text, with fonts that need not be here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        rcdefaults()
        rcParams.update(_STYLE)
        yield Figure(figsize=(width / 72, height / 72), layout="constrained")


def shorten(text: str, length: int = 16) -> str:
    """``text`` in at most ``length`` printable characters, for a label in a figure."""
    text = " ".join(printable(text).split())
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def to_svg(fig: Figure, *, label: str, prefix: str) -> str:
    """``fig`` as an ``<svg>`` element; call it inside ``canvas``.

    label: what the picture shows, for those who do not see it.
    prefix: starts every id in it, so that two figures on a page do not share one.
    """
    buffer = StringIO()
    fig.savefig(buffer, format="svg", metadata={"Date": None})
    root = ElementTree.fromstring(buffer.getvalue())
    _prune(root)
    ids = _referenced(root, prefix)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        element.attrib.clear()
        for name, value in attributes.items():
            value = _attribute(name, value, ids)
            if value:
                element.set(name, value)
        if element.tag != "text":
            element.text = None
        element.tail = None
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    root.set("role", "img")
    root.set("aria-label", printable(label))
    # Matplotlib sets these two for every element of the document, page included.
    root.set("stroke-linejoin", "round")
    root.set("stroke-linecap", "butt")
    return ElementTree.tostring(root, encoding="unicode")


def _prune(element: ElementTree.Element) -> None:
    """Remove metadata, style sheets and the definitions that they leave empty."""
    for child in list(element):
        _prune(child)
        tag = child.tag.rpartition("}")[2]
        if tag in ("metadata", "style") or (tag in ("defs", "g") and not len(child)):
            element.remove(child)


def _referenced(root: ElementTree.Element, prefix: str) -> dict[str, str]:
    """Old id -> new id, of the ids that something in ``root`` refers to, in document order."""
    values = [value for element in root.iter() for value in element.attrib.values()]
    found = [name for value in values for name in re.findall(r"^#(\S+)$|url\(#([^)]+)\)", value)]
    names = dict.fromkeys(first or second for first, second in found)
    return {name: f"{prefix}-{index}" for index, name in enumerate(names)}


def _attribute(name: str, value: str, ids: dict[str, str]) -> str:
    """The attribute's new value; empty where it is to be left out."""
    if name == "id":
        return ids.get(value, "")
    if name == "href" and value.startswith("#"):
        return "#" + ids[value[1:]]
    if name == "style":
        return _style(value)
    if name in ("d", "x", "y"):
        value = re.sub(r"-?\d+\.\d+", lambda number: f"{float(number[0]):.2f}", value)
        value = " ".join(value.split())
        # A line of no length is how ``figures`` draws a dot; say it in fewer characters.
        return re.sub(r"M (\S+ \S+) L \1(?= |$)", r"M\1h0", value)
    if name == "transform":
        return "" if value.startswith("rotate(-0 ") else value
    return re.sub(r"url\(#([^)]+)\)", lambda match: f"url(#{ids[match[1]]})", value)


def _style(value: str) -> str:
    """A style attribute in the page's own colours and font."""
    declarations = []
    for declaration in filter(None, map(str.strip, value.split(";"))):
        name, _, setting = map(str.strip, declaration.partition(":"))
        if name == "font":  # "[weight] 10.5px 'family', ...": the family is the page's
            found = re.match(r"(?:(\w+) )?([\d.]+px)", setting)
            weight, size = found.groups() if found else (None, "10px")
            declarations.append(f"font-size: {size}")
            if weight:
                declarations.append(f"font-weight: {weight}")
        else:
            declarations.append(f"{name}: {_SCHEME.get(setting, setting)}")
    return "; ".join(declarations)
