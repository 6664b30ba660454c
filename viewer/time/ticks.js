/**
 * What is written below the bars: years, months or days at the first date of each, as many as there is room for.
 *
 * @typedef {import("./dates.js").Instant} Instant
 * @typedef {{ index: number, text: string, isMajor: boolean }} Tick at the slot of a date; major ones begin a year or, among days, a month
 */

/** Widths that labels need, in CSS pixels. */
const [YEAR_PX, MONTH_PX, DAY_PX] = [40, 34, 30];
const YEAR_STEPS = [1, 2, 5, 10, 20, 50, 100];
const MONTH_STEPS = [1, 2, 3, 6];
/** Of more months than this no days are written. */
const MAX_MONTHS_OF_DAYS = 2;

/** @param {number} ms */
const yearOf = (ms) => new Date(ms).getUTCFullYear();

/** Months since the year 0. @param {number} ms */
const monthOf = (ms) => yearOf(ms) * 12 + new Date(ms).getUTCMonth();

/** @param {string} locale @param {Intl.DateTimeFormatOptions} parts */
function writer(locale, parts) {
	const format = new Intl.DateTimeFormat(locale, { ...parts, timeZone: "UTC" });
	return (/** @type {number} */ ms) => format.format(ms).replace(/\.$/, "");
}

/**
 * The shown dates that are the first ones of their year or month.
 * @param {Instant[]} instants @param {[first: number, last: number]} shown @param {(ms: number) => number} keyOf
 */
function startsOf(instants, [first, last], keyOf) {
	/** @type {number[]} */
	const starts = [];
	for (let index = first; index <= last; index += 1) {
		if (index === 0 || keyOf(instants[index - 1].ms) !== keyOf(instants[index].ms)) starts.push(index);
	}
	return starts;
}

/** Leaves out what would run into what stands before it, and what stands before a major one. @param {Tick[]} ticks @param {number} slotPx @param {number} needPx */
function thinOut(ticks, slotPx, needPx) {
	/** @type {Tick[]} */
	const kept = [];
	for (const tick of ticks) {
		const last = kept.at(-1);
		const isNear = last !== undefined && (tick.index - last.index) * slotPx < needPx;
		if (isNear && (last.isMajor || !tick.isMajor)) continue;
		if (isNear) kept.pop();
		kept.push(tick);
	}
	return kept;
}

/**
 * The labels in their order.
 * @param {Instant[]} instants all dates
 * @param {[first: number, last: number]} shown indexes
 * @param {number} slotPx width of a date, in CSS pixels
 * @param {string} locale
 * @returns {Tick[]}
 */
export function ticksOf(instants, shown, slotPx, locale) {
	const [first, last] = shown;
	const months = monthOf(instants[last].ms) - monthOf(instants[first].ms) + 1;
	const monthPx = ((last - first + 1) * slotPx) / months;
	if (months <= MAX_MONTHS_OF_DAYS) return dayTicks(instants, shown, slotPx, locale);
	const step = MONTH_STEPS.find((each) => each * monthPx >= MONTH_PX);
	if (step !== undefined) return monthTicks(instants, shown, slotPx, { locale, step });
	const years = startsOf(instants, shown, yearOf).map((index) => ({ index, year: yearOf(instants[index].ms) }));
	const yearStep = YEAR_STEPS.find((each) => each * 12 * monthPx >= YEAR_PX) ?? Number.POSITIVE_INFINITY;
	const ticks = years
		.filter(({ year }) => year % yearStep === 0)
		.map(({ index, year }) => ({ index, text: String(year), isMajor: true }));
	return thinOut(ticks, slotPx, YEAR_PX);
}

/** Where no year begins, the first month tells its own. @param {Instant[]} instants @param {[number, number]} shown @param {number} slotPx @param {{ locale: string, step: number }} how */
function monthTicks(instants, shown, slotPx, { locale, step }) {
	const years = new Set(startsOf(instants, shown, yearOf));
	const nameOf = writer(locale, { month: "short" });
	const nameAndYearOf = writer(locale, { month: "short", year: "numeric" });
	const ticks = startsOf(instants, shown, monthOf)
		.filter((index) => years.has(index) || monthOf(instants[index].ms) % step === 0)
		.map((index) => {
			const { ms } = instants[index];
			return { index, text: years.has(index) ? String(yearOf(ms)) : nameOf(ms), isMajor: years.has(index) };
		});
	if (years.size > 0 || ticks.length === 0) return thinOut(ticks, slotPx, MONTH_PX);
	const [{ index }, ...others] = ticks;
	const free = others.filter((tick) => (tick.index - index) * slotPx >= 2 * MONTH_PX);
	return [{ index, text: nameAndYearOf(instants[index].ms), isMajor: true }, ...thinOut(free, slotPx, MONTH_PX)];
}

/** @param {Instant[]} instants @param {[number, number]} shown @param {number} slotPx @param {string} locale */
function dayTicks(instants, shown, slotPx, locale) {
	const months = new Set(startsOf(instants, shown, monthOf));
	const dayOf = writer(locale, { day: "numeric", month: "short" });
	const monthAndYearOf = writer(locale, { month: "short", year: "numeric" });
	const ticks = [];
	for (let index = shown[0]; index <= shown[1]; index += 1) {
		const isMajor = months.has(index);
		ticks.push({ index, text: (isMajor ? monthAndYearOf : dayOf)(instants[index].ms), isMajor });
	}
	return thinOut(ticks, slotPx, 2 * DAY_PX);
}
