/** The later side minus the earlier one as tiles, painted from the cubes of both. */

import { fetchLegend } from "../../base/api.js";
import { differenceStyle, paintedStyle } from "../../base/colours.js";
import { atEnd, live } from "../../base/live.js";
import { AS_STYLED, hasAmounts, isGapFilled, notify } from "../../base/state.js";
import { text } from "../../base/text.js";
import { differenceTable, paintDifference } from "../../compare/difference.js";
import { differenceRange, inOrder, shownDifference } from "../../compare/second-side.js";
import { computed, signal } from "../../vendor/signals-core.js";
import { cubesOf } from "../cubes.js";
import { downAt } from "../extent.js";
import { PaintedLayer } from "../ground.js";

/** @typedef {import("../../base/state.js").Side} Side */
/** @typedef {import("../../base/colours.js").PaintedStyle} PaintedStyle */
/** @typedef {import("../../vendor/leaflet.js").Map} LeafletMap */
/** @typedef {import("../../ctc1/source.js").Layout} Layout */
/** @typedef {import("../../ctc1/loader.js").Tile} Tile */

const TILE_PX = 256;
/** The server's style of differences. */
const RAMP = "difference";

const image = new ImageData(TILE_PX, TILE_PX);
const words = new Uint32Array(image.data.buffer);

/**
 * The last layout of each tile, by side.
 * @type {WeakMap<HTMLCanvasElement, Map<Side, Layout>>}
 */
const layouts = new WeakMap();

/** Paints a tile from the current cubes of both sides. @param {HTMLCanvasElement} canvas @param {Tile} tile */
function paintTile(canvas, tile) {
	if (!layouts.has(canvas)) {
		canvas.width = canvas.height = TILE_PX;
		layouts.set(canvas, new Map());
	}
	const style = shownDifference.peek();
	const sides = inOrder.peek();
	const [later, earlier] = sides ? [sides.later, sides.earlier].map((side) => findTile(canvas, tile, side)) : [];
	words.fill(0);
	if (style && later && earlier) {
		const frames = { later, earlier, isFilled: isGapFilled.peek(), reach: reachOn(tile) };
		paintDifference(words, frames, differenceTable(style));
	}
	canvas.getContext("2d")?.putImageData(image, 0, 0);
}

/**
 * Returns the cube and the layout of a side on a tile.
 * @param {HTMLCanvasElement} canvas
 * @param {Tile} tile
 * @param {Side} side
 */
function findTile(canvas, tile, side) {
	const { source, layer } = cubesOf(side) ?? {};
	const shown = layer?.painter.shown ?? -1;
	const frameOfTile = shown < 0 ? null : source?.find(source.dataTile(tile), shown, isGapFilled.peek());
	if (!source || !frameOfTile) return null;
	const canvasLayouts = layouts.get(canvas);
	const layout = source.layout(tile, frameOfTile.cube, TILE_PX, canvasLayouts?.get(side));
	canvasLayouts?.set(side, layout);
	return { ...frameOfTile, cells: layout.cells };
}

/**
 * Returns the part of a tile that both layers together cover; the whole tile if one of them crosses 180 degrees.
 * @param {Tile} tile
 */
function reachOn({ x, y, z }) {
	const { later, earlier } = inOrder.peek() ?? {};
	const boxes = [later, earlier].map((side) => side?.layer.peek()?.bbox ?? [-180, -90, 180, 90]);
	const [wests, souths, easts, norths] = [0, 1, 2, 3].map((edge) => boxes.map((box) => box[edge]));
	if (boxes.some(([west, , east]) => west > east)) return { left: 0, top: 0, right: TILE_PX, bottom: TILE_PX };
	const across = 2 ** z;
	const column = ((x % across) + across) % across;
	const leftOf = (/** @type {number} */ lon) => ((lon / 360 + 0.5) * across - column) * TILE_PX;
	const topOf = (/** @type {number} */ lat) => (downAt(lat) * across - y) * TILE_PX;
	return {
		left: leftOf(Math.min(...wests)),
		right: leftOf(Math.max(...easts)),
		top: topOf(Math.max(...norths)),
		bottom: topOf(Math.min(...souths)),
	};
}

/**
 * Shows the difference while both have numbers.
 * @param {LeafletMap} map
 * @param {Side} a
 * @param {Side} b
 * @param {string} pane
 */
export function showDifference(map, a, b, pane) {
	const tiles = new PaintedLayer({ pane, className: "data-tiles", keepBuffer: 0 }, paintTile);
	followColours(a);
	live(() => {
		void [shownDifference.value, isGapFilled.value, inOrder.value];
		// Each of these changes when a drawing is replaced, or has loaded more.
		for (const side of [a, b]) void [side.layer.value, side.timeDomain.value, side.tileProgress.value];
		const paintings = [a, b].map((side) => cubesOf(side)?.paintings.value);
		if (!paintings.includes(undefined)) tiles.addTo(map);
		if (map.hasLayer(tiles)) tiles.repaint();
	});
	atEnd(() => {
		tiles.remove();
		shownDifference.value = null;
	});
}

/** Follows the colours that the server uses for differences of this style. @param {Side} side */
function followColours(side) {
	const diverging = signal(/** @type {PaintedStyle | null} */ (null));
	// Classes have none, and the server refuses the request.
	const isAble = computed(() => hasAmounts(side) === true);
	live(() => {
		const [of, style] = [side.layer.value, side.style.value];
		if (!of || !isAble.value) return;
		const stopping = new AbortController();
		fetchLegend(of, style, stopping.signal, RAMP).then(
			(legend) => {
				diverging.value = paintedStyle(legend, AS_STYLED);
			},
			(error) => !stopping.signal.aborted && notify("difference", text("legend.failed", { why: error.message })),
		);
		return () => stopping.abort();
	});
	live(() => {
		const legend = side.legend.value;
		if (!legend || !diverging.value) return;
		const style = differenceStyle(paintedStyle(legend, side.colouring.value), diverging.value);
		const range = differenceRange.value;
		shownDifference.value = range ? differenceStyle({ ...style, range }, diverging.value) : style;
	});
}
