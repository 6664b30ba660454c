/**
 * How values are spread in an area: what is asked of the server for it, and what comes back; pure.
 *
 * @typedef {import("../../base/api.js").FeatureSeries} FeatureSeries
 * @typedef {import("../../base/api.js").FeaturesSeries} FeaturesSeries
 * @typedef {{ counts: number[], edges: number[] }} Histogram cells in each bin; one more edge than bins, from low to
 *   high, the last bin with both of its
 */

const BINS = 30;
/** The server's own limit. */
const MAX_BINS = 1024;

/**
 * The reducer that counts all values of an area, whose lowest and highest are known. Where values are whole steps, each
 * bin has as many of them, or else some would stand out.
 * @param {number} low @param {number} high @param {number | null} [step] between two values that there can be
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
 * The reducer that counts each class; null where there are none, or none that bins can count.
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
 * (time,) null where no cell has a value; nothing if no histogram was asked for.
 * @param {FeaturesSeries} answer
 * @param {FeatureSeries} feature
 * @returns {(Histogram | null)[]}
 */
export function histogramsOf({ edges = {} }, { series }) {
	const [name] = Object.keys(edges);
	if (name === undefined) return [];
	const counts = /** @type {(number[] | null)[]} */ (/** @type {unknown} */ (series[name]));
	return counts.map((each) => each && { counts: each, edges: edges[name] });
}

/** The middle of the bin with the most cells: of classes, the commonest of them. @param {Histogram | null} histogram */
export function commonestValue(histogram) {
	if (!histogram) return null;
	const { counts, edges } = histogram;
	const bin = counts.indexOf(Math.max(...counts));
	return counts[bin] > 0 ? (edges[bin] + edges[bin + 1]) / 2 : null;
}
