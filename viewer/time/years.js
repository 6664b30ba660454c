/**
 * The same time of year in all years: the content of the year lens.
 *
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {{ year: number, index: number, days: number }} SameTime the date of a year, and its distance in days
 *   (negative if earlier in the year)
 */
import { addMonths, DAY_MS, nearestIndex, yearOf, yearsOf } from "../base/dates.js";

/** Dates with a larger distance are another time of year. */
const MAX_DAYS = 10;

/**
 * Returns the same day and month in another year; 28 February for 29 February if there is none.
 * @param {number} ms
 * @param {number} year
 */
export const inYear = (ms, year) => addMonths(ms, 12 * (year - yearOf(ms)));

/**
 * Returns the date nearest to the same day of every year that has one within ten days, in the order of years. A date in
 * December may represent a day of January of the next year, and vice versa.
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
