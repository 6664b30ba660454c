/**
 * The days of a month in a calendar, and their data.
 *
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {{ index: number, count: number, share: number | null }} DayData index of the day's first instant, how
 *   many it has, and the largest share of data among them
 */
import { DAY_MS } from "../base/dates.js";

/** Returns the midnight of a day. @param {number} ms */
export const dayOf = (ms) => ms - (((ms % DAY_MS) + DAY_MS) % DAY_MS);

/**
 * Returns the data of each day that has any, by its midnight.
 * @param {Instant[]} instants
 * @param {readonly (number | null)[]} shares
 * @returns {Map<number, DayData>}
 */
export function daysOf(instants, shares) {
	/** @type {Map<number, DayData>} */
	const days = new Map();
	for (const [index, { ms }] of instants.entries()) {
		const dayData = days.get(dayOf(ms));
		const share = shares[index] ?? null;
		if (!dayData) days.set(dayOf(ms), { index, count: 1, share });
		else {
			dayData.count += 1;
			dayData.share = dayData.share === null ? share : Math.max(dayData.share, share ?? 0);
		}
	}
	return days;
}

/**
 * Returns the weeks of a month, each of seven days; days of the months before and after complete the first and the
 * last.
 * @param {number} year @param {number} month from 0 @param {number} firstDay of a week: 1 is Monday, 7 is Sunday
 * @returns {number[][]} midnights
 */
export function weeksOf(year, month, firstDay) {
	const first = Date.UTC(year, month, 1);
	const before = (new Date(first).getUTCDay() - firstDay + 14) % 7;
	const count = Math.ceil((before + new Date(Date.UTC(year, month + 1, 0)).getUTCDate()) / 7);
	return Array.from({ length: count }, (_, week) =>
		Array.from({ length: 7 }, (_, day) => first + (7 * week + day - before) * DAY_MS),
	);
}

/** Days from a week's first to a day: 0 to 6. @param {number} ms @param {number} firstDay */
export const placeInWeek = (ms, firstDay) => (new Date(ms).getUTCDay() - firstDay + 14) % 7;

/** Returns the first day of weeks in a locale. @param {string} locale */
export function firstDayOfWeek(locale) {
	const localeInfo = /** @type {any} */ (new Intl.Locale(locale));
	return (localeInfo.getWeekInfo?.() ?? localeInfo.weekInfo)?.firstDay ?? 1;
}
