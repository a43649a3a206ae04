"""Markdown of rows that `estimators.py` made."""

import statistics
from typing import Any

import numpy as np


def matrix(rows: list[dict[str, Any]]) -> str:
    """Markdown of the zoo: mean error in nats, contenders in lines and cases in columns."""
    cells: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["suite"] == "zoo":
            params = ", ".join(f"{k}={v}" for k, v in row["params"].items())
            case = row["case"] + (f" ({params})" if params else "")
            cells.setdefault((row["contender"], case), []).append(row)
    contenders = list(dict.fromkeys(contender for contender, _ in cells))
    cases = list(dict.fromkeys(case for _, case in cells))
    truths = {case: group[0]["truth"] for (_, case), group in cells.items()}
    lines = [
        "**zoo**: mean error in nats at n = 2,000; \\* the interval missed the truth in every draw",
        "",
        f"| | {' | '.join(cases)} | median seconds |",
        "|---" * (len(cases) + 2) + "|",
        f"| truth | {' | '.join(f'{truths[case]:.3f}' for case in cases)} | |",
    ]
    for contender in contenders:
        texts, seconds = [], []
        for case in cases:
            group = [row for row in cells.get((contender, case), []) if "error" not in row]
            seconds += [row["seconds"] for row in group]
            if not group:
                texts.append("failed" if (contender, case) in cells else "")
                continue
            mean = statistics.mean(row["nats"] for row in group)
            if group[0].get("unit", "nats") != "nats":
                texts.append(f"({mean:.2f})")
                continue
            truth = truths[case]
            missed = all("low" in r and not r["low"] <= truth <= r["high"] for r in group)
            texts.append(f"{mean - truth:+.3f}" + "\\*" * missed)
        middle = f"{statistics.median(seconds):.1f}" if seconds else ""
        lines.append(f"| {contender} | {' | '.join(texts)} | {middle} |")
    return "\n".join(lines)


def table(rows: list[dict[str, Any]], suite: str) -> str:
    """Markdown: one line for each case, size and contender of the suite."""
    groups: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
    for row in rows:
        if row["suite"] == suite:
            params = ", ".join(f"{k}={v}" for k, v in row["params"].items())
            groups.setdefault((f"{row['case']}({params})", row["n"], row["contender"]), []).append(
                row
            )
    if not groups:
        return ""
    lines = [
        f"**{suite}**",
        "",
        "| case | n | estimator | draws | truth | mean error | spread | worst | interval holds it "
        "| p <= 0.05 | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (case, n, contender), group in groups.items():
        failed = [row for row in group if "error" in row]
        good = [row for row in group if "error" not in row]
        if not good:
            lines.append(f"| {case} | {n:,} | {contender} | 0, {len(failed)} failed |")
            continue
        truth = good[0]["truth"]
        error = [row["nats"] - truth for row in good]
        other = good[0].get("unit", "nats") != "nats"
        cells = [f"{truth:.3f}"]
        if other:
            mean = statistics.mean(row["nats"] for row in good)
            cells += [f"value {mean:.3f} ({good[0]['unit']})", "", ""]
        else:
            cells += [f"{statistics.mean(error):+.3f}", f"{statistics.pstdev(error):.3f}"]
            cells += [f"{max(error, key=abs):+.3f}"]
        if "low" in good[0] and not other:
            holds = [row["low"] - 1e-6 <= truth <= row["high"] + 1e-6 for row in good]
            cells += [f"{np.mean(holds):.0%}"]
        else:
            cells += [""]
        found = [row["null_p"] <= 0.05 for row in good if "null_p" in row]
        cells += [f"{np.mean(found):.0%}" if found else ""]
        cells += [f"{statistics.median(row['seconds'] for row in good):.1f}"]
        count = f"{len(good)}" + (f", {len(failed)} failed" if failed else "")
        lines.append(f"| {case} | {n:,} | {contender} | {count} | {' | '.join(cells)} |")
    return "\n".join(lines)
