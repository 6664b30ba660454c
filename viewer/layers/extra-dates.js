/** Which date of a layer stands beside that of another one. Pure. */

/** @typedef {import("../base/dates.js").Instant} Instant */

/** Index of the last instant that is not after `ms`; the first where all are. @param {Instant[]} instants ascending @param {number} ms */
export function indexAtOrBefore(instants, ms) {
	let [low, high] = [0, instants.length];
	while (low < high) {
		const middle = (low + high) >> 1;
		if (instants[middle].ms <= ms) low = middle + 1;
		else high = middle;
	}
	return Math.max(0, low - 1);
}
