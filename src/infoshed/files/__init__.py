"""Arrays and samples from npy, npz, csv, tsv and parquet files.

A new format is a function and a line in `infoshed.files.formats.FORMATS`.
"""

from infoshed.files.sample import KINDS, Sample, as_kind, read_sample, read_tables
from infoshed.files.table import (
    Table,
    open_source,
    read_array,
    read_cells,
    read_column,
    read_table,
    split_source,
)

__all__ = [
    "KINDS",
    "Sample",
    "Table",
    "as_kind",
    "open_source",
    "read_array",
    "read_cells",
    "read_column",
    "read_sample",
    "read_table",
    "read_tables",
    "split_source",
]
