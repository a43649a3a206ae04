"""Self-contained HTML pages: of trained runs, of audits, of sweeps.

``render`` takes plain data (``ReportContent``) and gives the page of runs as a string: no network,
no script, figures as SVG inside the page. The pages of audits (``audit``, ``data``) and of sweeps
(``sweep``) have the same frame. Matplotlib and Jinja2 are loaded when a page is made, so that
importing this package stays light.
"""

from infoshed.report.content import ReportContent, RunContent

__all__ = ["ReportContent", "RunContent", "render"]


def render(content: ReportContent) -> str:
    """The HTML page of ``content``; the same content gives the same string, byte for byte."""
    from infoshed.report.training import render as render_page

    return render_page(content)
