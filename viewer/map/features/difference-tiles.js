/** What the later side is less the earlier one as tiles, painted from the cubes of both. */

import { fetchLegend } from "../../base/api.js";
import { differenceStyle, paintedStyle } from "../../base/colours.js";
import { atEnd, live } from "../../base/live.js";
import { AS_STYLED, isGapFilled, notify } from "../../base/state.js";
import { text } from "../../base/text.js";
import { differenceTable, paintDifference } from "../../compare/difference.js";
import { differenceRange, inOrder, shownDifference } from "../../compare/second-side.js";
import { GridLayer } from "../../vendor/leaflet.js";
import { signal } from "../../vendor/signals-core.js";
import { cubesOf } from "../cubes.js";
import { downAt } from "../extent.js";

/** @typedef {import("../../base/state.js").Side} Side */
/** @typedef {import("../../base/colours.js").PaintedStyle} PaintedStyle */
/** @typedef {import("../../vendor/leaflet.js").Map} LeafletMap */
/** @typedef {import("../../ctc1/source.js").Layout} Layout */
/** @typedef {{ canvas: HTMLCanvasElement, tile: import("../../ctc1/loader.js").Tile, layouts: Map<Side, Layout> }} Cell */

const TILE_PX = 256;
/** The server's style of differences. */
const RAMP = "difference";

/** Tiles of a difference, which are painted again whenever one of the sides is. */
class DifferenceLayer extends GridLayer {
	/** @type {Set<Cell>} */
	cells = new Set();

	/** @param {string} pane */
	constructor(pane) {
		super({ pane, className: "data-tiles", keepBuffer: 0, updateWhenZooming: false });
		const image = new ImageData(TILE_PX, TILE_PX);
		this.sheet = { image, words: new Uint32Array(image.data.buffer) };
		this.on("tileunload", ({ tile }) => {
			for (const cell of this.cells) if (cell.canvas === /** @type {any} */ (tile)) this.cells.delete(cell);
		});
	}

	/** @param {{ x: number, y: number, z: number }} coords */
	createTile({ x, y, z }) {
		const canvas = document.createElement("canvas");
		canvas.width = canvas.height = TILE_PX;
		const cell = { canvas, tile: { x, y, z }, layouts: new Map() };
		this.cells.add(cell);
		this.#paint(cell);
		return canvas;
	}

	/** Paints all tiles as both sides stand now. */
	repaint() {
		for (const cell of this.cells) this.#paint(cell);
	}

	/** @param {Cell} cell */
	#paint(cell) {
		const { canvas } = cell;
		const style = shownDifference.peek();
		const sides = inOrder.peek();
		const [later, earlier] = sides ? [sides.later, sides.earlier].map((side) => this.#find(cell, side)) : [];
		const { image, words } = this.sheet;
		words.fill(0);
		if (style && later && earlier) {
			paintDifference(
				words,
				{ later, earlier, isFilled: isGapFilled.peek(), reach: reachOn(cell.tile) },
				differenceTable(style),
			);
		}
		canvas.getContext("2d")?.putImageData(image, 0, 0);
	}

	/** What a side shows of a tile, and which number each pixel. @param {Cell} cell @param {Side} side */
	#find({ tile, layouts }, side) {
		const { source, layer } = cubesOf(side) ?? {};
		const shown = layer?.painter.shown ?? -1;
		const found = shown < 0 ? null : source?.find(source.dataTile(tile), shown, isGapFilled.peek());
		if (!source || !found) return null;
		const layout = source.layout(tile, found.cube, TILE_PX, layouts.get(side));
		layouts.set(side, layout);
		return { ...found, cells: layout.cells };
	}
}

/** Where the layers of both sides are on a tile; all of it where one of them crosses the meridian of 180 degrees. @param {import("../../ctc1/loader.js").Tile} tile */
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

/** Shows the difference while both have numbers. @param {LeafletMap} map @param {Side} a @param {Side} b @param {string} pane */
export function showDifference(map, a, b, pane) {
	/** @type {DifferenceLayer | null} */
	let layer = null;
	followColours(a);
	live(() => {
		void shownDifference.value;
		void [isGapFilled.value, inOrder.value];
		layer?.repaint();
	});
	live(() => {
		// Each of these changes when a drawing is made anew, or has come further.
		const progress = [a, b].map((side) => [side.layer.value, side.timeDomain.value, side.tileProgress.value]);
		const drawings = progress.length > 0 ? [cubesOf(a), cubesOf(b)] : [];
		if (!drawings[0] || !drawings[1]) return;
		layer ??= new DifferenceLayer(pane).addTo(map);
		layer.repaint();
		const shown = layer;
		for (const drawing of drawings) drawing?.onPaint(() => shown.repaint());
	});
	atEnd(() => {
		layer?.remove();
		shownDifference.value = null;
	});
}

/** Keeps the colours at those of the server's differences of this style. @param {Side} side */
function followColours(side) {
	const diverging = signal(/** @type {PaintedStyle | null} */ (null));
	live(() => {
		const [of, style] = [side.layer.value, side.style.value];
		if (!of) return;
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
