"""The formats in which predictions are written, by name and by a file's ending."""

from typing import Literal

__all__ = ["SUFFIXES", "PredictionFormat", "TextFormat"]

TextFormat = Literal["csv", "json", "jsonl"]
PredictionFormat = Literal["table", "csv", "json", "jsonl", "parquet"]
SUFFIXES: dict[str, PredictionFormat] = {
    ".csv": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".parquet": "parquet",
}
