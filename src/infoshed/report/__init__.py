"""One self-contained HTML page that shows what a set of trained classifiers does.

``render`` takes plain data (``ReportContent``) and gives the page as a string: no network, no
script, figures as SVG inside the page. Matplotlib and Jinja2 are loaded by ``render`` alone, so
that importing this package stays light.
"""

from infoshed.report.content import ReportContent, RunContent

__all__ = ["ReportContent", "RunContent", "render"]


def render(content: ReportContent) -> str:
    """The HTML page of ``content``; the same content gives the same string, byte for byte."""
    from infoshed.report.page import render as render_page

    return render_page(content)
