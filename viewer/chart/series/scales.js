/**
 * Scales of the chart: ends of the axes, and positions of labels at the ends of lines; pure.
 *
 * @typedef {[low: number, high: number]} Range
 */
import { firstFrom } from "../../time/strip/window.js";

const DAY_S = 86_400;

/**
 * Ends of the chart's value axis: the values with a margin, and room around values that are all one.
 * @param {number} low @param {number} high @returns {Range}
 */
export function valueRange(low, high) {
	const margin = high > low ? (high - low) * 0.08 : Math.max(Math.abs(low) * 0.1, 0.1);
	return [low - margin, high + margin];
}

/**
 * Returns the ends of the value axis for a period; 0 to 1 if the columns have no value there.
 * @param {(number | null | undefined)[][]} columns each (moment,)
 * @param {number[]} seconds of the moments
 * @param {Range} period
 * @returns {Range}
 */
export function rangeOf(columns, seconds, [from, to]) {
	let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const column of columns) {
		for (const [index, value] of column.entries()) {
			if (value === null || value === undefined || seconds[index] < from || seconds[index] > to) continue;
			low = Math.min(low, value);
			high = Math.max(high, value);
		}
	}
	return low <= high ? valueRange(low, high) : [0, 1];
}

/**
 * Whether a moment is visible; always without a period.
 * @param {Range | null} period
 * @param {number} second
 */
export const isIn = (period, second) => period === null || (second >= period[0] && second <= period[1]);

/** Returns the whole period with margins. @param {number[]} seconds ascending @returns {Range} */
export function wholePeriod(seconds) {
	const [first, last] = [seconds[0] ?? 0, seconds.at(-1) ?? 0];
	const room = Math.max((last - first) * 0.012, DAY_S / 2);
	return [first - room, last + room];
}

/**
 * Returns the index of the nearest moment; -1 if there is none.
 * @param {number[]} seconds ascending
 * @param {number} second
 */
export function nearestSecond(seconds, second) {
	const after = firstFrom(seconds, second);
	const isBefore = after === seconds.length || second - seconds[after - 1] <= seconds[after] - second;
	return isBefore ? after - 1 : after;
}

/**
 * Returns positions of labels, as near as possible to their targets without touching.
 * @param {number[]} wished centres, in pixels
 * @param {number} size of a label
 * @param {number} top
 * @param {number} bottom of the available space
 * @returns {number[] | null} null if there is no space for all
 */
export function stackLabels(wished, size, top, bottom) {
	if (wished.length * size > bottom - top) return null;
	const order = wished.map((_, index) => index).sort((one, other) => wished[one] - wished[other]);
	const placed = new Array(wished.length);
	let floor = top + size / 2;
	for (const index of order) {
		placed[index] = Math.max(floor, wished[index]);
		floor = placed[index] + size;
	}
	let ceiling = bottom - size / 2;
	for (const index of order.reverse()) {
		placed[index] = Math.min(ceiling, placed[index]);
		ceiling = placed[index] - size;
	}
	return placed;
}

/**
 * Returns single values between gaps, which no line would show.
 * @param {(number | null | undefined)[]} column
 * @returns {number[]} their indexes
 */
export function aloneIn(column) {
	const known = column.flatMap((value, index) => (value === undefined ? [] : [{ value, index }]));
	const isNone = (/** @type {number} */ at) => (known[at]?.value ?? null) === null;
	return known.flatMap(({ index }, at) => (!isNone(at) && isNone(at - 1) && isNone(at + 1) ? [index] : []));
}
