/**
 * A series divided into years that start with a chosen month, each on the same 366 days, so that they can be overlaid;
 * usual values of each of these days, seasons, running sums, and ranks; pure.
 *
 * Days of a year are counted from its first one, in a year with a 29 February: the same day and month has the same
 * number in every year. A column has one entry per day: undefined without an acquisition, null without a value.
 *
 * @typedef {(number | null | undefined)[]} Column of 366 days
 * @typedef {(number | null)[]} Values as long as the times
 * @typedef {{ day: number, value: number | null }[]} Daily one mean per day with acquisitions; days since 1970,
 *   ascending
 * @typedef {{ year: number, day: number }} YearDay `year` is that of the first day
 * @typedef {ReadonlyMap<number, Column>} YearLines by year, ascending
 * @typedef {{ slots: string[], values: Values, counts: number[] }} Normals slots as `MM-DD`, their first days
 * @typedef {{ low: Column, middle: Column, high: Column }} Usual
 * @typedef {{ start: string[], peak: string[], end: string[], length: number[] }} Phenology
 * @typedef {{ year: number, days: YearDay[], dates: string[], length: number }} Season `year` is that of its peak; days
 *   and dates of start, peak and end
 */
import { DAY_MS } from "../../base/dates.js";

export const DAYS = 366;
/** A sum continues over a gap of so many days, linearly; before the very first value over half of them. */
const MAX_GAP_DAYS = 60;
/** Minimum number of years for usual values. */
const LEAST_YEARS = 3;

/** @param {number} month 1 to 12 */
const modelYear = (month) => (month <= 2 ? 2000 : 1999);

/**
 * Returns the first day of the model year, which has a 29 February.
 * @param {number} month its first month, 1 to 12
 */
export const modelStart = (month) => Date.UTC(modelYear(month), month - 1);

/** @param {number} ms @param {number} month @returns {YearDay} */
export function yearDayOf(ms, month) {
	const date = new Date(ms);
	const back = date.getUTCMonth() + 1 < month ? 1 : 0;
	const model = Date.UTC(modelYear(month) + back, date.getUTCMonth(), date.getUTCDate());
	return { year: date.getUTCFullYear() - back, day: Math.round((model - modelStart(month)) / DAY_MS) };
}

/**
 * Midnight of a day of a year; of a 29 February that it has not, the 28th.
 * @param {YearDay} at
 * @param {number} month
 */
export function msOf({ year, day }, month) {
	const model = new Date(modelStart(month) + day * DAY_MS);
	const years = model.getUTCFullYear() - modelYear(month);
	const ms = Date.UTC(year + years, model.getUTCMonth(), model.getUTCDate());
	return new Date(ms).getUTCMonth() === model.getUTCMonth() ? ms : ms - DAY_MS;
}

/** `MM-DD` of a day of all years. @param {number} day @param {number} month */
export const monthDay = (day, month) => new Date(modelStart(month) + day * DAY_MS).toISOString().slice(5, 10);

/** "2022", or "2022/23" of a year that ends in the next. @param {number} year @param {number} month */
export const yearName = (year, month) => (month === 1 ? String(year) : `${year}/${String(year + 1).slice(-2)}`);

/**
 * Combines acquisitions of one day: the mean of those with a value.
 * @param {(string | null)[]} times
 * @param {Values} values
 * @returns {Daily}
 */
export function daily(times, values) {
	/** @type {Map<number, { sum: number, count: number }>} */
	const sumsByDay = new Map();
	for (const [index, time] of times.entries()) {
		const day = Math.floor(Date.parse(time ?? "") / DAY_MS);
		const { sum, count } = sumsByDay.get(day) ?? { sum: 0, count: 0 };
		const value = values[index] ?? null;
		sumsByDay.set(day, value === null ? { sum, count } : { sum: sum + value, count: count + 1 });
	}
	const all = [...sumsByDay].sort(([one], [other]) => one - other);
	return all.map(([day, { sum, count }]) => ({ day, value: count > 0 ? sum / count : null }));
}

/** @param {Daily} series @param {number} month @returns {Map<number, Column>} */
export function cutYears(series, month) {
	/** @type {Map<number, Column>} */
	const lines = new Map();
	for (const { day, value } of series) {
		const at = yearDayOf(day * DAY_MS, month);
		const column = lines.get(at.year) ?? new Array(DAYS).fill(undefined);
		column[at.day] = value;
		lines.set(at.year, column);
	}
	return lines;
}

/**
 * @param {Daily} known values without gaps
 * @param {number} day since 1970
 * @returns {number | null} interpolated between values that are near enough
 */
function valueOn(known, day) {
	const index = known.findIndex((each) => each.day >= day);
	const [before, after] = [known[index - 1], known[index]];
	if (!after || after.value === null) return null;
	if (after.day === day) return after.value;
	if (!before || before.value === null) return after.day - day <= MAX_GAP_DAYS / 2 ? after.value : null;
	const gap = after.day - before.day;
	return gap <= MAX_GAP_DAYS ? before.value + ((after.value - before.value) * (day - before.day)) / gap : null;
}

/**
 * Returns running sums of value × days from the first day of each year: of the daily values and of linear interpolation
 * between them. A sum ends before a gap of more than 60 days, and after the last value.
 * @param {Daily} series @param {number} month @returns {Map<number, Column>}
 */
export function cumulate(series, month) {
	const valid = series.filter(({ value }) => value !== null);
	const lines = new Map([...cutYears(series, month).keys()].map((year) => [year, new Array(DAYS).fill(undefined)]));
	for (const [year, column] of lines) {
		const [first, end] = [year, year + 1].map((each) => msOf({ year: each, day: 0 }, month) / DAY_MS);
		for (let [day, sum] = [first, 0]; day < end; day += 1) {
			const value = valueOn(valid, day);
			if (value === null) break;
			sum += value;
			column[yearDayOf(day * DAY_MS, month).day] = sum;
		}
	}
	return lines;
}

/**
 * Linear between the order statistics (Hyndman and Fan's seventh), as the server has it.
 * @param {number[]} sorted
 * @param {number} share
 */
function quantile(sorted, share) {
	if (sorted.length === 0) return null;
	const place = (sorted.length - 1) * share;
	const [low, high] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]];
	return low + (high - low) * (place - Math.floor(place));
}

/**
 * Returns the usual values of each day: the 10th percentile, the median and the 90th percentile of its slot of the
 * year,
 * from the server; null with less than three years.
 * @param {(string | null)[]} times
 * @param {Values} values
 * @param {Normals} normals
 * @param {number} month
 * @returns {Usual | null}
 */
export function usualOf(times, values, normals, month) {
	const { slots } = normals;
	const slotOf = (/** @type {string} */ day) => slots.findLastIndex((slot) => slot <= day.replace("02-29", "02-28"));
	/** @type {number[][]} */
	const found = slots.map(() => []);
	const years = new Set();
	for (const [index, time] of times.entries()) {
		const value = values[index] ?? null;
		if (time === null || value === null) continue;
		found[slotOf(time.slice(5, 10))].push(value);
		years.add(time.slice(0, 4));
	}
	if (years.size < LEAST_YEARS) return null;
	for (const all of found) all.sort((one, other) => one - other);
	const days = Array.from({ length: DAYS }, (_, day) => slotOf(monthDay(day, month)));
	const at = (/** @type {number} */ share) => days.map((slot) => quantile(found[slot], share));
	return { low: at(0.1), middle: days.map((slot) => normals.values[slot]), high: at(0.9) };
}

/** @param {Phenology} columns @param {number} month @returns {Season[]} */
export const seasonsOf = (columns, month) =>
	columns.peak.map((peak, index) => {
		const dates = [columns.start[index], peak, columns.end[index]];
		const days = dates.map((date) => yearDayOf(Date.parse(date), month));
		return { year: days[1].year, days, dates, length: columns.length[index] };
	});

/**
 * Days from one day of the year to another, the shorter way: those around its turn are near to one another.
 * @param {number} from
 * @param {number} to
 */
const daysBetween = (from, to) => ((to - from + 1.5 * DAYS) % DAYS) - DAYS / 2;

/** The season with the peak nearest to a day. @param {Season[]} seasons @param {number} day */
function nearestTo(seasons, day) {
	const away = seasons.map(({ days: [, peak] }) => Math.abs(daysBetween(peak.day, day)));
	return seasons[away.indexOf(Math.min(...away))];
}

/**
 * How start, peak and end of a year's season lie among those of the years: days after their median, and how many are
 * earlier and later. Of several seasons of the year that with the peak nearest to a day counts, of the others' that
 * nearest to its peak, within a quarter of a year. Nothing of less than three years.
 * @param {Season[]} seasons
 * @param {number | null} year
 * @param {number} day
 * @returns {{ days: number, earlier: number, later: number, count: number }[]}
 */
export function placesOf(seasons, year, day) {
	const ofYear = (/** @type {number | null} */ wanted) => seasons.filter((season) => season.year === wanted);
	const nearest = nearestTo(ofYear(year), day);
	if (!nearest) return [];
	const peak = nearest.days[1].day;
	const years = [...new Set(seasons.map((season) => season.year))];
	const alike = years
		.map((each) => nearestTo(ofYear(each), peak))
		.filter(({ days }) => Math.abs(daysBetween(peak, days[1].day)) <= DAYS / 4);
	if (alike.length < LEAST_YEARS) return [];
	return nearest.days.map(({ day }, part) => {
		const away = alike.map(({ days }) => daysBetween(day, days[part].day));
		const middle = Number(
			quantile(
				away.toSorted((one, other) => one - other),
				0.5,
			),
		);
		const [earlier, later] = [away.filter((each) => each < 0), away.filter((each) => each > 0)];
		const days = Math.round(Math.abs(middle)) * (middle > 0 ? -1 : 1);
		return { days, earlier: earlier.length, later: later.length, count: alike.length };
	});
}

/**
 * Half of the usual time between two acquisitions, in days: values of years are compared over no more, and over five at
 * least.
 * @param {Daily} series
 */
export function nearnessOf(series) {
	const steps = series.slice(1).map(({ day }, index) => day - series[index].day);
	steps.sort((one, other) => one - other);
	return Math.max(5, Math.ceil((steps[Math.floor(steps.length / 2)] ?? 0) / 2));
}

/**
 * The value of each year that is nearest to a day, the highest first.
 * @param {YearLines} lines
 * @param {number} day
 * @param {number} nearness days that it may be away
 */
export function valuesAt(lines, day, nearness) {
	const away = Array.from({ length: nearness + 1 }, (_, days) => [day - days, day + days]).flat();
	const found = [...lines].flatMap(([year, column]) => {
		const near = away.find((each) => typeof column[each] === "number");
		return near === undefined ? [] : [{ year, day: near, value: Number(column[near]) }];
	});
	return found.sort((one, other) => other.value - one.value);
}

/**
 * Place among values, 1 is the highest; equal ones share the better place.
 * @param {{ value: number }[]} found
 * @param {number} value
 */
export const rankOf = (found, value) => 1 + found.filter((each) => each.value > value).length;
