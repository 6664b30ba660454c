#!/bin/sh
# sh benchmarks/peers/setup.sh DIR: what the benchmarks compare with. Debian packages (needs root), and one virtual
# environment a peer below DIR/venvs; those that are there are left as they are.
set -eu
venvs="${1:?name a folder outside of the repository}/venvs"
mkdir -p "$venvs"
debian="wrk cgi-mapserver mapserver-bin nginx-light gdal-bin"
if command -v apt-get > /dev/null && [ "$(id -u)" = 0 ]; then
	apt-get update -q && apt-get install -y -q --no-install-recommends $debian
else
	echo "not root on Debian; install by hand what is missing of: $debian"
fi

environment() {
	venv="$venvs/$1"; shift
	[ -d "$venv" ] && return
	python3 -m venv "$venv" && "$venv/bin/pip" install -q "$@" || { rm -rf "$venv"; return 1; }
}

environment titiler titiler.application titiler.xarray xarray zarr 'uvicorn[standard]'
environment xpub xpublish xpublish-tiles xpublish-zarr xarray zarr rioxarray dask 'uvicorn[standard]'
environment terra terracotta gunicorn
environment pyga pygeoapi xarray zarr fsspec gunicorn
environment odc odc-stac rasterio
environment pyresample pyresample h5py

# xcube-core asks for GDAL's own bindings, a build from source that its server does not use: all it asks for but those.
if [ ! -d "$venvs/xcube" ]; then
	trap 'rm -rf "$venvs/xcube"' EXIT  # half of it would pass for installed
	python3 -m venv "$venvs/xcube"
	"$venvs/xcube/bin/pip" download -q --no-deps -d "$venvs/xcube/wheel" xcube-core
	"$venvs/xcube/bin/python" - "$venvs"/xcube/wheel/*.whl > "$venvs/xcube/needs.txt" <<'PYTHON'
import email, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    needs = email.message_from_bytes(wheel.read(name)).get_all("Requires-Dist", [])
print(*(need for need in needs if "extra ==" not in need and not need.lower().startswith("gdal")), sep="\n")
PYTHON
	"$venvs/xcube/bin/pip" install -q -r "$venvs/xcube/needs.txt"
	"$venvs/xcube/bin/pip" install -q --no-deps "$venvs"/xcube/wheel/*.whl
	trap - EXIT
fi
