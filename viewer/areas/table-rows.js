/**
 * The rows of the table of areas, their order, and as cells of a file; pure.
 *
 * @typedef {import("../base/api.js").FeatureSeries} FeatureSeries
 * @typedef {import("./place-sets.js").Shape} Shape
 * @typedef {"name" | "mean" | "p10" | "p90" | "valid_share" | "hectares" | "anomaly"} ColumnId
 * @typedef {{ number: number, shape: Shape, name: string } & Record<Exclude<ColumnId, "name">, number | null>} Row
 */
import { locale } from "../base/text.js";
import { hectaresOf } from "./shapes/geometry.js";

/** In their order. @type {ColumnId[]} */
export const COLUMNS = ["name", "mean", "anomaly", "p10", "p90", "valid_share", "hectares"];

/**
 * @param {Shape[]} shapes
 * @param {(FeatureSeries | null)[]} now at one time
 * @param {(FeatureSeries | null)[] | null} usual with the
 *   anomaly of the mean @param {number} [at] which of the times @returns {Row[]}
 */
export const rowsOf = (shapes, now, usual, at = 0) =>
	shapes.map((shape, number) => {
		const feature = now[number];
		const numberOf = (/** @type {string} */ reducer) => feature?.series[reducer]?.[at] ?? null;
		return {
			number,
			shape,
			name: shape.name,
			mean: numberOf("mean"),
			p10: numberOf("p10"),
			p90: numberOf("p90"),
			valid_share: numberOf("valid_share") ?? shareOf(feature, at),
			hectares: hectaresOf(shape.geometry),
			anomaly: usual?.[number]?.analysis?.mean?.anomaly?.[at] ?? null,
		};
	});

/**
 * Returns the valid share of a point, which has no statistics.
 * @param {FeatureSeries | null} feature
 * @param {number} at
 */
function shareOf(feature, at) {
	const total = feature && [feature.total].flat()[at];
	return total ? (feature.valid[at] ?? 0) / total : null;
}

/**
 * Rows in an order, those without a value last.
 * @param {Row[]} rows
 * @param {{ column: ColumnId, isDown: boolean }} order
 */
export function sortRows(rows, { column, isDown }) {
	const sign = isDown ? -1 : 1;
	return rows.toSorted((one, other) => {
		const [a, b] = [one[column], other[column]];
		if (a === null || b === null) return Number(a === null) - Number(b === null);
		if (typeof a === "string") return sign * a.localeCompare(String(b), undefined, { numeric: true });
		return sign * (a - Number(b));
	});
}

/**
 * @param {Row[]} rows
 * @param {import("../base/api.js").Layer} layer
 * @param {string | null} time
 * @returns {import("./formats/csv.js").Cell[][]}
 */
export const csvRows = (rows, layer, time) => [
	["id", ...COLUMNS, "unit", "layer", "time"],
	...rows.map((row) => [row.shape.id, ...COLUMNS.map((id) => row[id]), layer.units, layer.id, time]),
];

/** @param {ColumnId} id @param {number | null} value */
export function writeCell(id, value) {
	if (value === null) return "–";
	if (id === "valid_share") return value.toLocaleString(locale(), { style: "percent" });
	const digits = id === "hectares" ? { maximumFractionDigits: 1 } : { maximumSignificantDigits: 3 };
	return value.toLocaleString(locale(), id === "anomaly" ? { ...digits, signDisplay: "exceptZero" } : digits);
}
