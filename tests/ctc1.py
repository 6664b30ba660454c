"""A plain decoder of CTC1, written from docs/design/ctc1*.md alone: diagonal by diagonal, and shares no code."""

import json
import math
from dataclasses import dataclass

import numpy as np


class NotCtc1(Exception):
    """The bytes are no whole cube."""


@dataclass(frozen=True)
class Decoded:
    """A cube as a viewer has it."""

    header: dict
    numbers: np.ndarray
    """(time, y, x), `nodata` in masked cells."""
    filled: np.ndarray
    """(time, y, x) before the mask is applied."""
    gaps: np.ndarray
    """(time, y, x)."""

    def values(self) -> np.ndarray:
        """(time, y, x) float64, NaN in gaps and at flags."""
        header = self.header
        values = self.numbers.astype("float64") * header["scale"] + header["offset"]
        lacks = self.gaps.copy()
        for flag in header.get("flags", {}):
            lacks |= self.numbers == int(flag)
        return np.where(lacks, np.nan, values)

    def beyond(self) -> np.ndarray:
        """(time, y, x): 1 if a number stands for its value and all above, -1 for it and all below, else 0."""
        least, greatest = self.header.get("reach", (None, None))
        at_ends = (self.numbers == greatest).astype(int) - (self.numbers == least)
        return np.where(np.isnan(self.values()), 0, at_ends * int(np.sign(self.header["scale"])))

    def cell_at(self, across: float, down: float) -> tuple[int, int] | None:
        """Return the row and column of the number at a point, 0 to 1 over the tile; `None` without a cell."""
        height, width = self.header["h"], self.header["w"]
        cells = self.header.get("cells")
        if cells is None:
            return math.floor(down * height), math.floor(across * width)
        column, row = (_chebyshev_sum(cells[axis], 2 * across - 1, 2 * down - 1) for axis in ("columns", "rows"))
        is_inside = 0 <= column < width and 0 <= row < height
        return (math.floor(row), math.floor(column)) if is_inside else None

    def exact_values(self) -> np.ndarray:
        """(time, y, x) float64, NaN in gaps and at flags, computed as the source's own numbers are."""
        source = self.header.get("source")
        if source is None:
            return self.values()
        shifted = self.numbers.astype("int64") + source["shift"]
        return np.where(np.isnan(self.values()), np.nan, shifted * self.header["scale"] + source["offset"])


def _chebyshev_sum(terms: list[list[float]], u: float, v: float) -> float:
    """T_n(x) is cos(n arccos x)."""
    return sum(
        term * math.cos(i * math.acos(u)) * math.cos(j * math.acos(v))
        for j, line in enumerate(terms)
        for i, term in enumerate(line)
    )


def decode_cube(body: bytes) -> Decoded:
    """Return the cube of a body after content decoding."""
    header, at = _header(body)
    width, height, size = header["w"], header["h"], {"uint8": 1, "uint16": 2}[header["dtype"]]
    frames, masks = [], []
    for block in header["blocks"]:
        mask_bytes = -(-width * height // 8)
        for number in range(block["n"]):
            start = at + number * mask_bytes
            masks.append(_bits(body[start : start + mask_bytes], width, height) if block["mask"] else None)
        at += block["n"] * mask_bytes * block["mask"]
        frame_bytes = width * height * size
        residuals = [body[at + number * frame_bytes :][:frame_bytes] for number in range(block["n"])]
        at += block["n"] * frame_bytes
        if at > len(body):
            raise NotCtc1("it ends early")
        frames += _frames([_joined(each, width, height, size) for each in residuals], block["pred"], 256**size)
    if at != len(body):
        raise NotCtc1("it goes on")
    filled = np.array(frames, dtype=header["dtype"]).reshape(-1, height, width)
    none = np.zeros((height, width), dtype=bool)
    gaps = np.array([none if mask is None else mask for mask in masks]).reshape(filled.shape)
    return Decoded(header, np.where(gaps, header["nodata"], filled).astype(header["dtype"]), filled, gaps)


def _header(body: bytes) -> tuple[dict, int]:
    """Return the header, and the start of the first block."""
    length = int.from_bytes(body[4:8], "little")
    if body[:4] != b"CTC1" or (8 + length) % 8 or 8 + length > len(body):
        raise NotCtc1("there is no whole header")
    try:
        header = json.loads(body[8 : 8 + length])
    except ValueError as error:
        raise NotCtc1("the header is no JSON") from error
    if header["v"] != 1 or header["dtype"] not in {"uint8", "uint16"}:
        raise NotCtc1("another version or type")
    if {block["pred"] for block in header["blocks"]} - {0, 1, 2}:
        raise NotCtc1("an unknown predictor")
    if sum(block["n"] for block in header["blocks"]) != len(header["times"]):
        raise NotCtc1("blocks have other dates than times")
    return header, 8 + length


def _bits(mask: bytes, width: int, height: int) -> np.ndarray:
    """(y, x)."""
    if len(mask) != -(-width * height // 8):
        raise NotCtc1("a mask is not whole")
    bits = np.unpackbits(np.frombuffer(mask, dtype="uint8"), bitorder="little")
    return bits[: width * height].astype(bool).reshape(height, width)


def _joined(residuals: bytes, width: int, height: int, size: int) -> np.ndarray:
    """(y, x) from the planes of bytes, the lowest first."""
    if len(residuals) != width * height * size:
        raise NotCtc1("a frame is not whole")
    planes = np.frombuffer(residuals, dtype="uint8").reshape(size, height, width).astype("int64")
    return sum(planes[plane] << (8 * plane) for plane in range(size))


def _frames(residuals: list[np.ndarray], predictor: int, modulus: int) -> list[np.ndarray]:
    """(y, x) each."""
    frames: list[np.ndarray] = []
    for number, frame in enumerate(residuals):
        before = frames[number - 1] if number else np.zeros_like(frame)
        if predictor == 2:
            frames.append(_gradient(frame, before, modulus))
        else:
            frames.append((frame + before * predictor) % modulus)
    return frames


def _gradient(residuals: np.ndarray, before: np.ndarray, modulus: int) -> np.ndarray:
    """(y, x): each number is predicted by how its left and its upper neighbour changed since the frame before."""
    height, width = residuals.shape
    values = np.zeros_like(residuals)
    changes = np.zeros((height + 1, width + 1), dtype=residuals.dtype)
    """From the second row and column, those of the pixels; the first ones stand for lacking neighbours."""
    for diagonal in range(height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(diagonal, height - 1) + 1)
        columns = diagonal - rows
        if 0 < diagonal < width:  # the upper neighbour of a pixel in the first row is the left one
            changes[0, diagonal + 1] = changes[1, diagonal]
        if 0 < diagonal < height:  # the left neighbour of a pixel in the first column is the upper one
            changes[diagonal + 1, 0] = changes[diagonal, 1]
        change = changes[rows + 1, columns] + changes[rows, columns + 1]
        predicted = np.clip(before[rows, columns] + (change >> 1), 0, modulus - 1)
        values[rows, columns] = (residuals[rows, columns] + predicted) % modulus
        changes[rows + 1, columns + 1] = values[rows, columns] - before[rows, columns]
    return values
