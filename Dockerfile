# The server in an image of its own: docker build --tag chronotile .
# Serves config/chronotile.yaml under /srv/chronotile, as a user without rights, and does jobs with `chronotile worker`;
# see docker-compose.yml for the rest.

FROM node:20-slim AS viewer
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY viewer viewer
RUN npm run vendor

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY pyproject.toml requirements.lock README.md CHANGELOG.md LICENSE ./
COPY server server
COPY styles styles
COPY tools tools
COPY --from=viewer /build/viewer viewer
# The landscape of the demo is made by the package itself, which is then built again with it.
RUN python -m venv /opt/chronotile \
    && /opt/chronotile/bin/pip install --no-cache-dir --constraint requirements.lock . \
    && /opt/chronotile/bin/python -m tools.demo server/chronotile/demo/landscape.npz.xz \
    && /opt/chronotile/bin/pip uninstall --yes chronotile \
    && pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
    && wheel=$(ls dist/*.whl) \
    && /opt/chronotile/bin/pip install --no-cache-dir --compile --constraint requirements.lock "${wheel}[analysis,dask,netcdf,postgresql,s3,video,zarr]"

FROM python:3.13-slim
# rasterio's wheels take libexpat from the system. Its version is the base image's business, not ours.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /srv/chronotile --shell /usr/sbin/nologin chronotile \
    && install --directory --owner chronotile --group chronotile /srv/chronotile /var/lib/chronotile
COPY --from=build /opt/chronotile /opt/chronotile
# One thread a product: numpy's own threads only get in the way of the server's.
ENV PATH=/opt/chronotile/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    GDAL_NUM_THREADS=1
WORKDIR /srv/chronotile
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
# As many workers as the container's limits of cores and memory allow (docker run --cpus 4 --memory 2g).
CMD ["chronotile", "serve", "--host", "0.0.0.0"]
