/**
 * Labels below the bars at starts of years, months or days, as far as there is room.
 *
 * @typedef {import("../../base/dates.js").Instant} Instant
 * @typedef {{ ms: number, text: string, isMajor: boolean }} Tick major ones start a year or, among days, a month
 * @typedef {{ from: number, to: number }} Span in milliseconds since 1970
 */
import { DAY_MS, yearOf } from "../../base/dates.js";

const MONTH_DAYS = 30.44;
/** Widths that labels need, in CSS pixels. */
const [YEAR_PX, MONTH_PX, DAY_PX] = [40, 34, 30];
const YEAR_STEPS = [1, 2, 5, 10, 20, 50, 100];
const MONTH_STEPS = [1, 2, 3, 6];
/** Days are labelled for at most this number of months. */
const MAX_MONTHS_OF_DAYS = 2;

/** Months since the year 0. @param {number} ms */
const monthOf = (ms) => yearOf(ms) * 12 + new Date(ms).getUTCMonth();

/** Returns the start of a month. @param {number} month since the year 0 */
function startOfMonth(month) {
	const date = new Date(0);
	date.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
	return date.getTime();
}

/** @param {string} locale @param {Intl.DateTimeFormatOptions} parts */
function writer(locale, parts) {
	const format = new Intl.DateTimeFormat(locale, { ...parts, timeZone: "UTC" });
	return (/** @type {number} */ ms) => format.format(ms).replace(/\.$/, "");
}

/**
 * Returns starts of months within a span; the first date of all stands for its month.
 * @param {Instant[]} instants @param {Span} span @param {number} step months
 */
function startsOf(instants, { from, to }, step) {
	const first = instants[0].ms;
	/** @type {number[]} */
	const starts = first >= from && first <= to ? [first] : [];
	const next = Math.ceil((monthOf(Math.max(from, first) - 1) + 1) / step) * step;
	for (let month = next; startOfMonth(month) <= to; month += step) {
		const start = startOfMonth(month);
		if (start > first) starts.push(start);
	}
	return starts;
}

/**
 * Removes labels that would overlap the one before, and labels that would overlap a major one after them.
 * @param {Tick[]} ticks
 * @param {number} dayPx
 * @param {number} needPx
 */
function thinOut(ticks, dayPx, needPx) {
	/** @type {Tick[]} */
	const visibleTicks = [];
	for (const tick of ticks) {
		const last = visibleTicks.at(-1);
		const isNear = last !== undefined && ((tick.ms - last.ms) / DAY_MS) * dayPx < needPx;
		if (isNear && (last.isMajor || !tick.isMajor)) continue;
		if (isNear) visibleTicks.pop();
		visibleTicks.push(tick);
	}
	return visibleTicks;
}

/**
 * Returns the labels in their order.
 * @param {Instant[]} instants all dates
 * @param {Span} span that is shown
 * @param {number} dayPx width of a day, in CSS pixels
 * @param {string} locale
 * @returns {Tick[]}
 */
export function ticksOf(instants, span, dayPx, locale) {
	const months = monthOf(span.to) - monthOf(span.from) + 1;
	const monthPx = MONTH_DAYS * dayPx;
	if (months <= MAX_MONTHS_OF_DAYS) return dayTicks(instants, span, dayPx, locale);
	const step = MONTH_STEPS.find((each) => each * monthPx >= MONTH_PX);
	if (step !== undefined) return monthTicks(instants, span, dayPx, { locale, step });
	const yearStep = YEAR_STEPS.find((each) => each * 12 * monthPx >= YEAR_PX) ?? Number.POSITIVE_INFINITY;
	const ticks = startsOf(instants, span, 12)
		.filter((ms) => yearOf(ms) % yearStep === 0)
		.map((ms) => ({ ms, text: String(yearOf(ms)), isMajor: true }));
	return thinOut(ticks, dayPx, YEAR_PX);
}

/**
 * Returns ticks of months; if no year starts among them, the first month has its year.
 * @param {Instant[]} instants
 * @param {Span} span
 * @param {number} dayPx
 * @param {{ locale: string, step: number }} how
 */
function monthTicks(instants, span, dayPx, { locale, step }) {
	const nameOf = writer(locale, { month: "short" });
	const nameAndYearOf = writer(locale, { month: "short", year: "numeric" });
	const ticks = startsOf(instants, span, step).map((ms) => {
		const isMajor = ms === instants[0].ms || monthOf(ms) % 12 === 0;
		return { ms, text: isMajor ? String(yearOf(ms)) : nameOf(ms), isMajor };
	});
	if (ticks.some(({ isMajor }) => isMajor) || ticks.length === 0) return thinOut(ticks, dayPx, MONTH_PX);
	const [{ ms }, ...others] = ticks;
	const free = others.filter((tick) => ((tick.ms - ms) / DAY_MS) * dayPx >= 2 * MONTH_PX);
	return [{ ms, text: nameAndYearOf(ms), isMajor: true }, ...thinOut(free, dayPx, MONTH_PX)];
}

/**
 * Returns ticks of dates for a few weeks; the first date of a month has its year.
 * @param {Instant[]} instants
 * @param {Span} span
 * @param {number} dayPx
 * @param {string} locale
 */
function dayTicks(instants, { from, to }, dayPx, locale) {
	const dayOf = writer(locale, { day: "numeric", month: "short" });
	const monthAndYearOf = writer(locale, { month: "short", year: "numeric" });
	const ticks = instants.flatMap(({ ms }, index) => {
		if (ms < from || ms > to) return [];
		const isMajor = index === 0 || monthOf(instants[index - 1].ms) !== monthOf(ms);
		return [{ ms, text: (isMajor ? monthAndYearOf : dayOf)(ms), isMajor }];
	});
	return thinOut(ticks, dayPx, 2 * DAY_PX);
}
