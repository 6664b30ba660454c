/**
 * Distributions of values in an area: the reducer for the server, and its answer; pure.
 *
 * @typedef {import("../../base/api-types.js").AreaFeature} AreaFeature
 * @typedef {import("../../base/api.js").FeaturesSeries} FeaturesSeries
 * @typedef {{ counts: number[], edges: number[] }} Histogram cells in each bin; one more edge than bins, ascending; the
 *   last bin includes both of its edges
 */

const BINS = 30;
/** The server's own limit. */
const MAX_BINS = 1024;

/**
 * Returns the reducer that counts all values of an area between its minimum and maximum. If values are whole steps,
 * each
 * bin has the same number of them; otherwise some bins would stand out.
 * @param {number} low @param {number} high @param {number | null} [step] difference between two possible values
 */
export function histogramBetween(low, high, step = null) {
	if (step !== null) {
		const possible = Math.round((high - low) / step) + 1;
		const perBin = Math.ceil(possible / BINS);
		const bins = Math.ceil(possible / perBin);
		const start = low - step / 2;
		return `histogram:${bins}:${start}:${start + bins * perBin * step}`;
	}
	// The lowest and highest in full: they belong to the first and the last bin.
	if (low < high) return `histogram:${BINS}:${low}:${high}`;
	// A bin of no width has no place.
	const room = Math.max(Math.abs(low) * 1e-3, 1e-3);
	return `histogram:1:${low - room}:${low + room}`;
}

/**
 * Returns the reducer that counts each class; null if there are none, or bins cannot count them.
 * @param {{ value: number }[]} classes
 */
export function histogramOfClasses(classes) {
	const codes = classes.map(({ value }) => value);
	const [low, high] = [Math.min(...codes), Math.max(...codes)];
	const bins = high - low + 1;
	if (!codes.every(Number.isInteger) || !(bins >= 1 && bins <= MAX_BINS)) return null;
	return `histogram:${bins}:${low - 0.5}:${high + 0.5}`;
}

/**
 * Returns histograms (time,), null where no cell has a value; empty if none were requested.
 * @param {FeaturesSeries} answer
 * @param {AreaFeature} feature
 * @returns {(Histogram | null)[]}
 */
export function histogramsOf({ edges = {} }, { series }) {
	const [name] = Object.keys(edges);
	if (name === undefined) return [];
	const rows = /** @type {(number | null)[][]} */ (series[name]);
	return rows.map((counts) => (counts.every((count) => count !== null) ? { counts, edges: edges[name] } : null));
}

/**
 * Returns the middle of the bin with most cells, for classes the most frequent one.
 * @param {Histogram | null} histogram
 */
export function commonestValue(histogram) {
	if (!histogram) return null;
	const { counts, edges } = histogram;
	const bin = counts.indexOf(Math.max(...counts));
	return counts[bin] > 0 ? (edges[bin] + edges[bin + 1]) / 2 : null;
}
