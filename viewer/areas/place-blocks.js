/** Which dates are asked for together when the values of places are wanted at one, and which period one is in; pure. */

/** Numbers of one answer: a megabyte or two. */
const MAX_VALUES = 100_000;
const MAX_DATES = 32;

/** How many dates are asked for at once. @param {number} places of the set */
export const datesAtOnce = (places) => Math.max(1, Math.min(MAX_DATES, Math.floor(MAX_VALUES / Math.max(1, places))));

/**
 * The dates that are asked for with one of them: index of the first, and of the one after the last.
 * @param {number} index @param {number} count dates in all @param {number} size
 */
export function blockAround(index, count, size) {
	const first = Math.floor(Math.max(0, index) / size) * size;
	return { first, end: Math.min(count, first + size) };
}

/** The period of a date, as the server takes it. @param {import("./place-sets.js").Span} span @param {string} date RFC 3339 */
export function periodOf(span, date) {
	if (span === "date") return date;
	const [year, month] = date.split("-");
	if (span === "year") return year;
	if (span === "month") return `${year}-${month}`;
	const first = 3 * Math.floor((Number(month) - 1) / 3) + 1;
	return [first, first + 2].map((each) => `${year}-${String(each).padStart(2, "0")}`).join("/");
}
