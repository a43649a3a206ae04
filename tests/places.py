"""Where data lie that the repository does not hold; tests that need them skip without."""

from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
