/**
 * Changes of a side's colours: range, ramp, direction, logarithm, hidden classes.
 *
 * @typedef {import("../base/state.js").Colouring} Colouring
 * @typedef {import("../base/state.js").Side} Side
 */

import { paintedStyle } from "../base/colours.js";
import { AS_STYLED, notify, recolour } from "../base/state.js";
import { text } from "../base/text.js";

/** Start of a logarithmic scale as a fraction of its upper end, if the range starts at 0 or less. */
const LOG_START = 0.01;

/** @param {Side} side @param {Partial<Colouring>} change */
export function changeColouring(side, change) {
	recolour(side, { ...side.colouring.peek(), ...change });
}

/** Whether the colours differ from those of the style. @param {Side} side */
export function isChanged(side) {
	const { range, ramp, isReversed, isLog, hidden = [] } = side.colouring.value;
	return range !== null || ramp !== null || isReversed || isLog || hidden.length > 0;
}

/** Restores the colours of the style. @param {Side} side */
export function resetColouring(side) {
	recolour(side, AS_STYLED);
}

/**
 * Returns why two numbers are not a valid range, as text; null if they are.
 * @param {[low: number, high: number]} range
 * @param {boolean} isLog
 */
export function rangeFault([low, high], isLog) {
	if (Number.isNaN(low) || Number.isNaN(high)) return text("legend.noNumber");
	if (!(low < high) || !Number.isFinite(high - low)) return text("legend.badOrder");
	return isLog && low <= 0 ? text("legend.badLog") : null;
}

/** Returns the range of a side's colours; null while its legend is loading. @param {Side} side */
export function rangeOf(side) {
	const currentLegend = side.legend.peek();
	return currentLegend ? paintedStyle(currentLegend, side.colouring.peek()).range : null;
}

/** @param {Side} side @param {[low: number, high: number]} range good ones */
export function setRange(side, range) {
	const styleRange = side.legend.peek()?.range;
	changeColouring(side, {
		range: styleRange && styleRange[0] === range[0] && styleRange[1] === range[1] ? null : range,
	});
}

/**
 * Switches to a logarithmic scale; a range that starts at 0 or less then starts above it.
 * @param {Side} side
 * @param {boolean} isLog
 */
export function setLog(side, isLog) {
	const range = rangeOf(side);
	if (!isLog || !range || range[0] > 0) return changeColouring(side, { isLog });
	if (range[1] <= 0) return notify(`log ${side.id}`, text("legend.badLog"));
	changeColouring(side, { isLog, range: [range[1] * LOG_START, range[1]] });
}

/** Shows a class, or leaves it out. @param {Side} side @param {number} value @param {boolean} isShown */
export function showClass(side, value, isShown) {
	const otherHidden = (side.colouring.peek().hidden ?? []).filter((each) => each !== value);
	changeColouring(side, { hidden: isShown ? otherHidden : [...otherHidden, value] });
}

/**
 * Removes settings of a link that the style does not support: the server would refuse them too.
 * @param {Side} side @param {import("../base/api.js").Legend} legend
 */
export function keepPossible(side, legend) {
	const { range, ramp, isReversed, isLog } = side.colouring.peek();
	if (legend.type !== "ramp") {
		if (range || ramp || isReversed || isLog) resetColouring(side);
		return;
	}
	const [low] = range ?? legend.range ?? [0, 0];
	if (!isLog || low > 0) return;
	notify(`log ${side.id}`, text("legend.badLog"));
	changeColouring(side, { isLog: false });
}
