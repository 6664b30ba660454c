/**
 * Selects the dates of playback and their order.
 *
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {{ first: number, last: number }} Range indexes, both included
 * @typedef {{ range: Range, step: number, least: number, shares: readonly (number | null)[] }} Choice
 *   every `step`th of the dates within the range that have at least a share of data
 */
import { indexesBetween, nearestIndex, yearsOf } from "../base/dates.js";

/** A year with fewer dates is not played alone. */
const LEAST_DATES = 6;

/**
 * Returns the dates between two dates of a link or a user, both included with all of their day, month or year; returns
 * all dates if there are none between.
 * @param {Instant[]} instants @param {string | undefined} from @param {string | undefined} to
 * @returns {Range}
 */
export function rangeOf(instants, from, to) {
	return indexesBetween(instants, from, to) ?? { first: 0, last: instants.length - 1 };
}

/**
 * Returns the dates of a year; all dates if it has few.
 * @param {Instant[]} instants @param {number} year @returns {Range}
 */
export function yearRange(instants, year) {
	const found = yearsOf(instants).find((each) => each.year === year);
	if (!found || found.count < LEAST_DATES) return { first: 0, last: instants.length - 1 };
	return { first: found.first, last: found.first + found.count - 1 };
}

/**
 * Returns indexes of the played dates, in their order. Dates with an unknown fraction are played.
 * @param {Choice} choice
 */
export function framesOf({ range, step, least, shares }) {
	const clear = [];
	for (let index = range.first; index <= range.last; index += 1) {
		const share = shares[index] ?? null;
		if (share === null || Math.round(share * 1e4) >= least * 1e4) clear.push(index);
	}
	return clear.filter((_, place) => place % step === 0);
}

/**
 * Returns the frame after a date, which need not be a frame itself; null after the last one without a loop.
 * @param {readonly number[]} frames in their order
 * @param {number} index
 * @param {{ isReversed: boolean, isLooping: boolean }} how
 */
export function nextFrame(frames, index, { isReversed, isLooping }) {
	const after = isReversed ? frames.findLast((frame) => frame < index) : frames.find((frame) => frame > index);
	if (after !== undefined) return after;
	const again = (isReversed ? frames.at(-1) : frames[0]) ?? null;
	return isLooping && again !== index ? again : null;
}

/**
 * Returns the nearest date with at least a fraction of data, the earlier of two equally near ones; -1 if there is none.
 * @param {Instant[]} instants
 * @param {number} index the current date
 * @param {readonly (number | null)[]} shares
 * @param {number} least
 */
export function nearestClear(instants, index, shares, least) {
	const clear = instants.filter((_, other) => other !== index && (shares[other] ?? -1) >= least);
	return instants.indexOf(clear[nearestIndex(clear, instants[index].ms)]);
}
