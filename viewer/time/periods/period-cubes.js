/**
 * Determines how maps of periods are made of the cubes of their dates: the cubes, and their reduction (ctc1/reduce.js).
 * Pure.
 *
 * @typedef {import("../../base/dates.js").Instant} Instant
 * @typedef {import("../../base/state.js").Periods} Periods
 * @typedef {import("../../ctc1/source.js").Window} Window
 * @typedef {import("../../base/state.js").CubesOfTimes} CubesOfTimes
 */
import { DAY_MS } from "../../base/dates.js";
import { dayText, periodText, spanText, startOf } from "../../ctc1/periods.js";
import { MAX_DATES, windowsOf as windowsOfDates } from "../../ctc1/source.js";

/** Maximum number of cubes for normals; with more, the server's pictures show them. */
const MAX_CUBES = 12;

/**
 * Spans of days that contain a whole period and are requested together, the longest first: its year, its quarter, the
 * period. Single dates are also requested by years and quarters, so that loaded cubes serve both.
 * @type {((period: Instant & { slot: import("../../base/dates.js").Slot }) => string)[]}
 */
const SPANS = [
	({ end, slot }) => (slot === "season" ? seasonsOf(end - 1) : spanText(end - 1, 12)),
	({ ms, slot }) => (slot === "season" ? periodText(slot, ms) : spanText(ms, 3)),
	({ ms, slot }) => periodText(slot, ms),
];

/** Returns the four seasons, from December on, that end in the year of a moment. @param {number} ms */
function seasonsOf(ms) {
	const year = new Date(ms).getUTCFullYear();
	return `${dayText(Date.UTC(year - 1, 11, 1))}/${dayText(Date.UTC(year, 11, 0))}`;
}

/**
 * Returns the periods by the files whose span contains them; null if a period is in none.
 * @param {Omit<Periods, "cubes">} periods
 * @param {Instant[]} instants
 * @returns {Window[] | null}
 */
function windowsOfFiles({ dates }, instants) {
	const files = windowsOfDates(dates.map(({ text }) => text)).map(({ datetime }) => datetime ?? "");
	/** @type {Window[]} */
	const windows = [];
	for (const [index, { ms, end }] of instants.entries()) {
		const datetime = files.find((each) => {
			const [first, last] = each.split("/").map((day) => Date.parse(day));
			return first <= ms && end <= last + DAY_MS;
		});
		if (!datetime) return null;
		const last = windows.at(-1);
		if (last?.datetime === datetime) last.count += 1;
		else windows.push({ first: index, count: 1, datetime });
	}
	return windows;
}

/**
 * Returns the periods that are loaded together; null if a period has too many dates for a cube.
 * @param {Omit<Periods, "cubes">} periods
 * @param {Instant[]} instants
 * @returns {Window[] | null}
 */
function windowsOf({ members }, instants) {
	for (const span of SPANS) {
		/** @type {(Window & { dates: Set<number> })[]} */
		const windows = [];
		for (const [index, instant] of instants.entries()) {
			const datetime = span(/** @type {any} */ (instant));
			if (windows.at(-1)?.datetime !== datetime) windows.push({ first: index, count: 0, datetime, dates: new Set() });
			const last = windows[windows.length - 1];
			last.count += 1;
			for (const date of members[index]) last.dates.add(date);
		}
		if (windows.every(({ dates }) => dates.size <= MAX_DATES)) return windows.map(({ dates: _, ...window }) => window);
	}
	return null;
}

/**
 * Returns the dates that reach into periods in which they do not start.
 * @param {Omit<Periods, "cubes">} periods
 * @param {Instant[]} instants
 */
function reaching({ slot, dates, members }, instants) {
	return members.flatMap((indexes, at) =>
		indexes
			.filter((index) => startOf(slot, dates[index].ms) !== instants[at].ms)
			.map((index) => `${dates[index].text}~${dayText(instants[at].ms)}`),
	);
}

/**
 * @param {Omit<Periods, "cubes">} periods
 * @param {Instant[]} instants of the periods
 * @param {boolean} [areFiles] whether only the cubes of single dates exist
 * @returns {CubesOfTimes | null} null if only the server can make them
 */
export function cubesOfPeriods(periods, instants, areFiles = false) {
	const texts = instants.map(({ text }) => text);
	// Each period is represented by one date.
	if (periods.method === "clearest") return { times: texts };
	const windows = areFiles ? windowsOfFiles(periods, instants) : windowsOf(periods, instants);
	if (!windows) return null;
	const { slot, method, by, partOfYear } = periods;
	const also = reaching(periods, instants);
	const tail = also.length > 0 ? `&also=${also.join(",")}` : "";
	const order = `#slot=${slot}&reducer=${method}`;
	if (method === "latest" || method === "max" || method === "median")
		return { times: texts, windows, order: order + tail };
	const spans = windows.map(({ datetime }) => datetime);
	if (spans.length > MAX_CUBES) return null;
	const whole = `${order}&by=${by}&of=${spans.join(",")}${tail}`;
	if (method === "anomaly") return { times: texts, windows, order: whole, areApart: false };
	const all = [{ first: 0, count: instants.length, datetime: windows[0].datetime }];
	return { times: partOfYear, windows: all, order: whole, areApart: false };
}
