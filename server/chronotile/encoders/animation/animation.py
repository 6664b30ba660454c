"""Time-lapses in the formats that browsers and slides show, written frame by frame into a scratch file."""

from collections.abc import Callable, Iterable, Mapping

from chronotile.encoders.animation.gif import write_gif
from chronotile.encoders.animation.mp4 import write_mp4
from chronotile.encoders.animation.webp import write_webp
from chronotile.encoders.file_parts import FileParts
from chronotile.encoders.scratch import TEMPORARY, Scratch, ScratchFile
from chronotile.errors import LimitExceeded
from chronotile.model.animation import AnimationFormat, Film, Frame

MAX_BYTES = 512 << 20
"""Of a file that a client waits for, past which it is given up."""
BYTES_PER_PIXEL = 2
"""More than frames take, whatever they show: only what is small for sure lies in memory."""

Write = Callable[[ScratchFile, Iterable[Frame], Film], None]
WRITERS: Mapping[AnimationFormat, Write] = {"image/gif": write_gif, "image/webp": write_webp, "video/mp4": write_mp4}


def encode_animation(
    frames: Iterable[Frame],
    film: Film,
    format: AnimationFormat,
    *,
    scratch: Scratch = TEMPORARY,
    most_bytes: int | None = None,
) -> FileParts:
    """Return a time-lapse as a file, to be closed by who takes it.

    Args:
        frames: Taken one after the other; what they raise ends the file.
        film: Their size, number and pace.
        format: Media type.
        scratch: Where it is written.
        most_bytes: The most that it may have.

    Raises:
        LimitExceeded: The file is larger.
        OSError: There is no room for it.
    """
    most = MAX_BYTES if most_bytes is None else most_bytes
    file = scratch.file(film.width * film.height * film.count * BYTES_PER_PIXEL)
    try:
        WRITERS[format](file, _bounded(frames, file, most), film)
    except BaseException:  # whatever it is: an open file takes disk, and is a descriptor
        file.close()
        raise
    return FileParts([file])


def _bounded(frames: Iterable[Frame], file: ScratchFile, most: int) -> Iterable[Frame]:
    for frame in frames:
        if file.size > most:
            raise LimitExceeded(
                "bytes of an animation",
                allowed=most,
                needed=file.size,
                alternative="request a smaller picture, fewer frames, or mp4",
                locator="width",
            )
        yield frame
