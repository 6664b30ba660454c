/**
 * Pictures of the maps with their labels: the visible part drawn again on a canvas of any scale; tiles cell by cell as
 * they are visible, lines in full resolution. It reads the elements of the page, so that comparisons, additional layers
 * and areas are included.
 *
 * @typedef {import("../../map/basemap.js").Lines} Lines
 * @typedef {import("./page-layout.js").Rect} Rect
 * @typedef {import("./labels.js").LabelChoice} LabelChoice
 * @typedef {{ crop: Rect, scale: number, labels: LabelChoice }} PictureForm `scale` is pixels of the picture per pixel
 *   of the screen
 * @typedef {(typeof maps.value)[number]} LeafletMap
 * @typedef {CanvasRenderingContext2D} Context
 */

import { background, overlay } from "../../base/state.js";
import { LAND_COLOURS, paintLand, paintOutlines } from "../../map/basemap.js";
import { fetchLines, linesAt } from "../../map/ground.js";
import { maps } from "../../map/map.js";
import { drawLabels, write } from "./labels.js";
import { clipOf } from "./page-layout.js";

const TILE_PX = 256;

/** Returns the element that contains the maps. */
const frameElement = () => /** @type {HTMLElement} */ (document.getElementById("map-frame"));

/** Returns the size of the visible maps. @returns {Rect} */
export function wholeRect() {
	const { width, height } = frameElement().getBoundingClientRect();
	return { left: 0, top: 0, width: Math.round(width), height: Math.round(height) };
}

/** @param {Element} element @returns {DOMRect} in pixels of the frame */
function placeOf(element) {
	const frame = frameElement().getBoundingClientRect();
	const { x, y, width, height } = element.getBoundingClientRect();
	return new DOMRect(x - frame.x, y - frame.y, width, height);
}

export class PictureMaker {
	/**
	 * Whether a part of the background is missing on the last picture, because its server does not allow copies.
	 */
	isPartial = false;
	/** Land and outlines of each map, reused while it does not move. @type {Map<string, OffscreenCanvas>} */
	#kept = new Map();
	#lines;

	/** @param {[land: Lines, borders: Lines]} found */
	constructor(found) {
		this.#lines = found;
	}

	static async make() {
		return new PictureMaker(await fetchLines());
	}

	/**
	 * Draws the visible part on a canvas of its size.
	 * @param {HTMLCanvasElement} canvas
	 * @param {PictureForm} form
	 */
	draw(canvas, { crop, scale, labels }) {
		const context = /** @type {Context} */ (canvas.getContext("2d"));
		this.isPartial = false;
		context.save();
		context.fillStyle = "#ffffff";
		context.fillRect(0, 0, canvas.width, canvas.height);
		context.scale(scale, scale);
		context.translate(-crop.left, -crop.top);
		for (const map of maps.peek()) this.#drawMap(context, map, scale);
		context.translate(crop.left, crop.top);
		drawLabels(context, { width: canvas.width / scale, height: canvas.height / scale }, labels);
		context.restore();
	}

	/** @param {Context} context @param {LeafletMap} map @param {number} scale */
	#drawMap(context, map, scale) {
		const container = map.getContainer();
		const { x, y, width, height } = placeOf(container);
		context.save();
		context.beginPath();
		context.rect(x, y, width, height);
		context.clip();
		context.fillStyle = getComputedStyle(container).backgroundColor;
		context.fillRect(x, y, width, height);
		for (const [name, pane] of panesOf(map)) {
			if (name === "land" && LAND_COLOURS[background.peek()]) this.#drawLines(context, map, "land", scale);
			else if (name === "outlines" && overlay.peek()) this.#drawLines(context, map, "outlines", scale);
			else if (name !== "outlines") this.#drawPane(context, map, pane);
		}
		context.restore();
	}

	/** @param {Context} context @param {LeafletMap} map @param {HTMLElement} pane */
	#drawPane(context, map, pane) {
		context.save();
		const { x, y } = placeOf(map.getContainer());
		const origin = map.layerPointToContainerPoint([0, 0]);
		const clip = clipOf(pane.style.clipPath);
		if (clip) {
			context.translate(x + origin.x, y + origin.y);
			context.clip(new Path2D(clip.d), clip.isEvenOdd ? "evenodd" : "nonzero");
			context.translate(-x - origin.x, -y - origin.y);
		}
		for (const tile of pane.querySelectorAll(".leaflet-tile")) {
			this.#drawTile(context, /** @type {HTMLCanvasElement | HTMLImageElement} */ (tile), pane);
		}
		context.translate(x + origin.x, y + origin.y);
		for (const path of pane.querySelectorAll("path")) drawPath(context, path);
		context.translate(-x - origin.x, -y - origin.y);
		for (const badge of pane.querySelectorAll(".area-badge")) drawBadge(context, /** @type {HTMLElement} */ (badge));
		context.restore();
	}

	/**
	 * Draws a tile without smoothing, so that its cells have sharp edges.
	 * @param {Context} context
	 * @param {HTMLCanvasElement | HTMLImageElement} tile
	 * @param {HTMLElement} pane
	 */
	#drawTile(context, tile, pane) {
		if (tile instanceof HTMLImageElement) {
			if (!tile.complete || tile.naturalWidth === 0) return;
			if (new URL(tile.src).protocol !== "data:" && new URL(tile.src).origin !== new URL(document.baseURI).origin) {
				this.isPartial = true;
				return;
			}
		}
		const { x, y, width, height } = placeOf(tile);
		context.globalAlpha = opacityWithin(tile, pane);
		context.imageSmoothingEnabled = false;
		context.drawImage(tile, x, y, width, height);
		context.globalAlpha = 1;
	}

	/** @param {Context} context @param {LeafletMap} map @param {"land" | "outlines"} kind @param {number} scale */
	#drawLines(context, map, kind, scale) {
		const { x, y, width, height } = placeOf(map.getContainer());
		const { min = { x: 0, y: 0 } } = map.getPixelBounds();
		const key = [kind, background.peek(), min.x, min.y, map.getZoom(), width, height, scale].join(" ");
		let drawn = this.#kept.get(key);
		if (!drawn) {
			drawn = this.#paintLines(kind, { x: min.x, y: min.y, z: map.getZoom(), width, height, scale });
			if (this.#kept.size > 8) this.#kept.clear();
			this.#kept.set(key, drawn);
		}
		context.drawImage(drawn, x, y, width, height);
	}

	/**
	 * @param {"land" | "outlines"} kind
	 * @param {{ x: number, y: number, z: number, width: number, height: number, scale: number }} view in pixels of the
	 *   world
	 */
	#paintLines(kind, { x, y, z, width, height, scale }) {
		const canvas = new OffscreenCanvas(Math.ceil(width * scale), Math.ceil(height * scale));
		const context = /** @type {any} */ (canvas.getContext("2d"));
		const [land, borders] = this.#lines;
		const [firstX, firstY] = [Math.floor(x / TILE_PX), Math.floor(y / TILE_PX)];
		for (let row = firstY; row * TILE_PX < y + height; row++) {
			for (let column = firstX; column * TILE_PX < x + width; column++) {
				context.setTransform(scale, 0, 0, scale, (column * TILE_PX - x) * scale, (row * TILE_PX - y) * scale);
				context.save();
				context.beginPath();
				context.rect(0, 0, TILE_PX, TILE_PX);
				context.clip();
				const tile = { x: column, y: row, z };
				const fine = linesAt(tile, land, [land, borders]);
				if (kind === "land") paintLand(context, fine.land ?? land, tile, TILE_PX, LAND_COLOURS[background.peek()]);
				else for (const each of fine.lines) paintOutlines(context, each, tile, TILE_PX);
				context.restore();
			}
		}
		return canvas;
	}
}

/**
 * Returns the visible panes of a map, the lowest first.
 * @param {LeafletMap} map
 * @returns {[name: string, pane: HTMLElement][]}
 */
function panesOf(map) {
	return Object.entries(map.getPanes())
		.filter(([name, pane]) => name !== "mapPane" && getComputedStyle(pane).visibility !== "hidden")
		.map(([name, pane]) => ({ name, pane, height: Number(getComputedStyle(pane).zIndex) || 0 }))
		.sort((one, other) => one.height - other.height)
		.map(({ name, pane }) => [name, pane]);
}

/** Returns the product of opacities from an element to its pane. @param {Element} element @param {Element} pane */
function opacityWithin(element, pane) {
	let opacity = 1;
	for (let at = /** @type {Element | null} */ (element); at; at = at === pane ? null : at.parentElement) {
		opacity *= Number(getComputedStyle(at).opacity);
	}
	return opacity;
}

/** Draws an outline or a mark. @param {Context} context @param {SVGPathElement} path */
function drawPath(context, path) {
	const { stroke, strokeWidth, strokeOpacity, fill, fillOpacity, display } = getComputedStyle(path);
	const shape = new Path2D(path.getAttribute("d") ?? "");
	if (display === "none") return;
	if (fill !== "none") {
		context.globalAlpha = Number(fillOpacity);
		context.fillStyle = fill;
		context.fill(shape, "evenodd");
	}
	if (stroke !== "none") {
		context.globalAlpha = Number(strokeOpacity);
		context.strokeStyle = stroke;
		context.lineWidth = Number.parseFloat(strokeWidth);
		context.lineJoin = context.lineCap = "round";
		context.stroke(shape);
	}
	context.globalAlpha = 1;
}

/** Draws the number of a place. @param {Context} context @param {HTMLElement} badge */
function drawBadge(context, badge) {
	const { x, y, width, height } = placeOf(badge);
	const { backgroundColor, color, borderTopColor, font } = getComputedStyle(badge);
	const fillRound = (/** @type {number} */ edge, /** @type {string} */ colour) => {
		context.beginPath();
		context.roundRect(x + edge, y + edge, width - 2 * edge, height - 2 * edge, height / 2);
		context.fillStyle = colour;
		context.fill();
	};
	fillRound(0, borderTopColor);
	fillRound(1.5, backgroundColor);
	const look = { font, colour: color, align: /** @type {const} */ ("center") };
	write(context, badge.textContent ?? "", x + width / 2, y + height / 2 + 0.5, look);
}
