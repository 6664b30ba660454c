/**
 * A ramp as a bar of colours with ticks below, for the legend, and for the legend element of the npm package.
 *
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {import("../base/value-scale.js").Scale} Scale
 */
import { colours, pack } from "../base/colours.js";
import { make } from "../base/elements.js";
import { locale } from "../base/text.js";
import { numberText, roundValues, shareOf, valueAt, withRoom } from "../base/value-scale.js";

/** A tick's label takes so much room on the scale. */
const LABEL_PX = 44;
const MOST_TICKS = 6;

/**
 * Draws the colours of a scale, one pixel high; the style sheet stretches it.
 * @param {HTMLCanvasElement} canvas
 * @param {PaintedStyle} style
 * @param {Scale} scale
 * @param {number} width
 */
export function drawRamp(canvas, style, scale, width) {
	canvas.width = Math.round(width * window.devicePixelRatio);
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	const picture = context.createImageData(canvas.width, 1);
	const pixels = new Uint32Array(picture.data.buffer);
	const colourOf = colours(style);
	for (let x = 0; x < pixels.length; x++) pixels[x] = pack(colourOf(valueAt(scale, (x + 0.5) / pixels.length)));
	context.putImageData(picture, 0, 0);
}

/** @param {HTMLElement} element @param {PaintedStyle} style @param {Scale} scale @param {number} width */
export function writeTicks(element, style, scale, width) {
	const fitting = Math.max(2, Math.floor(width / LABEL_PX));
	const found = style.labels.length > 0 ? style.labels : roundValues(scale, Math.min(MOST_TICKS, fitting));
	const within = found.filter((value) => value >= scale.low && value <= scale.high);
	const marks = withRoom(within, (value) => width * shareOf(scale, value), LABEL_PX / 2).map((value) => {
		const mark = make("span", {}, numberText(value, locale()));
		mark.style.left = `${100 * shareOf(scale, value)}%`;
		return mark;
	});
	element.replaceChildren(...marks);
}
