/**
 * The series of the chart as a complete table: values of each place at each date, with the geometry of the place.
 */
import { formatWkt } from "../areas/formats/wkt.js";
import { nameOf } from "../base/api.js";
import { foundOf } from "./series/analysis.js";
import { placeName } from "./series/line-labels.js";
import { valuesOf } from "./series/tables.js";

/**
 * @typedef {import("./plot-content.js").Drawn} Line
 * @typedef {import("./series/tables.js").Column} Column
 * @typedef {import("../areas/formats/csv.js").Cell} Cell
 * @typedef {import("../areas/measured-series.js").Measured} Measured
 * @typedef {(ms: number) => boolean} IsShown
 */

/** Optional columns of a line, in the order of the table. */
const MORE = ["smooth", "p10", "p90", "usual_p10", "usual_p90"];

/** @param {Line} line @returns {Record<string, Column | null | undefined>} */
function moreOf(line) {
	const { smooth, normal } = foundOf(line);
	const { p10, p90 } = line.table.columns;
	return { smooth, p10, p90, usual_p10: normal?.[0], usual_p90: normal?.[1] };
}

/**
 * Returns the rows of the table. Numbers are exact, missing values empty; `count` is the number of cells with a value.
 * areas/ can read id, name and geometry again. Measured series are at the end.
 * @param {Line[]} lines with their tables
 * @param {Measured[]} measured
 * @param {string} reducer statistic of areas
 * @param {IsShown} isShown
 * @returns {Cell[][]} the first row has the names of the columns
 */
export function seriesRows(lines, measured, reducer, isShown) {
	const more = lines.map(moreOf);
	const kinds = MORE.filter((kind) => more.some((each) => each[kind]));
	const rows = lines.flatMap((line, at) => {
		const { place, layer, table } = line;
		const [geometry, values] = [formatWkt(place.geometry), valuesOf(table, reducer)];
		const statistic = table.columns.value ? "value" : reducer;
		return table.times.flatMap((time, index) => {
			if (time !== null && !isShown(Date.parse(time))) return [];
			const found = kinds.map((kind) => more[at][kind]?.[index]);
			const cells = [place.id, placeName(place), geometry, time, values[index], ...found, table.counts[index]];
			return [[...cells, table.units, nameOf(layer), statistic]];
		});
	});
	const none = kinds.map(() => null);
	const measuredRows = measured.flatMap(({ name, unit, times, values }) =>
		times.flatMap((ms, index) => {
			const cells = ["", name, "", new Date(ms).toISOString(), values[index], ...none, "", unit, "", "measured"];
			return isShown(ms) ? [cells] : [];
		}),
	);
	const head = ["id", "name", "geometry", "date", "value", ...kinds, "count", "unit", "layer", "statistic"];
	return [head, ...rows, ...measuredRows];
}
