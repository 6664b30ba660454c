/**
 * The calendar's periods, in UTC: dekads start on days 1, 11 and 21, seasons with December, March, June and September.
 * Pure.
 *
 * @typedef {"dekad" | "month" | "season" | "year"} Slot
 */

const DEKAD_DAYS = 10;
/** Days of the longest of each: so many after a period began, the next one has begun and is not over. */
const MOST_DAYS = { dekad: 11, month: 31, season: 92, year: 366 };
export const DAY_MS = 86_400_000;

/** @param {number} year @param {number} month from 0; may be of another year @param {number} [day] */
function utc(year, month, day = 1) {
	const date = new Date(0);
	// Date.UTC maps the years 0 to 99 to the 20th century.
	date.setUTCFullYear(year, month, day);
	return date.getTime();
}

/** Returns the start of the period with a moment. @param {Slot} slot @param {number} ms since 1970 */
export function startOf(slot, ms) {
	const date = new Date(ms);
	const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
	if (slot === "year") return utc(year, 0);
	if (slot === "season") return utc(year, month - ((month + 1) % 3));
	return utc(year, month, slot === "month" ? 1 : 1 + DEKAD_DAYS * Math.min(2, Math.floor((day - 1) / DEKAD_DAYS)));
}

/** Returns the end of the period with a moment, exclusive. @param {Slot} slot @param {number} ms since 1970 */
export const endOf = (slot, ms) => startOf(slot, startOf(slot, ms) + MOST_DAYS[slot] * DAY_MS);

/** @param {number} ms */
export const dayText = (ms) => new Date(ms).toISOString().slice(0, 10);

/**
 * Returns the first and last day of a moment's period, as in requests: `2024-06-01/2024-06-30`.
 * @param {Slot} slot
 * @param {number} ms since 1970
 */
export const periodText = (slot, ms) => `${dayText(startOf(slot, ms))}/${dayText(endOf(slot, ms) - DAY_MS)}`;

/**
 * Returns the first and last day of a moment's year, quarter or other number of months; for 0 months, its day.
 * @param {number} ms since 1970
 * @param {number} months
 */
export function spanText(ms, months) {
	if (months === 0) return `${dayText(ms)}/${dayText(ms)}`;
	const date = new Date(ms);
	const [year, first] = [date.getUTCFullYear(), date.getUTCMonth() - (date.getUTCMonth() % months)];
	return `${dayText(utc(year, first))}/${dayText(utc(year, first + months, 0))}`;
}

/**
 * Returns the part of the year of a moment's period, by its first day: `06-01`.
 * @param {Slot} slot
 * @param {number} ms since 1970
 */
export const partOfYear = (slot, ms) => dayText(startOf(slot, ms)).slice(-5);
