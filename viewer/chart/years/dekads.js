/**
 * Means of dekads from the server as a table of years and 36 dekads; pure.
 *
 * @typedef {{ time: string, value: number | null, count: number }} Dekad `time` is its first day; `count` is the number
 *   of dates with a value
 * @typedef {{ year: number, cells: (Dekad | null)[] }} DekadRow of a year; null if the layer has no date
 */
import { yearDayOf } from "./year-lines.js";

export const DEKADS = 36;

/** @param {string} time the first day of a dekad @param {number} month the first month of years */
const columnOf = (time, month) => {
	const [, own, day] = time.slice(0, 10).split("-").map(Number);
	return ((own - month + 12) % 12) * 3 + Math.min(2, Math.floor((day - 1) / 10));
};

/** The end of a dekad, excluded. @param {string} time its first day */
export function dekadEnd(time) {
	const [year, month, day] = time.slice(0, 10).split("-").map(Number);
	return day > 20 ? Date.UTC(year, month) : Date.UTC(year, month - 1, day + 10);
}

/**
 * @param {(string | null)[]} times
 * @param {(number | null)[]} values
 * @param {number[]} counts
 * @param {number} month
 * @returns {DekadRow[]} in the order of years
 */
export function dekadRows(times, values, counts, month) {
	/** @type {Map<number, (Dekad | null)[]>} */
	const rows = new Map();
	for (const [index, time] of times.entries()) {
		if (time === null) continue;
		const { year } = yearDayOf(Date.parse(time), month);
		const row = rows.get(year) ?? new Array(DEKADS).fill(null);
		row[columnOf(time, month)] = { time, value: values[index], count: counts[index] ?? 0 };
		rows.set(year, row);
	}
	return [...rows].map(([year, cells]) => ({ year, cells }));
}

/**
 * Returns the position of the dekad with a moment; row -1 if its year is missing.
 * @param {DekadRow[]} rows
 * @param {number} ms
 * @param {number} month
 */
export function dekadAt(rows, ms, month) {
	const { year } = yearDayOf(ms, month);
	return { row: rows.findIndex((each) => each.year === year), column: columnOf(new Date(ms).toISOString(), month) };
}
