/**
 * Dates of a layer: parsing, the nearest one that exists, stepping, and how they are written for people.
 *
 * An instant is the server's RFC 3339 text (sent back as it came) with its milliseconds since 1970, UTC.
 *
 * @typedef {{ text: string, ms: number }} Instant
 */

const DAY = /^(\d{4})-(\d{2})-(\d{2})$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z$/;
const DAY_MS = 86_400_000;

/** Milliseconds of a day (`2020-06-11`, its midnight) or an instant; null for any other text. @param {string} text */
export function parseDate(text) {
	if (!DAY.test(text) && !INSTANT.test(text)) return null;
	const ms = Date.parse(text);
	// Date.parse turns 31 February into 2 March.
	return Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text.slice(0, 10) ? null : ms;
}

/** @param {string} text RFC 3339 @returns {Instant} */
export const toInstant = (text) => ({ text, ms: Date.parse(text) });

/** Index of the instant nearest to `ms`, the earlier of two as near; -1 of none. @param {Instant[]} instants @param {number} ms */
export function nearestIndex(instants, ms) {
	let best = -1;
	for (const [index, instant] of instants.entries()) {
		if (best < 0 || Math.abs(instant.ms - ms) < Math.abs(instants[best].ms - ms)) best = index;
	}
	return best;
}

/**
 * Index that a date in a link stands for, and whether the layer has data then: a day means its first instant.
 * @param {Instant[]} instants @param {string} date
 */
export function resolveDate(instants, date) {
	const exact = instants.findIndex(({ text }) => (DAY.test(date) ? text.slice(0, 10) === date : text === date));
	if (exact >= 0) return { index: exact, exact: true };
	const ms = parseDate(date);
	return { index: ms === null ? -1 : nearestIndex(instants, ms), exact: false };
}

/** Shortest text that names the instant among the others: its day, or all of it. @param {Instant[]} instants @param {number} index */
export function dateOf(instants, index) {
	const { text } = instants[index];
	const day = text.slice(0, 10);
	const shared = (/** @type {Instant | undefined} */ other) => other?.text.slice(0, 10) === day;
	return shared(instants[index - 1]) || shared(instants[index + 1]) ? text : day;
}

/**
 * Index after a step of whole months, at least one instant further while there is one.
 * @param {Instant[]} instants @param {number} index @param {number} months
 */
export function stepMonths(instants, index, months) {
	const from = new Date(instants[index].ms);
	const day = from.getUTCDate();
	from.setUTCDate(1);
	from.setUTCMonth(from.getUTCMonth() + months);
	const lastDay = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 0)).getUTCDate();
	from.setUTCDate(Math.min(day, lastDay));
	const nearest = nearestIndex(instants, from.getTime());
	const moved = months < 0 ? Math.min(nearest, index - 1) : Math.max(nearest, index + 1);
	return Math.max(0, Math.min(instants.length - 1, moved));
}

/** The years that have instants, with the index of each one's first. @param {Instant[]} instants */
export function yearsOf(instants) {
	/** @type {{ year: number, first: number, count: number }[]} */
	const years = [];
	for (const [index, { ms }] of instants.entries()) {
		const year = new Date(ms).getUTCFullYear();
		const last = years.at(-1);
		if (last?.year === year) last.count += 1;
		else years.push({ year, first: index, count: 1 });
	}
	return years;
}

/** @param {number} ms */
const hasTime = (ms) => ms % DAY_MS !== 0;

/** "11 June 2020", with the time of day where it is not midnight. @param {number} ms @param {string} locale */
export const formatDate = (ms, locale) => format(ms, locale, { day: "numeric", month: "long", year: "numeric" });

/** "11 Jun 2020": as `formatDate`, shorter. @param {number} ms @param {string} locale */
export const formatShortDate = (ms, locale) => format(ms, locale, { day: "numeric", month: "short", year: "numeric" });

/** "11 June": as `formatDate` without the year. @param {number} ms @param {string} locale */
export const formatDayOfYear = (ms, locale) => format(ms, locale, { day: "numeric", month: "long" });

/** @param {number} ms @param {string} locale @param {Intl.DateTimeFormatOptions} day */
function format(ms, locale, day) {
	const options = hasTime(ms) ? { ...day, hour: "2-digit", minute: "2-digit" } : day;
	const text = new Intl.DateTimeFormat(locale, /** @type {any} */ ({ ...options, timeZone: "UTC" })).format(ms);
	return hasTime(ms) ? `${text} UTC` : text;
}
