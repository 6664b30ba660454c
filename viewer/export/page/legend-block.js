/** The legend of a side as it is drawn on pictures: a bar with ticks or a swatch a class, then what is no value. */
import { colours, cssColour, paintedStyle } from "../../base/colours.js";
import { locale } from "../../base/text.js";
import { unitText } from "../../base/units.js";
import { numberText, roundValues, shareOf, valueAt } from "../../base/value-scale.js";
import { wrapLines } from "./page-layout.js";

/**
 * @typedef {import("../../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {import("../../base/colours.js").Rgba} Rgba
 * @typedef {{ title: string, units: string, style: PaintedStyle }} LegendContent
 * @typedef {{ width: number, height: number, draw: (x: number, y: number) => void }} Block what is drawn somewhere
 */

const INK = "#18231f";
const BAR_PX = 11;
const SWATCH_PX = 11;
const GAP_PX = 6;
const MOST_SWATCHES = 24;

/** What there is to tell of the colours of a side; null of one without values. @param {import("../../base/state.js").Side} side @returns {LegendContent | null} */
export function legendOf(side) {
	const [layer, legend] = [side.layer.peek(), side.legend.peek()];
	if (!layer || !legend || layer.variable === null) return null;
	const style = paintedStyle(legend, side.colouring.peek());
	if (style.stops.length === 0 && style.classes.length === 0) return null;
	return { title: legend.title || layer.title, units: unitText(legend.units ?? layer.units), style };
}

/** @param {CanvasRenderingContext2D} context whose font's size is `px` @param {LegendContent} legend @param {{ width: number, px: number, font: (weight: number) => string }} form @returns {Block} */
export function legendBlock(context, { title, units, style }, { width, px, font }) {
	const linePx = Math.round(px * 1.4);
	context.font = font(600);
	const named = units ? `${title} (${units})` : title;
	const lines = wrapLines(named, width, (words) => context.measureText(words).width);
	const isRamp = style.stops.length > 0;
	context.font = font(400);
	const swatches = swatchRows(context, swatchesOf(style), width);
	const barPx = isRamp ? BAR_PX + linePx : 0;
	const height = lines.length * linePx + (isRamp ? GAP_PX + barPx : 0) + swatches.length * linePx;
	const draw = (/** @type {number} */ x, /** @type {number} */ y) => {
		context.textBaseline = "middle";
		context.textAlign = "left";
		context.fillStyle = INK;
		context.font = font(600);
		for (const [row, words] of lines.entries()) context.fillText(words, x, y + (row + 0.5) * linePx);
		let top = y + lines.length * linePx;
		context.font = font(400);
		if (isRamp) {
			drawBar(context, style, { x, y: top + GAP_PX / 2, width, linePx });
			top += GAP_PX + barPx;
		}
		for (const [row, each] of swatches.entries()) drawSwatches(context, each, x, top + (row + 0.5) * linePx);
	};
	return { width, height, draw };
}

/** @param {CanvasRenderingContext2D} context @param {PaintedStyle} style @param {{ x: number, y: number, width: number, linePx: number }} place */
function drawBar(context, style, { x, y, width, linePx }) {
	const [low, high] = style.range;
	const [colourOf, scale] = [colours(style), { low, high, isLog: style.isLog }];
	for (let column = 0; column < width; column++) {
		context.fillStyle = cssColour(colourOf(valueAt(scale, (column + 0.5) / width)));
		context.fillRect(x + column, y, 1, BAR_PX);
	}
	context.strokeStyle = INK;
	context.lineWidth = 0.75;
	context.strokeRect(x, y, width, BAR_PX);
	context.fillStyle = INK;
	let free = Number.NEGATIVE_INFINITY;
	const ticks = style.labels.length > 0 ? style.labels : roundValues(scale, Math.max(2, Math.floor(width / 45)));
	for (const value of ticks) {
		const share = shareOf(scale, value);
		const words = numberText(value, locale());
		const across = context.measureText(words).width;
		const left = Math.min(Math.max(x, x + share * width - across / 2), x + width - across);
		if (share < -1e-6 || share > 1 + 1e-6 || left < free) continue;
		context.fillRect(Math.min(x + width - 1, x + share * width), y + BAR_PX, 1, 3);
		context.fillText(words, left, y + BAR_PX + 2 + linePx / 2);
		free = left + across + GAP_PX;
	}
}

/** @typedef {{ rgba: Rgba, label: string, left: number }} Swatch */

/** @param {PaintedStyle} style @returns {{ rgba: Rgba, label: string }[]} */
const swatchesOf = ({ classes, flags }) =>
	[...classes, ...[...flags].map(([label, rgba]) => ({ label, rgba }))]
		.filter(({ rgba }) => rgba[3] > 0)
		.slice(0, MOST_SWATCHES);

/** Side by side, in as many rows as they take. @param {CanvasRenderingContext2D} context @param {{ rgba: Rgba, label: string }[]} swatches @param {number} width @returns {Swatch[][]} */
function swatchRows(context, swatches, width) {
	/** @type {Swatch[][]} */
	const rows = [];
	let left = Number.POSITIVE_INFINITY;
	for (const each of swatches) {
		const across = SWATCH_PX + 5 + context.measureText(each.label).width;
		if (left + across > width) {
			rows.push([]);
			left = 0;
		}
		rows[rows.length - 1].push({ ...each, left });
		left += across + 12;
	}
	return rows;
}

/** @param {CanvasRenderingContext2D} context @param {Swatch[]} swatches @param {number} x @param {number} middle */
function drawSwatches(context, swatches, x, middle) {
	for (const { rgba, label, left } of swatches) {
		const top = Math.round(middle - SWATCH_PX / 2);
		context.fillStyle = cssColour(rgba);
		context.fillRect(x + left, top, SWATCH_PX, SWATCH_PX);
		context.strokeStyle = INK;
		context.lineWidth = 0.75;
		context.strokeRect(x + left, top, SWATCH_PX, SWATCH_PX);
		context.fillStyle = INK;
		context.fillText(label, x + left + SWATCH_PX + 5, middle);
	}
}
