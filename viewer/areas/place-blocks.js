/** Blocks of dates that are requested together for the values of places, and means over a block; pure. */

/** Numbers of one answer: a megabyte or two. */
const MAX_VALUES = 100_000;
const MAX_DATES = 32;

/** Returns the number of dates per request. @param {number} places of the set */
export const datesAtOnce = (places) => Math.max(1, Math.min(MAX_DATES, Math.floor(MAX_VALUES / Math.max(1, places))));

/**
 * Returns the block of dates that contains one: index of the first, and of the one after the last.
 * @param {number} index @param {number} count number of dates @param {number} size
 */
export function blockAround(index, count, size) {
	const first = Math.floor(Math.max(0, index) / size) * size;
	return { first, end: Math.min(count, first + size) };
}

/**
 * Combines the dates of a season, which is no step of the server, as the server combines those of a step: means of
 * values, sums of counts.
 * @param {import("../base/api.js").FeatureSeries} feature @returns {import("../base/api.js").FeatureSeries}
 */
export function asOneDate({ series, analysis, valid, total, ...more }) {
	const meanOf = (/** @type {(number | null)[]} */ column) => {
		const known = column.filter((value) => value !== null);
		return [known.length > 0 ? known.reduce((sum, value) => sum + value) / known.length : null];
	};
	const { anomaly } = analysis?.mean ?? {};
	return {
		...more,
		series: Object.fromEntries(Object.entries(series).map(([name, column]) => [name, meanOf(column)])),
		analysis: anomaly && { mean: { anomaly: meanOf(anomaly) } },
		valid: [valid.reduce((sum, each) => sum + each, 0)],
		// Only dates of a step have a total each.
		total: /** @type {number} */ (total) * valid.length,
	};
}
