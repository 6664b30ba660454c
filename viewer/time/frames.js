/**
 * Which dates are played, and in which order.
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
 * The dates between two that a link or a person names, both included with all of their day, month or year; all of
 * them where there are none between.
 * @param {Instant[]} instants @param {string | undefined} from @param {string | undefined} to
 * @returns {Range}
 */
export function rangeOf(instants, from, to) {
	return indexesBetween(instants, from, to) ?? { first: 0, last: instants.length - 1 };
}

/**
 * The dates of a year; all of them where it has few.
 * @param {Instant[]} instants @param {number} year @returns {Range}
 */
export function yearRange(instants, year) {
	const found = yearsOf(instants).find((each) => each.year === year);
	if (!found || found.count < LEAST_DATES) return { first: 0, last: instants.length - 1 };
	return { first: found.first, last: found.first + found.count - 1 };
}

/**
 * Indexes of the dates that are played, in their order. Dates of which the share is not known are played.
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
 * The frame after a date, which need not be a frame itself; null after the last one when there is no loop.
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
 * The nearest date with at least a share of data, the earlier of two as near; -1 of none.
 * @param {Instant[]} instants
 * @param {number} index the date that is left
 * @param {readonly (number | null)[]} shares
 * @param {number} least
 */
export function nearestClear(instants, index, shares, least) {
	const clear = instants.filter((_, other) => other !== index && (shares[other] ?? -1) >= least);
	return instants.indexOf(clear[nearestIndex(clear, instants[index].ms)]);
}
