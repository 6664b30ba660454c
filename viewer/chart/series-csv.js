/** The series of the chart as a file that stands alone: one row per place and date, each with the place's geometry. */
import { formatCsv } from "../areas/formats/csv.js";
import { formatWkt } from "../areas/formats/wkt.js";
import { valuesOf } from "./tables.js";

/** @typedef {import("./lines.js").Line} Line */

const HEAD = ["id", "name", "geometry", "date", "value", "count", "unit", "layer", "statistic"];

/**
 * Numbers are written in full, without a value there is none; `count` are the cells with a value. What areas/ reads back
 * are id, name and geometry.
 * @param {Line[]} lines with their tables @param {string} reducer what the values of areas are @param {(line: Line) => string} nameOf
 * @param {"comma" | "semicolon"} dialect
 */
export function seriesCsv(lines, reducer, nameOf, dialect = "comma") {
	const rows = lines.flatMap((line) => {
		const { place, layer, table } = line;
		if (!table) return [];
		const [geometry, values] = [formatWkt(place.geometry), valuesOf(table, reducer)];
		const statistic = table.columns.value ? "value" : reducer;
		return table.times.map((time, index) => [
			...[place.id, nameOf(line), geometry, time, values[index], table.counts[index]],
			...[table.units, layer.id, statistic],
		]);
	});
	return formatCsv([HEAD, ...rows], dialect);
}
