/**
 * The same time of year in all years: what the year lens shows.
 *
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {{ year: number, index: number, days: number }} SameTime the year's date, and how many days earlier
 *   (negative) or later in its year it is
 */
import { addMonths, DAY_MS, nearestIndex, yearOf, yearsOf } from "../base/dates.js";

/** Further away, it is another time of year. */
const MAX_DAYS = 10;

/**
 * The same day and month in another year; 29 February is the 28th where there is none.
 * @param {number} ms
 * @param {number} year
 */
export const inYear = (ms, year) => addMonths(ms, 12 * (year - yearOf(ms)));

/**
 * The date nearest to the same day of every year that has one within ten days, in the order of years. A date of
 * December may stand for a day of January of the year after, and the other way round.
 * @param {Instant[]} instants @param {number} index @returns {SameTime[]}
 */
export function sameTimeOfYears(instants, index) {
	const { ms } = instants[index];
	const [first, last] = [yearsOf(instants)[0].year, yearsOf(instants).at(-1)?.year ?? 0];
	const years = Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
	return years
		.map((year) => {
			const then = inYear(ms, year);
			const nearest = yearOf(ms) === year ? index : nearestIndex(instants, then);
			return { year, index: nearest, days: Math.round((instants[nearest].ms - then) / DAY_MS) };
		})
		.filter(({ days }) => Math.abs(days) <= MAX_DAYS);
}
