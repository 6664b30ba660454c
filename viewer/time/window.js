/**
 * Which dates the strip shows, and where: a window of slots, one a date, that can be zoomed and panned.
 *
 * A window may begin and end within a slot. All functions give back a new one that lies within the dates there are.
 *
 * @typedef {{ start: number, length: number, count: number }} Window in slots: the first one's left edge, how many, of how many
 * @typedef {{ left: number, width: number }} Track where the slots are drawn, in pixels of any kind
 */

/** The most dates that are shown at first; with more, each would be thinner than a finger or an eye can tell. */
export const MAX_SHOWN = 400;
/** Zooming in ends here. */
export const MIN_SHOWN = 12;
/** The least width of a slot at first, in CSS pixels. */
const MIN_SLOT_PX = 3;
/** How near to an edge of the window, as a share of it, the date shown may come. */
const MARGIN = 0.06;

/** @param {number} value @param {number} low @param {number} high */
const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

/** @param {number} start @param {number} length @param {number} count @returns {Window} */
function makeWindow(start, length, count) {
	const fitting = clamp(length, Math.min(MIN_SHOWN, count), count);
	return { start: clamp(start, 0, count - fitting), length: fitting, count };
}

/** As many dates as can be told apart, with a date among them. @param {number} count @param {number} widthPx @param {number} index */
export function fitWindow(count, widthPx, index) {
	const length = Math.min(count, MAX_SHOWN, Math.max(MIN_SHOWN, Math.floor(widthPx / MIN_SLOT_PX)));
	return makeWindow(index + 0.5 - length / 2, length, count);
}

/** Whether all dates are shown. @param {Window} window */
export const isWhole = ({ length, count }) => length >= count;

/** Shows `1 / factor` as many dates; the slot at `share` of the window stays where it is. @param {Window} window @param {number} factor @param {number} share */
export function zoomWindow({ start, length, count }, factor, share) {
	const longer = clamp(length / factor, Math.min(MIN_SHOWN, count), count);
	return makeWindow(start + share * (length - longer), longer, count);
}

/** @param {Window} window @param {number} slots to the right */
export const panWindow = ({ start, length, count }, slots) => makeWindow(start + slots, length, count);

/** The window moved as little as it takes to have a date well inside. @param {Window} window @param {number} index */
export function followWindow(window, index) {
	const { start, length, count } = window;
	const margin = Math.min(length * MARGIN, 8);
	const moved = clamp(start, index + 1 + margin - length, index - margin);
	return moved === start ? window : makeWindow(moved, length, count);
}

/** Where a slot's left edge is. @param {Window} window @param {Track} track @param {number} slot */
export const xOf = ({ start, length }, { left, width }, slot) => left + ((slot - start) / length) * width;

/** The date at a position; the first or last one shown beyond the edges. @param {Window} window @param {Track} track @param {number} x */
export function indexAt({ start, length, count }, { left, width }, x) {
	const slot = Math.floor(start + ((x - left) / width) * length);
	const last = Math.min(count - 1, Math.ceil(start + length) - 1);
	return clamp(slot, Math.floor(start), last);
}

/** The dates of which something is to be seen. @param {Window} window @returns {[first: number, last: number]} */
export const shownIndexes = ({ start, length, count }) => [
	Math.floor(start),
	Math.min(count - 1, Math.ceil(start + length) - 1),
];
