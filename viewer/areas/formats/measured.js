/**
 * Series that were measured at places, as tables have them: a column of dates, one or more of numbers, and perhaps one
 * that names the place; pure.
 *
 * @typedef {{ name: string, unit: string, times: number[], values: number[] }} Measured `times` in milliseconds
 *   since 1970, ascending
 * @typedef {{ line: number, cells: string[] }} Row
 */
import { text } from "../../base/text.js";
import { PLACE_NAME, plainName, readNumber } from "./csv.js";
import { AreaFault, tidyName } from "./faults.js";

const TIME = /^(time|timestamp|date(time)?|datum|tijd|zeit|tag|jour|heure|fecha|hora|data|dia|day)$/;
const ISO = /^(\d{4})(?:-?(\d\d)(?:-?(\d\d)(?:[T ](\d\d):?(\d\d)(?::?(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?$/;
/** Day, month and year, with points or dashes; with slashes in America the month first. */
const LOCAL = /^(\d\d?)([./-])(\d\d?)\2(\d{4})(?: (\d\d):(\d\d))?$/;

/**
 * @param {string[]} head names of the columns
 * @param {Row[]} rows
 * @returns {Measured[]} one for each place and column of numbers
 * @throws {AreaFault} if there is no column of dates or none of numbers, or a date is ambiguous
 */
export function readMeasured(head, rows) {
	const names = head.map(plainName);
	const timeAt = names.findIndex((name) => TIME.test(name));
	if (timeAt < 0) throw new AreaFault("areas.fault.unknown");
	const placeAt = names.findIndex((name, at) => PLACE_NAME.test(name) && at !== timeAt);
	const columns = head.map((_, at) => at).filter((at) => at !== timeAt && at !== placeAt && isNumeric(rows, at));
	if (columns.length === 0) throw new AreaFault("areas.fault.noNumbers");
	const isMonthFirst = monthIsFirst(rows, timeAt);
	/** @type {Map<string, { time: number, cells: string[] }[]>} */
	const places = new Map();
	for (const row of rows) {
		const place = placeAt < 0 ? "" : tidyName(row.cells[placeAt]);
		if (!places.has(place)) places.set(place, []);
		places.get(place)?.push({ time: readTime(row, timeAt, isMonthFirst), cells: row.cells });
	}
	return [...places].flatMap(([place, observed]) =>
		columns.flatMap((at) => {
			const points = observed
				.map(({ time, cells }) => ({ time, value: readNumber(cells[at]) }))
				.filter(({ value }) => Number.isFinite(value))
				.sort((one, other) => one.time - other.time);
			if (points.length === 0) return [];
			const [title, unit = ""] = head[at].split(/[[(]|[\])]$/).map(tidyName);
			const name = columns.length > 1 || place === "" ? [place, title].filter((each) => each !== "").join(": ") : place;
			return [{ name, unit, times: points.map(({ time }) => time), values: points.map(({ value }) => value) }];
		}),
	);
}

/** Whether a column has only numbers and gaps, with at least one number. @param {Row[]} rows @param {number} at */
function isNumeric(rows, at) {
	const words = rows.map(({ cells }) => (cells[at] ?? "").trim()).filter((each) => !/^(|-+|n\/?an?|null)$/i.test(each));
	return words.length > 0 && words.every((each) => Number.isFinite(readNumber(each)));
}

/**
 * Whether dates with slashes start with the month; null if ambiguous.
 * @param {Row[]} rows
 * @param {number} at
 */
function monthIsFirst(rows, at) {
	const parts = rows.flatMap(({ cells }) => {
		const [, one, sign, other] = LOCAL.exec((cells[at] ?? "").trim()) ?? [];
		return sign === "/" ? [[Number(one), Number(other)]] : [];
	});
	if (parts.some(([one]) => one > 12)) return false;
	return parts.some(([, other]) => other > 12) ? true : null;
}

/** @param {Row} row @param {number} at @param {boolean | null} isMonthFirst */
function readTime({ line, cells }, at, isMonthFirst) {
	const words = (cells[at] ?? "").trim();
	const fault = () =>
		new AreaFault("areas.fault.date", { where: text("areas.fault.line", { number: line }), date: words });
	const [, one, sign, other, year, hours = "00", minutes = "00"] = LOCAL.exec(words) ?? [];
	if (sign === "/" && isMonthFirst === null) throw new AreaFault("areas.fault.dateOrder", { date: words });
	const [day, month] = sign === "/" && isMonthFirst ? [other, one] : [one, other];
	const iso = sign ? `${year}-${month.padStart(2, "0")}-${day.padStart(2, "0")}T${hours}:${minutes}` : words;
	const [whole, y, m = "01", d = "01", hour = "00", minute = "00", second = "00", zone = "Z"] = ISO.exec(iso) ?? [];
	const time = whole === undefined ? Number.NaN : Date.parse(`${y}-${m}-${d}T${hour}:${minute}:${second}${zone}`);
	// Browsers take 31 February for a day of March.
	if (Number.isNaN(time) || Number(d) > new Date(Date.UTC(Number(y), Number(m), 0)).getUTCDate()) throw fault();
	return time;
}
