/**
 * Dates of a layer: parsing, the instant of a text, steps, and formats for people.
 *
 * An instant has the RFC 3339 text of the server (sent back unchanged), its milliseconds since 1970, UTC, and those of
 * the end of its day or period, which is excluded.
 *
 * In maps of periods an instant is a period of the calendar. Its text is the parameter for the server: the first and
 * last day, or the one date that represents the period.
 *
 * @typedef {"dekad" | "month" | "season" | "year"} Slot
 * @typedef {{ text: string, ms: number, end: number, slot?: Slot }} Instant
 * @typedef {{ start: number, end: number }} TimeSpan milliseconds since 1970, the end excluded
 */

const DATE = /^(\d{4})(?:-(\d{2})(?:-(\d{2})(T\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?$/;
export const DAY_MS = 86_400_000;

/**
 * Returns the span of a year, a month, a day or an instant (in UTC, unless it has an offset), like the server; null for
 * any other text.
 * @param {string} text @returns {TimeSpan | null}
 */
export function parseSpan(text) {
	const [, year, month, day, time, zone] = DATE.exec(text) ?? [];
	if (year === undefined) return null;
	const start = Date.parse(`${year}-${month ?? "01"}-${day ?? "01"}`);
	// Date.parse turns 31 February into 2 March.
	if (Number.isNaN(start) || new Date(start).getUTCDate() !== Number(day ?? 1)) return null;
	if (time !== undefined) {
		const ms = Date.parse(zone === undefined ? `${text}Z` : text);
		return Number.isNaN(ms) ? null : { start: ms, end: ms + 1 };
	}
	if (day !== undefined) return { start, end: start + DAY_MS };
	return { start, end: month === undefined ? Date.UTC(Number(year) + 1, 0) : Date.UTC(Number(year), Number(month)) };
}

/**
 * Returns the names of months in a language, without dots.
 * @param {string} locale
 * @param {"long" | "short"} month
 */
const monthNames = (locale, month) =>
	Array.from({ length: 12 }, (_, at) =>
		new Intl.DateTimeFormat(locale, { day: "numeric", month, year: "numeric", timeZone: "UTC" })
			.formatToParts(Date.UTC(2021, at, 1))
			.find(({ type }) => type === "month")
			?.value.replace(".", "")
			.toLocaleLowerCase(locale),
	);

/**
 * Parses a typed date, `2019-06-04`, `4/6/2019`, `4.6.2019`, `4 June 2019`, `2019-06`, `June 2019` or `2019`, into the
 * form of links; null if invalid.
 * @param {string} typed @param {string} [locale] language of names of months
 */
export function parseTyped(typed, locale = "en") {
	const words = typed.trim().toLocaleLowerCase(locale);
	const iso = /^(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?$/.exec(words);
	const dayFirst = /^(\d{1,2})[/. -](\d{1,2})[/. -](\d{4})$/.exec(words)?.slice(1);
	const dateParts = /^(?:(\d{1,2})\.?(?: de)? )?(\p{L}{3,})\.?(?: de)? (\d{4})$/u.exec(words)?.slice(1);
	if (dateParts) {
		const at = [monthNames(locale, "long"), monthNames(locale, "short")].map((names) => names.indexOf(dateParts[1]));
		dateParts[1] = String(Math.max(...at) + 1);
	}
	const parts = iso ? iso.slice(1) : (dayFirst ?? dateParts ?? []).reverse();
	const date = parts
		.filter((part) => part !== undefined)
		.map((part) => part.padStart(2, "0"))
		.join("-");
	return parseSpan(date) ? date : null;
}

/**
 * @param {string} text RFC 3339
 * @param {string | null} [end] of its day or period; null for an exact instant
 * @returns {Instant}
 */
export function toInstant(text, end = null) {
	const ms = Date.parse(text);
	return { text, ms, end: end === null ? ms + 1 : Date.parse(end) };
}

/**
 * Returns the index of the instant nearest to `ms`, the earlier of two equally near ones; -1 if there is none.
 * @param {{ ms: number }[]} instants
 * @param {number} ms
 */
export function nearestIndex(instants, ms) {
	let best = -1;
	for (const [index, instant] of instants.entries()) {
		if (best < 0 || Math.abs(instant.ms - ms) < Math.abs(instants[best].ms - ms)) best = index;
	}
	return best;
}

/**
 * Returns the index of the last instant that is not after `ms`; the first if all are.
 * @param {Instant[]} instants ascending
 * @param {number} ms
 */
export const indexAtOrBefore = (instants, ms) =>
	Math.max(
		0,
		instants.findLastIndex((each) => each.ms <= ms),
	);

/** Whether a day or period contains a moment. @param {Instant} instant @param {number} ms */
export const isWithin = (instant, ms) => instant.ms <= ms && ms < instant.end;

/**
 * Returns the index of the instant with `ms` in its day or period, or of the nearest one; -1 if there is none.
 * @param {Instant[]} instants
 * @param {number} ms
 */
export function indexOfMoment(instants, ms) {
	const containing = instants.findIndex((each) => isWithin(each, ms));
	return containing >= 0 ? containing : nearestIndex(instants, ms);
}

/**
 * Returns the index for a date of a link, and whether the layer has data then: the first instant in the year, month or
 * day, otherwise the one with the date in its period, otherwise the nearest one; -1 if the date is invalid.
 * @param {Instant[]} instants @param {string} date
 */
export function resolveDate(instants, date) {
	const same = instants.findIndex(({ text }) => text === date);
	if (same >= 0) return { index: same, exact: true };
	const span = parseSpan(date.split("/")[0]);
	if (!span) return { index: -1, exact: false };
	const first = instants.findIndex(({ ms }) => ms >= span.start && ms < span.end);
	const index = first >= 0 ? first : indexOfMoment(instants, span.start);
	return { index, exact: first >= 0 || (index >= 0 && isWithin(instants[index], span.start)) };
}

/**
 * Returns the first and last index of the instants that overlap the time from one date to the end of another, both
 * included, like the server; null if there are none.
 * @param {Instant[]} instants @param {string | undefined} from @param {string | undefined} to
 */
export function indexesBetween(instants, from, to) {
	const start = (from === undefined ? null : parseSpan(from))?.start ?? Number.NEGATIVE_INFINITY;
	const end = (to === undefined ? null : parseSpan(to))?.end ?? Number.POSITIVE_INFINITY;
	const first = instants.findIndex((each) => each.end > start);
	const last = instants.findLastIndex(({ ms }) => ms < end);
	return first < 0 || last < first ? null : { first, last };
}

/**
 * Returns the shortest text that identifies an instant among the others: its day, or the whole text.
 * @param {Instant[]} instants
 * @param {number} index
 */
export function dateOf(instants, index) {
	const { text } = instants[index];
	const day = text.slice(0, 10);
	const isShared = instants[index - 1]?.end > Date.parse(day) || instants[index + 1]?.text.slice(0, 10) === day;
	return isShared ? text : day;
}

/** @param {number} ms */
export const yearOf = (ms) => new Date(ms).getUTCFullYear();

/**
 * The same day and time some months on, or the last day of a shorter month.
 * @param {number} ms
 * @param {number} months
 */
export function addMonths(ms, months) {
	const date = new Date(ms);
	const day = date.getUTCDate();
	date.setUTCMonth(date.getUTCMonth() + months);
	if (date.getUTCDate() !== day) date.setUTCDate(0);
	return date.getTime();
}

/**
 * Returns the index after a step of whole months, at least one instant away if there is one.
 * @param {Instant[]} instants @param {number} index @param {number} months
 */
export function stepMonths(instants, index, months) {
	const nearest = nearestIndex(instants, addMonths(instants[index].ms, months));
	const moved = months < 0 ? Math.min(nearest, index - 1) : Math.max(nearest, index + 1);
	return Math.max(0, Math.min(instants.length - 1, moved));
}

/** The years that have instants, with the index of each one's first. @param {Instant[]} instants */
export function yearsOf(instants) {
	/** @type {{ year: number, first: number, count: number }[]} */
	const years = [];
	for (const [index, { ms }] of instants.entries()) {
		const year = yearOf(ms);
		const last = years.at(-1);
		if (last?.year === year) last.count += 1;
		else years.push({ year, first: index, count: 1 });
	}
	return years;
}

/**
 * Returns shares relative to the date with the largest one: pixels in the sea are missing at every date and are no
 * cloud.
 * @param {readonly (number | null)[]} shares @returns {(number | null)[]}
 */
export function ofFullest(shares) {
	const most = shares.reduce((/** @type {number} */ one, other) => Math.max(one, other ?? 0), 0);
	return shares.map((share) => (share === null || most === 0 ? share : share / most));
}

/** Minimum share of a clear date, relative to the date with the largest one. */
const CLEAR_SHARE = 0.8;
/** Number of dates that are searched for a clear one, newest first. */
const MAX_LOOKED_AT = 12;

/**
 * Returns the index of the newest clear date, or the clearest; the last one if its share is unknown.
 * @param {readonly (number | null)[]} shares
 */
export function newestClear(shares) {
	const last = shares.length - 1;
	const clearShares = ofFullest(shares).map((share) => Math.min(share ?? -1, CLEAR_SHARE));
	return clearShares[last] < 0 ? last : clearShares.lastIndexOf(Math.max(...clearShares.slice(-MAX_LOOKED_AT)));
}

/** @param {number} ms */
const hasTime = (ms) => ms % DAY_MS !== 0;

/** Returns "11 June 2020", with the time of day unless it is midnight. @param {number} ms @param {string} locale */
export const formatDate = (ms, locale) => format(ms, locale, { day: "numeric", month: "long", year: "numeric" });

/** "11 Jun 2020": as `formatDate`, shorter. @param {number} ms @param {string} locale */
export const formatShortDate = (ms, locale) => format(ms, locale, { day: "numeric", month: "short", year: "numeric" });

/**
 * A date as `formatDate` writes it, or "June 2024" or "1–10 June 2024" of a period.
 * @param {Instant} instant
 * @param {string} locale
 * @param {"long" | "short"} [month]
 */
export const formatInstant = (instant, locale, month = "long") =>
	instant.slot
		? formatPeriod(instant, locale, { month, year: "numeric" })
		: format(instant.ms, locale, { day: "numeric", month, year: "numeric" });

/**
 * "June", "1–10 June", "Dec – Feb": a period without its year.
 * @param {Instant} instant
 * @param {string} locale
 * @param {"long" | "short"} [month]
 */
export const formatPartOfYear = (instant, locale, month = "long") =>
	instant.slot === "year" ? "" : formatPeriod(instant, locale, { month });

/**
 * @param {Instant} instant
 * @param {string} locale
 * @param {Intl.DateTimeFormatOptions} parts those that are not shorter than the period are used
 */
function formatPeriod({ ms, end, slot }, locale, { month, year }) {
	const longer = { year, month: slot === "year" ? undefined : month };
	const parts = slot === "dekad" ? { ...longer, day: /** @type {const} */ ("numeric") } : longer;
	return new Intl.DateTimeFormat(locale, { ...parts, timeZone: "UTC" }).formatRange(ms, end - DAY_MS);
}

/** "11 June": as `formatDate` without the year. @param {number} ms @param {string} locale */
export const formatDayOfYear = (ms, locale) => format(ms, locale, { day: "numeric", month: "long" });

/**
 * Formats a date in its precision, "11 June 2020", "June 2020" or "2020"; null if invalid.
 * @param {string} date
 * @param {string} locale
 */
export function formatNamed(date, locale) {
	const span = parseSpan(date);
	if (!span) return null;
	if (date.length > 7) return formatDate(span.start, locale);
	return format(span.start, locale, { month: date.length > 4 ? "long" : undefined, year: "numeric" });
}

/** @param {number} ms @param {string} locale @param {Intl.DateTimeFormatOptions} day */
function format(ms, locale, day) {
	const options = hasTime(ms) ? { ...day, hour: "2-digit", minute: "2-digit" } : day;
	const text = new Intl.DateTimeFormat(locale, /** @type {any} */ ({ ...options, timeZone: "UTC" })).format(ms);
	return hasTime(ms) ? `${text} UTC` : text;
}
