/**
 * Cubes on a Leaflet map: a layer of canvases that goes through time without requests to the server, and returns the
 * values under the pointer. The caller passes Leaflet 1.9.
 *
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./source.js").Place} Place
 * @typedef {import("./source.js").Sample} Sample
 * @typedef {import("leaflet").GridLayer & {
 *   painter: CubePainter, source: import("./source.js").CubeSource, askForTiles: () => void, tileZoom: () => number,
 *   sample: (place: Place, index: number) => Sample | null,
 * }} CubeLayer
 * @typedef {{
 *   source: import("./source.js").CubeSource, tableOf: import("./painter.js").TableOf, covers?: (tile: Tile) =>
 *     boolean,
 *   onProgress?: (progress: import("./painter.js").Progress) => void, onPaint?: () => void, onLoad?: () => void,
 *   zoomOffset?: number,
 * }} CubeOptions `covers` returns whether the layer has data in a tile; with a `tileSize` of 128 and a `zoomOffset` of
 *   1, tiles are those of the next zoom, half as large
 */
import { CubePainter } from "./painter.js";
import { distanceOf } from "./source.js";

/**
 * Enlarges a tile by one pixel of the screen under its neighbours if their size is not a whole number of page pixels:
 * otherwise the base map is visible through the seams.
 * @param {HTMLElement} tile @param {number} size in pixels of the page
 */
export function closeSeams(tile, size) {
	const ratio = globalThis.devicePixelRatio || 1;
	if (Number.isInteger(ratio)) return;
	tile.style.width = tile.style.height = `${size + 1 / ratio}px`;
}

/**
 * @param {{ GridLayer: typeof import("leaflet").GridLayer }} L
 * @param {CubeOptions & import("leaflet").GridLayerOptions} options
 * @returns {CubeLayer}
 */
export function makeCubeLayer(
	L,
	{ source, tableOf, covers = () => true, onProgress, onPaint, onLoad, maxNativeZoom, zoomOffset = 0, ...options },
) {
	// Leaflet would enlarge pixels beyond `maxNativeZoom`; the painter draws the cells that they show.
	const painter = new CubePainter({ source, tableOf, onProgress, onPaint, onLoad, maxNativeZoom });
	let isAsking = false;

	class CubeLayer extends L.GridLayer {
		painter = painter;
		source = source;

		/** @param {import("leaflet").Coords} coords @param {import("leaflet").DoneCallback} done */
		createTile(coords, done) {
			const tile = { z: coords.z + zoomOffset, x: coords.x, y: coords.y };
			if (!covers(tile)) {
				const empty = document.createElement("canvas");
				empty.width = empty.height = 1;
				queueMicrotask(() => done(undefined, empty));
				return empty;
			}
			const canvas = painter.add(tile, () => done(undefined, canvas));
			return canvas;
		}

		/** Puts the tile in the middle first and requests all cubes; only once for changes in the same task. */
		askForTiles() {
			if (isAsking) return;
			isAsking = true;
			queueMicrotask(() => {
				isAsking = false;
				if (!this._map) return;
				const zoom = this.tileZoom();
				const { lng: lon, lat } = this._map.getCenter();
				for (const cell of painter.cells) {
					cell.isCurrent = cell.tile.z === zoom;
					cell.order = distanceOf(cell.tile, { lon, lat });
				}
				painter.ask();
			});
		}

		/** Returns the zoom of the current tiles; only while the layer is on a map. */
		tileZoom() {
			const { minNativeZoom = 0 } = /** @type {import("leaflet").GridLayerOptions} */ (this.options);
			return Math.max(minNativeZoom, Math.round(this._map.getZoom())) + zoomOffset;
		}

		/**
		 * Returns the value at a point and a date; null if it is not loaded or the layer is on no map.
		 * @param {Place} place
		 * @param {number} index
		 * @returns {Sample | null}
		 */
		sample(place, index) {
			return this._map ? source.sample(place, this.tileZoom(), index) : null;
		}
	}

	const layer = new CubeLayer({ ...options, updateWhenZooming: false });
	layer.on("tileunload", ({ tile }) => painter.remove(/** @type {any} */ (tile)));
	layer.on("tileloadstart tileunload load", () => layer.askForTiles());
	layer.on("tileloadstart", ({ tile }) => closeSeams(tile, layer.getTileSize().x));
	return layer;
}
