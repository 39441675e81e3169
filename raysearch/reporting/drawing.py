"""A confusion matrix and spectrograms as pixels, drawn by Pillow, which TensorBoard brings.

Axes: H and W pixels, K emotions, T frames, F bins; the last axis of a picture is red, green, blue.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

__all__ = ["Heard", "draw_confusion", "draw_heard"]

Pixels = NDArray[np.uint8]

CELL, MARGIN, FONT_SIZE, BAR = 64, 12, 14, 18
# Dark where nothing is; readable with any sight and in print, as viridis is, by its anchors.
_SCALE = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], dtype=np.float64
)
_WHITE, _BLACK, _BLUE = (255, 255, 255), (20, 20, 20), np.array([8, 48, 107], dtype=np.float64)
_FRAME_WIDTH, _BIN_HEIGHT = 3, 3


@dataclass(frozen=True, slots=True)
class Heard:
    """One recording as a network gets it.

    Attributes:
        name: whose it is, and of what.
        plain_TF: normalised, as in validation.
        changed_TF: as one draw of the augmentation leaves it; None where nothing is changed.
    """

    name: str
    plain_TF: NDArray[np.float32]
    changed_TF: NDArray[np.float32] | None = None


def draw_confusion(counts_KK: NDArray[np.int64], labels: Sequence[str], title: str) -> Pixels:
    """Draw a matrix: each row's shares as colour, its shares and counts as text.

    Args:
        counts_KK: true emotions as rows.
        labels: their names.
        title: a line above it.
    """
    font = ImageFont.load_default(FONT_SIZE)
    left = MARGIN * 2 + max(int(font.getlength(f"true {label}")) for label in labels)
    top, size = MARGIN * 2 + FONT_SIZE * 3, CELL * len(labels)
    width = max(left + size + 3 * MARGIN + BAR + 48, int(font.getlength(title)) + 2 * MARGIN)
    picture = Image.new("RGB", (width, top + size + MARGIN), _WHITE)
    draw = ImageDraw.Draw(picture)
    draw.text((MARGIN, MARGIN), title, fill=_BLACK, font=font)
    shares_KK = counts_KK / np.maximum(counts_KK.sum(axis=1, keepdims=True), 1)
    for row, label in enumerate(labels):
        middle = (row + 0.5) * CELL
        beside, above = (left - MARGIN, top + middle), (left + middle, top - MARGIN)
        draw.text(beside, f"true {label}", fill=_BLACK, font=font, anchor="rm")
        draw.text(above, _fitting(label, font), fill=_BLACK, font=font, anchor="mm")
        for column, share in enumerate(shares_KK[row]):
            x, y = left + column * CELL, top + row * CELL
            draw.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=_blue(share))
            ink = _WHITE if share > 0.5 else _BLACK
            text = f"{100 * share:.0f}%\n{counts_KK[row, column]}"
            draw.multiline_text(
                (x + CELL / 2, y + CELL / 2), text, ink, font, anchor="mm", align="center"
            )
    _draw_bar(draw, (left + size + MARGIN, top), size, font)
    return np.asarray(picture)


def draw_heard(rows: Sequence[Heard]) -> Pixels:
    """Draw recordings below each other, low bins at the bottom, beside each one augmented."""
    font = ImageFont.load_default(FONT_SIZE)
    parts = [_titled(one, font) for one in rows]
    width = max(part.width for part in parts)
    height = sum(part.height + MARGIN for part in parts)
    picture, y = Image.new("RGB", (width, height), _WHITE), 0
    for part in parts:
        picture.paste(part, (0, y))
        y += part.height + MARGIN
    return np.asarray(picture)


def _titled(one: Heard, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> Image.Image:
    low, high = np.quantile(one.plain_TF, (0.01, 0.99))
    images = [(one.name, one.plain_TF)]
    if one.changed_TF is not None:
        images.append(("augmented, one draw of many", one.changed_TF))
    drawn = [(title, _heat(values_TF, float(low), float(high))) for title, values_TF in images]
    top = FONT_SIZE + MARGIN
    columns = [max(image.width, int(font.getlength(title))) for title, image in drawn]
    width = sum(columns) + MARGIN * (len(drawn) + 1)
    picture = Image.new("RGB", (width, top + drawn[0][1].height), _WHITE)
    draw, x = ImageDraw.Draw(picture), MARGIN
    for (title, image), column in zip(drawn, columns, strict=True):
        draw.text((x, 4), title, fill=_BLACK, font=font)
        picture.paste(image, (x, top))
        x += column + MARGIN
    return picture


def _heat(values_TF: NDArray[np.float32], low: float, high: float) -> Image.Image:
    scaled_FT = np.clip((values_TF.T[::-1] - low) / max(high - low, 1e-6), 0, 1)
    places = np.linspace(0, 1, len(_SCALE))
    pixels = np.stack([np.interp(scaled_FT, places, channel) for channel in _SCALE.T], axis=-1)
    image = Image.fromarray(pixels.astype(np.uint8))
    size = (image.width * _FRAME_WIDTH, image.height * _BIN_HEIGHT)
    return image.resize(size, Image.Resampling.NEAREST)


def _draw_bar(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    height: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """What the colours mean: the share of a true emotion's recordings."""
    x, top = corner
    for y in range(height):
        draw.line((x, top + y, x + BAR, top + y), fill=_blue(1 - y / max(height - 1, 1)))
    for share, anchor in ((1.0, "la"), (0.5, "lm"), (0.0, "ld")):
        place = (x + BAR + 4, top + (1 - share) * height)
        draw.text(place, f"{100 * share:.0f}%", fill=_BLACK, font=font, anchor=anchor)


def _blue(share: float) -> tuple[int, int, int]:
    red, green, blue = (255 + (_BLUE - 255) * share).astype(int)
    return int(red), int(green), int(blue)


def _fitting(label: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As much of a column's name as fits above it."""
    if font.getlength(label) <= CELL - 2:
        return label
    while label and font.getlength(f"{label}.") > CELL - 2:
        label = label[:-1]
    return f"{label}."
