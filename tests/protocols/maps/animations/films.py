"""Time-lapses read by independent programs: Pillow, and FFmpeg through PyAV."""

import io
import struct
from collections.abc import Iterator

import av
import numpy as np
from PIL import Image, ImageSequence

WHITE = 255


def frames_of(body: bytes) -> np.ndarray:
    """Return (frame, y, x, 3) of a GIF or WebP."""
    film = Image.open(io.BytesIO(body))
    return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(film)])


def durations_ms(body: bytes) -> list[int]:
    """Return how long each frame of a GIF or WebP lasts."""
    film, durations = Image.open(io.BytesIO(body)), []
    for frame in ImageSequence.Iterator(film):
        frame.load()
        durations.append(frame.info["duration"])
    return durations


def video_frames(body: bytes) -> np.ndarray:
    """Return (frame, y, x, 3) of a video."""
    with av.open(io.BytesIO(body)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def boxes_of(body: bytes) -> Iterator[str]:
    """Yield the names of the outermost boxes of an MP4 (ISO 14496-12 §4.2)."""
    place = 0
    while place < len(body):
        size, name = struct.unpack_from(">I4s", body, place)
        yield name.decode()
        place += size


def on_white(rgba: np.ndarray) -> np.ndarray:
    """Return (y, x, 3) of a picture that is opaque or nothing."""
    return np.where(rgba[..., 3:] == 0, WHITE, rgba[..., :3])
