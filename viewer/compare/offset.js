/** Distance between two dates, so that the second one follows the first: in years and a remainder. Pure. */

import { addMonths, indexOfMoment, isWithin, nearestIndex } from "../base/dates.js";

/** @typedef {import("../base/dates.js").Instant} Instant */
/** @typedef {{ years: number, ms: number }} Apart */

const YEAR_MS = 365.2425 * 86_400_000;

/** The same day and time of another year; 29 February is 28 February there. @param {number} ms @param {number} years */
export const addYears = (ms, years) => addMonths(ms, 12 * years);

/** @param {number} from milliseconds since 1970 @param {number} to @returns {Apart} */
export function apartOf(from, to) {
	const years = Math.round((to - from) / YEAR_MS);
	return { years, ms: to - addYears(from, years) };
}

/** @param {number} from @param {Apart} apart */
export const after = (from, { years, ms }) => addYears(from, years) + ms;

/** Within so many milliseconds a date is the same time of another year. */
const NEAR_MS = 16 * 86_400_000;

/**
 * Returns the index of the date that is some years after another one; -1 if there is none near it.
 * @param {Instant[]} instants
 * @param {number} ms
 * @param {number} years
 */
export function indexYearsAfter(instants, ms, years) {
	if (instants.length === 0) return -1;
	const target = addYears(ms, years);
	const index = years === 0 ? indexOfMoment(instants, target) : nearestIndex(instants, target);
	return Math.abs(instants[index].ms - target) < NEAR_MS || isWithin(instants[index], target) ? index : -1;
}

/** Whether two dates are the same time of two years. @param {number} one @param {number} other */
export function areYearsApart(one, other) {
	const { years, ms } = apartOf(one, other);
	return years !== 0 && Math.abs(ms) < NEAR_MS;
}

/**
 * Returns the index of the first comparison: a year earlier, otherwise a year later, otherwise the most distant date.
 * @param {Instant[]} instants
 * @param {number} ms
 */
export function otherIndex(instants, ms) {
	if (instants.length < 2) return instants.length - 1;
	const [first, last] = [instants[0].ms, instants[instants.length - 1].ms];
	const targetYear = [addYears(ms, -1), addYears(ms, 1)].find((year) => year >= first && year <= last);
	if (targetYear !== undefined) return nearestIndex(instants, targetYear);
	return ms - first > last - ms ? 0 : instants.length - 1;
}
