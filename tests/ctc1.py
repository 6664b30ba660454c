"""A plain decoder of CTC1, written from docs/ctc1.md alone: pixel by pixel, slow, nothing of it shared with ours."""

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
    """(time, y, x), `nodata` where the mask says so."""
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
        """(time, y, x): 1 where a number stands for its value and all above, -1 where it and all below, else 0."""
        least, greatest = self.header.get("reach", (None, None))
        at_ends = (self.numbers == greatest).astype(int) - (self.numbers == least)
        return np.where(np.isnan(self.values()), 0, at_ends * int(np.sign(self.header["scale"])))

    def cell_at(self, across: float, down: float) -> tuple[int, int] | None:
        """The row and column of the number of a place, 0 to 1 over the tile; `None` where the source has no cell."""
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
    """The cube of a body after content decoding."""
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
        frames += _frames([_joined(each, size) for each in residuals], block["pred"], width, height, 256**size)
    if at != len(body):
        raise NotCtc1("it goes on")
    filled = np.array(frames, dtype=header["dtype"]).reshape(-1, height, width)
    none = np.zeros((height, width), dtype=bool)
    gaps = np.array([none if mask is None else mask for mask in masks]).reshape(filled.shape)
    return Decoded(header, np.where(gaps, header["nodata"], filled).astype(header["dtype"]), filled, gaps)


def _header(body: bytes) -> tuple[dict, int]:
    """The header, and where the first block begins."""
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


def _bits(mask: bytes, width: int, height: int) -> list[list[bool]]:
    if len(mask) != -(-width * height // 8):
        raise NotCtc1("a mask is not whole")
    flat = [bool(mask[pixel // 8] >> (pixel % 8) & 1) for pixel in range(width * height)]
    return [flat[row * width : (row + 1) * width] for row in range(height)]


def _joined(residuals: bytes, size: int) -> list[int]:
    count = len(residuals) // size
    return [sum(residuals[plane * count + pixel] << (8 * plane) for plane in range(size)) for pixel in range(count)]


def _frames(residuals: list[list[int]], predictor: int, width: int, height: int, modulus: int) -> list[list[int]]:
    frames: list[list[int]] = []
    for number, frame in enumerate(residuals):
        if len(frame) != width * height:
            raise NotCtc1("a frame is not whole")
        values: list[int] = []
        for pixel, residual in enumerate(frame):
            before = frames[number - 1] if number else None
            predicted = {0: _none, 1: _time, 2: _gradient}[predictor](values, before, pixel, width, modulus)
            values.append((residual + predicted) % modulus)
        frames.append(values)
    return frames


def _none(_values, _before, _pixel, _width, _modulus) -> int:
    return 0


def _time(_values, before, pixel, _width, _modulus) -> int:
    return before[pixel] if before else 0


def _gradient(values, before, pixel, width, modulus) -> int:
    row, column = divmod(pixel, width)
    left = pixel - 1 if column else pixel - width
    upper = pixel - width if row else pixel - 1
    if before is None:
        return (values[left] + values[upper]) >> 1 if pixel else 0
    if not pixel:
        return before[0]
    change = (values[left] - before[left]) + (values[upper] - before[upper])
    return min(max(before[pixel] + (change >> 1), 0), modulus - 1)
