/**
 * Counts of values in equal bins: the outline of a histogram, and quantiles. Pure.
 *
 * @typedef {import("../base/value-scale.js").Scale} Scale
 * @typedef {{ counts: ArrayLike<number>, low: number, high: number }} Counts in equal bins from `low` to `high`
 */
import { shareOf } from "../base/value-scale.js";

/** Fraction of the width over which a count is spread to either side, because bins and steps of numbers differ. */
const SPREAD = 0.012;

/**
 * Returns the value below which a fraction of all values is, 0 to 1; null if there are none.
 * @param {Counts} counts
 * @param {number} share
 */
export function quantile({ counts, low, high }, share) {
	const total = Array.from(counts).reduce((sum, count) => sum + count, 0);
	if (total === 0) return null;
	const width = (high - low) / counts.length;
	let passed = 0;
	for (let bin = 0; bin < counts.length; bin++) {
		if (counts[bin] > 0 && passed + counts[bin] >= share * total) {
			return low + width * (bin + (share * total - passed) / counts[bin]);
		}
		passed += counts[bin];
	}
	return high;
}

/**
 * Heights of an outline over a scale, 0 to 1, one a point of its width.
 * @param {Counts} counts @param {Scale} scale @param {number} points @returns {Float64Array}
 */
export function outline({ counts, low, high }, scale, points) {
	const found = new Float64Array(points);
	for (let bin = 0; bin < counts.length; bin++) {
		if (counts[bin] === 0) continue;
		const value = low + ((bin + 0.5) * (high - low)) / counts.length;
		const at = Math.floor(shareOf(scale, value) * points);
		if (at >= 0 && at < points) found[at] += counts[bin];
	}
	const smooth = spread(spread(found, points * SPREAD), points * SPREAD);
	const most = smooth.reduce((one, other) => Math.max(one, other), 0);
	return most === 0 ? smooth : smooth.map((height) => height / most);
}

/** Returns the moving average of heights. @param {Float64Array} heights @param {number} reach */
function spread(heights, reach) {
	const radius = Math.max(1, Math.round(reach));
	const sums = new Float64Array(heights.length + 1);
	for (let at = 0; at < heights.length; at++) sums[at + 1] = sums[at] + heights[at];
	return heights.map((_, at) => {
		const [from, to] = [Math.max(0, at - radius), Math.min(heights.length, at + radius + 1)];
		return (sums[to] - sums[from]) / (to - from);
	});
}
