/**
 * Paints the strip, which is linear in time: a bar and a mark per date. The height of a bar is the fraction of data, a
 * hollow bar means unknown; loaded dates are outlined; years and months are below.
 *
 * All lengths of the drawing are in device pixels, so that edges are sharp; names with `Px` are in CSS pixels.
 *
 * @typedef {import("./window.js").Window} Window
 * @typedef {import("./window.js").Track} Track
 * @typedef {{ slot: number, text: string, isMajor: boolean }} Tick
 * @typedef {import("../../base/state.js").Loaded} Loaded
 * @typedef {{ bar: string, accent: string, text: string, soft: string, line: string, page: string, family: string }}
 *   Colours
 * @typedef {{
 *   slots: Float64Array, gap: number, unreadable: ReadonlySet<number>, shares: readonly (number | null)[], loaded:
 *     ReadonlyMap<number, Loaded>, areLoadsKnown: boolean,
 *   played: ReadonlySet<number> | null, range: { first: number, last: number } | null,
 *   index: number, other: number, hovered: number, awaited: number | null,
 * }} Scene `played` is null if all dates are; `range` is null if it is everything; indexes are -1 if there is none;
 *   `other` is the date of side B; `slots` are positions of dates, `gap` is the usual distance of two of them
 */
import { shownIndexes, xOf } from "./window.js";

/** From the top: room for the handle's knob, the bars, and the labels. */
const [TOP_PX, LABELS_PX] = [10, 18];
/** On each side of the bars, so that the knob of the first and the last date fits. */
export const SIDE_PX = 8;
const KNOB_PX = 6;
const MAX_BAR_PX = 14;
/** Height of the marks of dates below the bars. */
const MARK_PX = 3;
/** Narrower bars are not outlined but filled. */
const MIN_OUTLINED_PX = 5;

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{ width: number, height: number, ratio: number }} size device pixels
 * @param {Window} window @param {Tick[]} ticks @param {Scene} scene @param {Colours} colours
 */
export function drawStrip(context, size, window, ticks, scene, colours) {
	const { width, height, ratio } = size;
	const track = { left: SIDE_PX * ratio, width: width - 2 * SIDE_PX * ratio };
	const { slots, gap } = scene;
	const place = { top: TOP_PX * ratio, base: height - Math.round(LABELS_PX * ratio), track, window, ratio, slots, gap };
	context.clearRect(0, 0, width, height);
	context.globalAlpha = 1;
	if (scene.range) drawRange(context, place, scene.range, colours);
	drawBars(context, place, scene, colours);
	drawTicks(context, place, ticks, colours);
	if (scene.other >= 0 && scene.other !== scene.index)
		drawHandle(context, place, scene.other, colours.soft, "B", colours);
	if (scene.index >= 0) drawHandle(context, place, scene.index, colours.accent, scene.other >= 0 ? "A" : "", colours);
}

/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/**
 * @typedef
 *   {{ top: number, base: number, track: Track, window: Window, ratio: number, slots: Float64Array, gap: number }}
 *   Place
 */

/** Returns the middle of a date's bar. @param {Place} place @param {number} index */
const middleOf = ({ window, track, slots }, index) => xOf(window, track, slots[index] + 0.5);

/** Returns the left edge and width of a date's bar. @param {Place} place @param {number} index */
function barOf(place, index) {
	const { window, track, ratio } = place;
	const middle = middleOf(place, index);
	const slot = (place.gap / window.length) * track.width;
	const gap = slot > 4 * ratio ? Math.max(ratio, slot * 0.22) : slot > 2.5 * ratio ? ratio : 0;
	const wide = Math.min(slot - gap, MAX_BAR_PX * ratio);
	const left = Math.round(middle - wide / 2);
	return { left, width: Math.max(1, Math.round(middle + wide / 2) - left) };
}

/** @param {CanvasRenderingContext2D} context @param {Place} place @param {Scene} scene @param {Colours} colours */
function drawBars(context, place, scene, colours) {
	const { top, base, ratio } = place;
	const [first, last] = shownIndexes(place.window, place.slots);
	const line = Math.max(1, Math.round(ratio));
	for (let index = first; index <= last; index += 1) {
		const validShare = scene.unreadable.has(index) ? null : scene.shares[index];
		const share = validShare ?? 1;
		const { left, width } = barOf(place, index);
		if (width >= 2 * ratio) drawMark(context, place, index, colours);
		const barHeight = Math.max(Math.round(2 * ratio), Math.round(share * (base - top)));
		const load = scene.loaded.get(index);
		const isPlayed = scene.played?.has(index) ?? true;
		const isLit = index === scene.hovered || index === scene.index;
		const bar = { left, top: base - barHeight, width, height: barHeight };
		const colour = index === scene.index ? colours.accent : share === 0 ? colours.soft : colours.bar;
		const alpha = isLit ? 1 : isPlayed ? (load || !scene.areLoadsKnown ? 1 : 0.6) : 0.25;
		if (validShare !== null && validShare !== undefined) fill(context, bar, colour, alpha);
		// Too narrow to have an inside, it is faint.
		else if (width < 3 * line) fill(context, { left, top, width: line, height: base - top }, colour, isLit ? 1 : 0.3);
		else
			stroke(context, { left, top, width, height: base - top }, line, { colour, alpha, dash: [2 * ratio, 2 * ratio] });
		if (load && isPlayed) outline(context, bar, load, place, colours);
		if (index === scene.awaited) drawAwaited(context, place, index, colours);
	}
	fill(context, { ...place.track, top: base, height: line }, colours.line);
}

/**
 * Draws the mark of a date.
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {number} index
 * @param {Colours} colours
 */
function drawMark(context, place, index, colours) {
	const line = Math.max(1, Math.round(place.ratio));
	const left = Math.round(middleOf(place, index) - line / 2);
	fill(context, { left, top: place.base, width: line, height: Math.round(MARK_PX * place.ratio) }, colours.soft);
}

/** @param {CanvasRenderingContext2D} context @param {Box} box @param {string} colour @param {number} [alpha] */
function fill(context, { left, top, width, height }, colour, alpha = 1) {
	context.fillStyle = colour;
	context.globalAlpha = alpha;
	context.fillRect(left, top, width, height);
}

/**
 * Draws the edge of a box, inside of it.
 * @param {CanvasRenderingContext2D} context
 * @param {Box} box
 * @param {number} line how wide it is
 * @param {{ colour: string, alpha?: number, dash?: number[] }} look
 */
function stroke(context, { left, top, width, height }, line, { colour, alpha = 1, dash = [] }) {
	context.strokeStyle = colour;
	context.globalAlpha = alpha;
	context.lineWidth = line;
	context.setLineDash(dash);
	context.strokeRect(left + line / 2, top + line / 2, width - line, height - line);
	context.setLineDash([]);
}

/**
 * Outlines a bar: thin for a preview, thick for a complete cube.
 * @param {CanvasRenderingContext2D} context
 * @param {Box} bar
 * @param {Loaded} load
 * @param {Place} place
 * @param {Colours} colours
 */
function outline(context, bar, load, { ratio }, { accent }) {
	const line = Math.max(1, Math.round(load === "full" ? 1.5 * ratio : ratio * 0.75));
	const alpha = load === "full" ? 1 : 0.5;
	if (bar.width < MIN_OUTLINED_PX * ratio || bar.height < 3 * line) {
		const height = Math.min(bar.height, Math.round(2 * ratio));
		return fill(context, { ...bar, height }, accent, 0.7 * alpha);
	}
	stroke(context, bar, line, { colour: accent, alpha });
}

/**
 * Marks the date for which playback waits.
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {number} index
 * @param {Colours} colours
 */
function drawAwaited(context, place, index, colours) {
	const { top, base } = place;
	const { left, width } = barOf(place, index);
	const line = Math.max(1, Math.round(place.ratio));
	const box = { left: left - 2 * line, top: top - line / 2, width: width + 4 * line, height: base - top + line };
	stroke(context, box, line, { colour: colours.text, dash: [3 * place.ratio, 2 * place.ratio] });
}

/**
 * Draws the range of playback, if it is not everything.
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {{ first: number, last: number }} range
 * @param {Colours} colours
 */
function drawRange(context, { top, base, track, window, ratio, slots, gap }, { first, last }, colours) {
	const half = gap / 2;
	const left = Math.round(Math.max(track.left, xOf(window, track, slots[first] + 0.5 - half)));
	const right = Math.round(Math.min(track.left + track.width, xOf(window, track, slots[last] + 0.5 + half)));
	if (right <= left) return;
	const width = right - left;
	fill(context, { left, top, width, height: base - top }, colours.line, 0.45);
	fill(context, { left, top: base, width, height: Math.round(2 * ratio) }, colours.accent);
}

/** @param {CanvasRenderingContext2D} context @param {Place} place @param {Tick[]} ticks @param {Colours} colours */
function drawTicks(context, { base, track, window, ratio }, ticks, colours) {
	context.textBaseline = "alphabetic";
	for (const { slot, text, isMajor } of ticks) {
		const x = Math.round(xOf(window, track, slot));
		if (x < track.left - ratio) continue;
		context.fillStyle = colours.line;
		context.fillRect(x, base, Math.max(1, Math.round(ratio)), Math.round((isMajor ? 16 : 6) * ratio));
		context.fillStyle = isMajor ? colours.text : colours.soft;
		context.font = `${isMajor ? 600 : 400} ${11 * ratio}px ${colours.family}`;
		// Half a year would be another one.
		const isWhole = x + 4 * ratio + context.measureText(text).width <= context.canvas.width;
		if (isWhole) context.fillText(text, x + 4 * ratio, base + 14 * ratio);
	}
}

/**
 * Draws a line through the bar and a handle above it, with the letter of its side in comparisons.
 * @param {CanvasRenderingContext2D} context
 * @param {Place} place
 * @param {number} index
 * @param {string} colour
 * @param {string} letter
 * @param {Colours} colours
 */
function drawHandle(context, place, index, colour, letter, colours) {
	const { base, track, ratio } = place;
	const x = middleOf(place, index);
	if (x < track.left || x > track.left + track.width) return;
	const line = Math.max(1, Math.round(2 * ratio));
	const knob = KNOB_PX * ratio;
	context.fillStyle = colour;
	context.fillRect(Math.round(x - line / 2), Math.round(knob), line, base - Math.round(knob));
	context.beginPath();
	context.arc(x, knob + ratio, knob, 0, 2 * Math.PI);
	context.fill();
	context.strokeStyle = colours.page;
	context.lineWidth = 1.5 * ratio;
	context.stroke();
	if (!letter) return;
	context.fillStyle = colours.page;
	context.font = `700 ${8.5 * ratio}px ${colours.family}`;
	context.textAlign = "center";
	context.fillText(letter, x, knob + 4 * ratio);
	context.textAlign = "start";
}
