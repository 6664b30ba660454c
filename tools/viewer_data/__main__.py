"""Write the world's data for the viewer's search and ground: `python -m tools.viewer_data FOLDER`.

GeoNames (geonames.org) is CC BY 4.0; Natural Earth is in the public domain.
"""

import shutil
import sys
from pathlib import Path

from tools.viewer_data.files import Written
from tools.viewer_data.ground import write_ground, write_world
from tools.viewer_data.towns import read_towns, write_towns

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shutil.rmtree(folder, ignore_errors=True)
    written = Written(folder)
    write_towns(read_towns(), written)
    write_world(written)
    write_ground(written)
    written.close()
