"""Pages in a real browser: they open, nothing is logged, nothing is fetched, charts have a size."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("jinja2")

from infoshed import audit, audit_data
from infoshed.report import ReportContent, RunContent, render
from infoshed.report.audit import AuditContent, render_audit
from infoshed.report.data import DataContent, render_data_audit

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
               None)  # fmt: skip
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--enable-logging=stderr",
)  # fmt: skip
MEASURE = """<script>addEventListener("load", () => {
const sizes = [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect());
document.body.textContent = "MEASURED" + JSON.stringify({
  sizes: sizes.map(r => [r.width, r.height]),
  fetched: performance.getEntriesByType("resource").map(e => e.name),
  wide: document.documentElement.scrollWidth - innerWidth,
}) + "END";
});</script></head>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium or google-chrome on this machine"),
]


def browse(page: Path, profile: Path, *flags: str) -> tuple[str, str]:
    """What the browser prints, and what it logs."""
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *FLAGS, f"--user-data-dir={profile}", *flags, page.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def pages() -> dict[str, str]:
    """An audit and a table with hostile names, and a report of runs with images."""
    rng = np.random.default_rng(0)
    n, name = 240, "<script>console.error('x')</script>"
    y = rng.integers(0, 2, n)
    c = {name: np.array(["a", name])[np.where(rng.random(n) < 0.8, y, 1 - y)]}
    z = rng.normal(size=(n, 2)) + y[:, None]
    label = np.array(["no", name])[y]
    found = audit(z, c, label, predictions=label, target_name=name, estimator="quick")
    images = rng.integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    run = RunContent(
        "mi", 0, {"unbiased": 0.5}, [{"epoch": 1, "mi": 0.1}, {"epoch": 2, "mi": 0.2}], {},
        predictions=np.zeros(4, int),
    )  # fmt: skip
    report = ReportContent(
        name, name, "", (name, "b"), name, 0.6, 0.1, (run,), images, np.zeros(4, int), "test"
    )
    return {
        "audit": render_audit(AuditContent(found, name, command=name)),
        "data": render_data_audit(DataContent(audit_data(label, c), name)),
        "report": render(report),
    }


def test_pages_open_in_a_browser(tmp_path: Path):
    for name, html in pages().items():
        page, measured = tmp_path / f"{name}.html", tmp_path / f"{name}-measured.html"
        page.write_text(html, encoding="utf-8")
        picture = tmp_path / f"{name}.png"
        _, log = browse(page, tmp_path / "profile", f"--screenshot={picture}")
        assert "CONSOLE" not in log, log
        assert picture.stat().st_size > 5000

        free = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
        assert free != html  # the page itself forbids scripts, and this one measures
        measured.write_text(free.replace("</head>", MEASURE, 1), encoding="utf-8")
        dom, _ = browse(
            measured, tmp_path / "profile", "--dump-dom", "--window-size=500,900",
            "--virtual-time-budget=5000",
        )  # fmt: skip
        found = json.loads(dom.rpartition("MEASURED")[2].partition("END")[0])
        assert [url for url in found["fetched"] if not url.startswith("data:")] == []
        assert found["sizes"]
        assert min(min(size) for size in found["sizes"]) > 60
        assert found["wide"] <= 0
