"""The words by which publishers and users name the sides of a split, and what each means here."""

__all__ = ["SIDES"]

SIDES = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}
