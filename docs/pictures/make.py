"""Make all pictures of the documentation out of the demo: `python -m docs.pictures.make`.

The pictures are committed, with the look of the viewer (`look.py`) in their metadata. If a test reports another look,
build the viewer (`make viewer`), run this, and check the pictures. It needs Chromium and Node.
"""

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import make_demo
from docs.pictures.look import IMAGES, look_metadata
from tests.protocols.listening import listening

HERE = Path(__file__).parent
ANIMATION_SIZE = (800, 556)
MAX_BYTES = 1_000_000


def animate(frames: list[Path], file: Path) -> None:
    """Write frames, whose names end with the milliseconds that each is shown, as one animated WebP.

    Raises:
        ValueError: The file is too large for a README.
    """
    pictures = [Image.open(frame).convert("RGB").resize(ANIMATION_SIZE, Image.Resampling.LANCZOS) for frame in frames]
    durations = [int(frame.stem.rpartition("-")[2]) for frame in frames]
    pictures[0].save(
        file,
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        quality=30,
        method=6,
        minimize_size=True,
        exif=look_metadata(),
    )
    if file.stat().st_size > MAX_BYTES:
        raise ValueError(f"{file.name} has {file.stat().st_size} bytes, at most {MAX_BYTES} are accepted")


def main() -> None:
    """Write all pictures."""
    node = shutil.which("node") or "node"
    with TemporaryDirectory() as temporary:
        config = make_demo(Path(temporary, "demo"))
        folder = Path(temporary, "pictures")
        (folder / "frames").mkdir(parents=True)
        with listening(create_app(Settings(config=config))) as url:
            subprocess.run([node, HERE / "viewer.mjs", f"{url}/", folder], check=True)  # noqa: S603 - our own script
        animate(sorted(folder.glob("frames/*.png")), IMAGES / "viewer.webp")
        for picture in folder.glob("*.png"):
            still = Image.open(picture).convert("RGB")
            still.save(IMAGES / f"{picture.stem}.jpg", quality=85, optimize=True, exif=look_metadata())


if __name__ == "__main__":
    main()
