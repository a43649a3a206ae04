"""From a template and its values to one HTML page; what all pages of the package share.

``base.html.j2`` is the frame (head, style sheet, verdict, sections, footer), ``parts.html.j2`` has
tables and charts. A page needs no network and no script, and its text is escaped.
"""

from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from infoshed.report.content import printable
from infoshed.report.figures import METHOD_COLOURS


def render_template(
    name: str,
    title: str,
    verdict: tuple[str, str],
    sections: Sequence[tuple[str, str]],
    **values: Any,
) -> str:
    """The page that a template of the package makes; the same values give the same bytes.

    Args:
        name: of the template, which extends the base.
        title: of the page. verdict: a sentence, and what is said below it ("" for nothing).
        sections: id and heading of each, for the list at the top.
        values: whatever else the template needs.
    """
    environment = Environment(
        loader=PackageLoader("infoshed.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.get_template(name).render(
        title=title, verdict=verdict, sections=sections, palette=METHOD_COLOURS, **values
    )
