/**
 * What the tab shows of the server's answer for one series, and the same as rows of a file; pure.
 *
 * @typedef {import("../../areas/formats/csv.js").Cell} Cell
 * @typedef {import("../series/analysis.js").Analysed} Analysed
 * @typedef {import("./dekads.js").DekadRow} DekadRow
 * @typedef {"value" | "anomaly" | "cumulative"} Kind
 * @typedef {{
 *   lines: import("./year-lines.js").YearLines, usual: import("./year-lines.js").Usual | null,
 *   seasons: import("./year-lines.js").Season[], nearness: number, hasMeans: boolean,
 * }} Model `nearness`: days over which values of years are compared; `hasMeans`: some days had several acquisitions
 */
import { valueRange } from "../series/scales.js";
import { cumulate, cutYears, daily, monthDay, nearnessOf, seasonsOf, usualOf, yearName } from "./year-lines.js";

/** Share of the palette's range that anomalies have to either side. */
const ANOMALY_SHARE = 0.25;
const SEASON = ["start", "peak", "end", "length"];

/** @param {Analysed} answer @param {{ kind: Kind, month: number, hasCurve: boolean }} how @returns {Model} */
export function modelOf({ times, values, analysis = {} }, { kind, month, hasCurve }) {
	const { smooth, anomaly, normals, phenology } = analysis;
	const numbers = (kind === "anomaly" ? anomaly : hasCurve ? smooth : values) ?? [];
	const series = daily(times, numbers);
	const days = times.flatMap((time, at) => (typeof numbers[at] === "number" ? [time?.slice(0, 10)] : []));
	const isSum = kind === "cumulative";
	return {
		lines: isSum ? cumulate(series, month) : cutYears(series, month),
		usual: kind === "value" && normals ? usualOf(times, values, normals, month) : null,
		seasons: phenology ? seasonsOf(phenology, month) : [],
		nearness: isSum ? 0 : nearnessOf(series),
		hasMeans: new Set(days).size < days.length,
	};
}

/**
 * Ends of the axis: those of the palette, further where values are; or those of what is drawn.
 * @param {Model} model
 * @param {Kind} kind
 * @param {[low: number, high: number] | null} palette null to fit what is drawn
 * @returns {[low: number, high: number]}
 */
export function rangeFor({ lines, usual }, kind, palette) {
	const columns = [...lines.values(), ...(usual ? [usual.low, usual.high] : [])];
	const values = columns.flat().filter((value) => typeof value === "number");
	const half = kind === "anomaly" && palette ? (palette[1] - palette[0]) * ANOMALY_SHARE : 0;
	const ends = kind === "value" ? (palette ?? []) : [0 - half, half];
	const [low, high] = [Math.min(...values, ...ends), Math.max(...values, ...ends)];
	if (!(low <= high)) return [0, 1];
	return low < high && (palette || kind === "cumulative") ? [low, high] : valueRange(low, high);
}

/**
 * A row a value, with what is usual on its day and the seasons of its year.
 * @param {Model} model
 * @param {number} month
 * @returns {Cell[][]}
 */
export function rowsOfYears({ lines, usual, seasons }, month) {
	const head = ["year", "day", "value", ...(usual ? ["p10", "median", "p90"] : []), ...SEASON];
	const rows = [...lines].flatMap(([year, column]) => {
		const seasonsOfYear = seasons.filter((each) => each.year === year).map(({ dates, length }) => [...dates, length]);
		const told = SEASON.map((_, index) => seasonsOfYear.map((each) => each[index]).join(" "));
		return column.flatMap((value, day) => {
			const normal = usual ? [usual.low[day], usual.middle[day], usual.high[day]] : [];
			return value === undefined ? [] : [[yearName(year, month), monthDay(day, month), value, ...normal, ...told]];
		});
	});
	return [head, ...rows];
}

/** @param {DekadRow[]} rows @returns {Cell[][]} */
export const rowsOfDekads = (rows) => [
	["dekad", "value", "dates"],
	...rows.flatMap(({ cells }) =>
		cells.flatMap((cell) => (cell ? [[cell.time.slice(0, 10), cell.value, cell.count]] : [])),
	),
];
