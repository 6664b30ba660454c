/**
 * The series of one place in columns, from any source: the answer of the server for a point or an area, or the numbers
 * loaded by the map; pure.
 *
 * @typedef {import("../../base/api.js").Series} Series
 * @typedef {import("../../base/api.js").FeatureSeries} FeatureSeries
 * @typedef {import("../../base/api.js").FeaturesSeries} FeaturesSeries
 * @typedef {(number | null)[]} Column
 * @typedef {import("./area-histogram.js").Histogram} Histogram
 * @typedef {{
 *   times: (string | null)[], columns: Record<string, Column>, reasons: (string | null)[], counts: number[],
 *   total: number, units: string | null, note: string, isApproximate: boolean, histograms: (Histogram | null)[],
 * }} Table each column and list (time,): `columns` by reducer, `value` for a point, `commonest` for an area of classes;
 *   `reasons` of missing values; `counts` cells with a value, of `total`; `histograms` if they were requested
 */
import { commonestValue, histogramsOf } from "./area-histogram.js";

/** Statistics of areas for lines; the first is the default. */
export const LINE_REDUCERS = ["mean", "median", "min", "max", "p10", "p90"];
/** Statistics that are requested for areas. */
export const AREA_REDUCERS = [...LINE_REDUCERS, "std"];

/** Returns the statistic of a link: one of the list, or a percentile. @param {string | undefined} name */
export const lineReducer = (name = "") =>
	LINE_REDUCERS.includes(name) || /^p(\d{1,2}|100)$/.test(name) ? name : LINE_REDUCERS[0];

/**
 * Returns the table of a point, from a series of the server or from cubes.
 * @param {Partial<Omit<Series, "units">> & Pick<Series, "times" | "values"> &
 *   { units: string | null, isApproximate?: boolean }} series
 * @returns {Table}
 */
export const tableOfPoint = ({ times, values, reasons = [], units, isApproximate = false }) => ({
	times,
	columns: { value: values },
	reasons,
	counts: values.map((value) => (value === null ? 0 : 1)),
	total: 1,
	units,
	note: "",
	isApproximate,
	histograms: [],
});

/**
 * The reason that most cells of an area without a value have at a time.
 * @param {Record<string, number[]>} reasons
 * @param {number} index
 */
function commonestReason(reasons, index) {
	const [first] = Object.entries(reasons).sort(([, one], [, other]) => other[index] - one[index]);
	return first && first[1][index] > 0 ? first[0] : null;
}

/**
 * A feature of an answer; of a point among several its mean is its value.
 * @param {FeaturesSeries} answer
 * @param {FeatureSeries} feature
 * @param {boolean} isPoint
 * @param {boolean} [isApproximate]
 * @returns {Table}
 */
export function tableOfFeature(answer, feature, isPoint, isApproximate = false) {
	const { times, units, edges } = answer;
	const histograms = histogramsOf(answer, feature);
	const { series, valid, total, reasons = {}, note = "" } = feature;
	return {
		times,
		// Classes have no mean: the value of an area is the class that most of its cells have.
		columns: edges ? { commonest: histograms.map(commonestValue) } : isPoint ? { value: series.mean } : series,
		reasons: times.map((_, index) => (valid[index] > 0 ? null : commonestReason(reasons, index))),
		counts: valid,
		// Only dates of a step have a total each.
		total: /** @type {number} */ (total),
		units,
		note,
		isApproximate,
		histograms,
	};
}

/**
 * Returns the values of one statistic; points and areas of classes have only one column.
 * @param {Table} table
 * @param {string} reducer
 * @returns {Column}
 */
export const valuesOf = ({ columns }, reducer) => columns.value ?? columns.commonest ?? columns[reducer] ?? [];

/**
 * Returns one list of moments for several series, and the positions of their moments in it.
 * @param {(string | null)[][]} lists RFC 3339, each ascending
 * @returns {{ seconds: number[], places: number[][] }} since 1970
 */
export function joinTimes(lists) {
	const own = lists.map((times) => times.map((time) => Date.parse(time ?? "") / 1000));
	const seconds = [...new Set(own.flat())].filter((second) => !Number.isNaN(second)).sort((one, other) => one - other);
	const index = new Map(seconds.map((second, at) => [second, at]));
	return { seconds, places: own.map((list) => list.map((second) => index.get(second) ?? -1)) };
}

/**
 * Returns a column for the common list of moments: undefined where the series has no such moment, which is no gap.
 * @param {Column} column
 * @param {number[]} places
 * @param {number} count
 * @returns {(number | null | undefined)[]}
 */
export function spread(column, places, count) {
	/** @type {(number | null | undefined)[]} */
	const spread = new Array(count).fill(undefined);
	for (const [index, at] of places.entries()) if (at >= 0) spread[at] = column[index] ?? null;
	return spread;
}
