"""Make the pictures of the documentation out of the demo: `python -m docs.pictures.make`.

The pictures are committed: run this again after a visible change of the viewer, and check them. It needs Chromium
and Node with the packages of `make viewer`.
"""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import make_demo
from tests.protocols.listening import listening

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"
SIZE = (800, 556)
MOST_BYTES = 1_000_000


def animate(frames: list[Path], file: Path) -> None:
    """Write frames, whose names end with the milliseconds that each is shown, as one animated WebP.

    Raises:
        ValueError: The file is too large for a README.
    """
    pictures = [Image.open(frame).convert("RGB").resize(SIZE, Image.Resampling.LANCZOS) for frame in frames]
    durations = [int(frame.stem.rpartition("-")[2]) for frame in frames]
    pictures[0].save(
        file,
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=50,
        method=6,
        minimize_size=True,
    )
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file.name} has {file.stat().st_size} bytes, at most {MOST_BYTES} are accepted")


def main() -> None:
    """Write all pictures."""
    node = shutil.which("node") or "node"
    with TemporaryDirectory() as folder:
        config = make_demo(Path(folder, "demo"))
        frames = Path(folder, "frames")
        frames.mkdir()
        with listening(create_app(Settings(config=config))) as url:
            subprocess.run([node, HERE / "viewer.mjs", f"{url}/", frames], check=True)  # noqa: S603 - our own script
        animate(sorted(frames.glob("*.png")), IMAGES / "viewer.webp")


if __name__ == "__main__":
    main()
