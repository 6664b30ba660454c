/**
 * The visible part of time on the strip: a window that can be zoomed and panned.
 *
 * The strip is linear in time. Its unit is a slot: there are as many slots as dates, all of the same length. The first
 * date is in the middle of the first slot, the last date in the middle of the last slot. Dates at equal intervals have
 * a slot each; in gaps, slots are empty. A window may start and end within a slot. All functions return a new window
 * within the existing slots.
 *
 * @typedef {{ start: number, length: number, count: number }} Window in slots: left edge, length, number of all slots
 * @typedef {{ left: number, width: number }} Track position of the slots, in CSS or device pixels
 */

/** Maximum number of dates at first; with more, each would be too thin for fingers and eyes. */
export const MAX_SHOWN = 400;
/** Minimum number of visible slots. */
export const MIN_SHOWN = 3;
/** The least width of a slot at first, in CSS pixels. */
const MIN_SLOT_PX = 3;
/** Minimum distance between the current date and the edges of the window, as a fraction of it. */
const MARGIN = 0.06;

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** @param {number} start @param {number} length @param {number} count @returns {Window} */
function makeWindow(start, length, count) {
	const fitting = clamp(length, Math.min(MIN_SHOWN, count), count);
	return { start: clamp(start, 0, count - fitting), length: fitting, count };
}

/**
 * Returns the positions of dates, minus half a slot.
 * @param {readonly { ms: number }[]} instants ascending
 * @returns {Float64Array}
 */
export function slotsOf(instants) {
	const count = instants.length;
	const [first, last] = [instants[0]?.ms ?? 0, instants[count - 1]?.ms ?? 0];
	return Float64Array.from(instants, ({ ms }) => (last > first ? ((ms - first) / (last - first)) * (count - 1) : 0));
}

/**
 * Returns the instant at a position on the strip.
 * @param {readonly { ms: number }[]} instants two at least
 * @param {number} slot
 */
export function msAt(instants, slot) {
	const [first, last] = [instants[0].ms, instants[instants.length - 1].ms];
	return first + ((slot - 0.5) / (instants.length - 1)) * (last - first);
}

/**
 * Returns the window from one moment to another.
 * @param {readonly { ms: number }[]} instants two at least
 * @param {[from: number, to: number]} span
 */
export function windowBetween(instants, span) {
	const [first, last] = [instants[0].ms, instants[instants.length - 1].ms];
	const count = instants.length;
	const [start, end] = span.map((ms) => clamp(((ms - first) / (last - first)) * (count - 1) + 0.5, 0, count));
	return makeWindow(start, end - start, count);
}

/**
 * Returns the median distance of successive dates in slots; 1 at equal intervals.
 * @param {Float64Array} slots
 */
export function usualGap(slots) {
	const gaps = Float64Array.from(
		{ length: Math.max(0, slots.length - 1) },
		(_, at) => slots[at + 1] - slots[at],
	).sort();
	return gaps[gaps.length >> 1] || 1;
}

/**
 * Returns a window with as many slots as there may be distinguishable dates, around a date.
 * @param {number} count
 * @param {number} widthPx
 * @param {number} slot of the date
 */
export function fitWindow(count, widthPx, slot) {
	const length = Math.min(count, MAX_SHOWN, Math.max(MIN_SHOWN, Math.floor(widthPx / MIN_SLOT_PX)));
	return makeWindow(slot + 0.5 - length / 2, length, count);
}

/** Whether all dates are shown. @param {Window} window */
export const isWhole = ({ length, count }) => length >= count;

/**
 * Shows `1 / factor` as many dates; the slot at `share` of the window does not move.
 * @param {Window} window
 * @param {number} factor
 * @param {number} share
 */
export function zoomWindow({ start, length, count }, factor, share) {
	const longer = clamp(length / factor, Math.min(MIN_SHOWN, count), count);
	return makeWindow(start + share * (length - longer), longer, count);
}

/** @param {Window} window @param {number} slots to the right */
export const panWindow = ({ start, length, count }, slots) => makeWindow(start + slots, length, count);

/**
 * Returns the window moved by the smallest distance so that a date is well inside.
 * @param {Window} window
 * @param {number} slot of the date
 */
export function followWindow(window, slot) {
	const { start, length, count } = window;
	const margin = Math.min(length * MARGIN, 8);
	const moved = clamp(start, slot + 1 + margin - length, slot - margin);
	return moved === start ? window : makeWindow(moved, length, count);
}

/** Returns the x of a position on the strip. @param {Window} window @param {Track} track @param {number} slot */
export const xOf = ({ start, length }, { left, width }, slot) => left + ((slot - start) / length) * width;

/**
 * Returns the visible date nearest to a position; if none is visible, the nearest of all.
 * @param {Window} window
 * @param {Track} track
 * @param {number} x
 * @param {Float64Array} slots of the dates
 */
export function indexAt(window, { left, width }, x, slots) {
	const slot = window.start + ((x - left) / width) * window.length - 0.5;
	const after = firstFrom(slots, slot);
	const isAfter = after < slots.length && (after === 0 || slots[after] - slot <= slot - slots[after - 1]);
	const nearest = isAfter ? after : after - 1;
	const [first, last] = shownIndexes(window, slots);
	return first <= last ? clamp(nearest, first, last) : nearest;
}

/**
 * Returns the dates with visible slots; the first is after the last if there are none.
 * @param {Window} window
 * @param {Float64Array} slots of the dates
 * @returns {[first: number, last: number]}
 */
export const shownIndexes = ({ start, length }, slots) => [
	firstFrom(slots, start - 1 + Number.EPSILON * (start + 1)),
	firstFrom(slots, start + length) - 1,
];

/**
 * Returns the index of the first number that is not less than `least`; the length if all are less.
 * @param {ArrayLike<number>} ascending
 * @param {number} least
 */
export function firstFrom(ascending, least) {
	let [low, high] = [0, ascending.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (ascending[middle] < least) low = middle + 1;
		else high = middle;
	}
	return low;
}
