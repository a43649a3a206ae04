"""Text and tables written into the working folder."""

import csv
from pathlib import Path
from typing import Any


def write(name: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    Path(name).write_bytes(data)
    return name


def write_rows(name: str, rows: list[list[Any]], delimiter: str = ",") -> str:
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return name
