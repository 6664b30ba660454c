/** Draws a legend on pictures: a bar with its numbers or a swatch per class, then swatches for missing values. */
import { cssColour } from "../../base/colours.js";
import { make } from "../../base/elements.js";
import { ticksOf } from "../../layers/key-content.js";
import { drawRamp } from "../../layers/ramp-scale.js";
import { wrapLines } from "./page-layout.js";

/**
 * @typedef {import("../../layers/key-content.js").KeyContent} KeyContent
 * @typedef {{ width: number, height: number, draw: (x: number, y: number) => void }} Block a part of a picture
 */

const INK = "#18231f";
const BAR_PX = 11;
const SWATCH_PX = 11;
const GAP_PX = 6;
const MOST_SWATCHES = 24;
const HATCH_GREY = "#dcdcdc";

/**
 * @param {CanvasRenderingContext2D} context whose font's size is `px`
 * @param {KeyContent} key
 * @param {{ width: number, px: number, font: (weight: number) => string }} form
 * @returns {Block}
 */
export function legendBlock(context, key, { width, px, font }) {
	const linePx = Math.round(px * 1.4);
	context.font = font(600);
	const lines = wrapLines(key.title, width, (words) => context.measureText(words).width);
	const isRamp = key.style.stops.length > 0;
	context.font = font(400);
	const swatches = swatchRows(context, key.swatches.slice(0, MOST_SWATCHES), width);
	const barPx = isRamp ? BAR_PX + linePx * (key.ends ? 2 : 1) : 0;
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
			drawBar(context, key, { x, y: top + GAP_PX / 2, width, linePx });
			top += GAP_PX + barPx;
		}
		for (const [row, each] of swatches.entries()) drawSwatches(context, each, x, top + (row + 0.5) * linePx);
	};
	return { width, height, draw };
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {KeyContent} key
 * @param {{ x: number, y: number, width: number, linePx: number }} place
 */
function drawBar(context, { style, ends }, { x, y, width, linePx }) {
	const ramp = make("canvas", { height: 1 });
	const [low, high] = style.range;
	drawRamp(ramp, style, { low, high, isLog: style.isLog }, width);
	context.drawImage(ramp, x, y, width, BAR_PX);
	context.strokeStyle = INK;
	context.lineWidth = 0.75;
	context.strokeRect(x, y, width, BAR_PX);
	context.fillStyle = INK;
	for (const { share, words, left } of ticksOf(style, width, (each) => context.measureText(each).width)) {
		context.fillRect(Math.min(x + width - 1, x + share * width), y + BAR_PX, 1, 3);
		context.fillText(words, x + left, y + BAR_PX + 2 + linePx / 2);
	}
	for (const [index, words] of (ends ?? []).entries()) {
		const left = index === 0 ? 0 : width - context.measureText(words).width;
		context.fillText(words, x + left, y + BAR_PX + 2 + linePx * 1.5);
	}
}

/** @typedef {import("../../layers/key-content.js").Swatch & { left: number }} Swatch */

/**
 * Lays out swatches side by side, in as many rows as necessary.
 * @param {CanvasRenderingContext2D} context
 * @param {import("../../layers/key-content.js").Swatch[]} swatches
 * @param {number} width
 * @returns {Swatch[][]}
 */
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
		context.fillStyle = rgba ? cssColour(rgba) : HATCH_GREY;
		context.fillRect(x + left, top, SWATCH_PX, SWATCH_PX);
		context.strokeStyle = INK;
		context.lineWidth = 0.75;
		if (!rgba) {
			const lines = new Path2D(
				`M0 ${SWATCH_PX / 2}L${SWATCH_PX / 2} 0M0 ${SWATCH_PX}L${SWATCH_PX} 0M${SWATCH_PX / 2} ${SWATCH_PX}L${SWATCH_PX} ${SWATCH_PX / 2}`,
			);
			context.save();
			context.translate(x + left, top);
			context.stroke(lines);
			context.restore();
		}
		context.strokeRect(x + left, top, SWATCH_PX, SWATCH_PX);
		context.fillStyle = INK;
		context.fillText(label, x + left + SWATCH_PX + 5, middle);
	}
}
