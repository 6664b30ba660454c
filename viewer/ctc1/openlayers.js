/**
 * Cubes on an OpenLayers map (10) in spherical Mercator: a layer that goes through time without requests to the server,
 * and returns the values at points. The caller passes `ol/layer/Layer`.
 *
 * @typedef {import("./loader.js").Tile} Tile
 * @typedef {import("./source.js").Place} Place
 * @typedef {{ column: number, row: number, tile: Tile }} Seat position of a tile; columns continue beyond the ends of
 *   the world
 * @typedef {{
 *   size: number[], pixelRatio: number, extent: number[], layerStatesArray: { opacity: number }[], layerIndex: number,
 *   viewState: { center: number[], resolution: number, rotation: number },
 * }} FrameState description of a picture that OpenLayers draws
 * @typedef {{
 *   source: import("./source.js").CubeSource, tableOf: import("./painter.js").TableOf,
 *   minZoom?: number, maxNativeZoom?: number, covers?: (tile: Tile) => boolean, attribution?: string | null,
 *   onProgress?: (progress: import("./painter.js").Progress) => void, onLoad?: () => void,
 * }} CubeOptions `maxNativeZoom` is the last zoom with tiles, beyond it their cells are drawn larger; `covers` returns
 *   whether the layer has data in a tile; `attribution` is shown by the map's attribution control
 */
import { LaidTiles } from "./laid-tiles.js";
import { CubePainter, TILE_PX } from "./painter.js";

const HALF_WORLD_M = 20_037_508.342789244;

/** Metres across a tile. @param {number} zoom */
const widthOf = (zoom) => (2 * HALF_WORLD_M) / 2 ** zoom;

/**
 * Tiles of a zoom that an extent touches.
 * @param {number[]} extent west, south, east, north in metres
 * @param {number} zoom
 * @returns {Seat[]}
 */
function seatsIn([west, south, east, north], zoom) {
	const count = 2 ** zoom;
	const inWorld = (/** @type {number} */ row) => Math.min(count - 1, Math.max(0, row));
	const [left, right] = [west, east].map((x) => Math.floor((x + HALF_WORLD_M) / widthOf(zoom)));
	const [top, bottom] = [north, south].map((y) => inWorld(Math.floor((HALF_WORLD_M - y) / widthOf(zoom))));
	/** @type {Seat[]} */
	const seats = [];
	for (let row = top; row <= bottom; row++) {
		for (let column = left; column <= right; column++) {
			seats.push({ column, row, tile: { z: zoom, x: ((column % count) + count) % count, y: row } });
		}
	}
	return seats;
}

/**
 * Puts the tiles of a frame together on a canvas.
 * @param {HTMLCanvasElement} canvas
 * @param {LaidTiles} tiles
 * @param {Seat[]} seats
 * @param {number} zoom
 * @param {FrameState} frame
 */
function draw(canvas, tiles, seats, zoom, frame) {
	const { size, pixelRatio, viewState, layerStatesArray, layerIndex } = frame;
	const { center, resolution, rotation } = viewState;
	const [width, height] = size.map((pixels) => Math.round(pixels * pixelRatio));
	if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
	[canvas.style.width, canvas.style.height] = size.map((pixels) => `${pixels}px`);
	canvas.style.opacity = String(layerStatesArray[layerIndex]?.opacity ?? 1);
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	context.setTransform(1, 0, 0, 1, 0, 0);
	context.clearRect(0, 0, width, height);
	context.translate(width / 2, height / 2);
	context.rotate(rotation);
	context.imageSmoothingEnabled = false;
	const across = widthOf(zoom);
	// Returns whole pixels, so that no gap is visible between two tiles.
	const place = (/** @type {number} */ metres) => Math.round((metres * pixelRatio) / resolution);
	for (const { column, row, tile } of seats) {
		const cell = tiles.cellOf(tile);
		if (!cell?.isShown) continue;
		const [left, right] = [column, column + 1].map((edge) => place(edge * across - HALF_WORLD_M - center[0]));
		const [top, bottom] = [row, row + 1].map((edge) => place(edge * across - HALF_WORLD_M + center[1]));
		context.drawImage(cell.canvas, left, top, right - left, bottom - top);
	}
}

/**
 * @param {new (options: any) => any} Layer `ol/layer/Layer`
 * @param {CubeOptions & Record<string, unknown>} options for the cubes, and those of any OpenLayers layer
 * @returns {any} the layer, with `painter` and `sample(place, index)`
 */
export function makeCubeLayer(Layer, options) {
	const { source, tableOf, onProgress, onLoad, minZoom = 0, maxNativeZoom, covers = () => true, ...others } = options;
	const { attribution, ...more } = others;
	const onPaint = () => layer.changed();
	const painter = new CubePainter({ source, tableOf, onProgress, onLoad, onPaint, maxNativeZoom });
	const tiles = new LaidTiles(painter);
	const canvas = document.createElement("canvas");
	canvas.style.position = "absolute";
	let zoom = 0;
	const render = (/** @type {FrameState} */ frame) => {
		const { center, resolution } = frame.viewState;
		zoom = Math.round(Math.log2(widthOf(0) / TILE_PX / resolution));
		const seats = zoom < minZoom ? [] : seatsIn(frame.extent, zoom).filter(({ tile }) => covers(tile));
		const middle = [center[0] + HALF_WORLD_M, HALF_WORLD_M - center[1]].map((metres) => metres / widthOf(zoom) - 0.5);
		tiles.lay(seats.map(({ column, row, tile }) => ({ tile, order: Math.hypot(column - middle[0], row - middle[1]) })));
		draw(canvas, tiles, seats, zoom, frame);
		return canvas;
	};
	const layer = new Layer({ ...more, render });
	return Object.assign(layer, {
		painter,
		/** @param {any} view */
		getAttributions: (view) => (attribution && layer.isVisible(view) ? [attribution] : []),
		/** Returns the value at a point and a date; null if not loaded. @param {Place} place @param {number} index */
		sample: (place, index) => source.sample(place, zoom, index),
	});
}
