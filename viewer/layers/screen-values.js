/**
 * How often which values are on the map, kept up with it.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../map/cube-reader.js").Histogram} Histogram
 * @typedef {import("@preact/signals-core").ReadonlySignal<Histogram | null>} ScreenValues
 *   null where values are not in the browser, or there is none
 */

import { atEnd, live } from "../base/live.js";
import { isMoving, view } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { signal } from "../vendor/signals-core.js";

const BINS = 512;
/** Counting takes a few milliseconds, which a movement through time cannot spare at every date. */
const WAIT_MS = 120;

/** @param {Side} side @returns {ScreenValues} */
export function watchValues(side) {
	const counts = signal(/** @type {Histogram | null} */ (null));
	let waiting = 0;
	const count = () => {
		waiting = 0;
		const found = cubesOf(side)?.histogram(side.timeIndex.peek(), BINS) ?? null;
		if (found && found.valid > 0) counts.value = found;
		else if (!isMoving.peek()) counts.value = null;
	};
	live(() => {
		void [side.layer.value, side.timeIndex.value, side.loadedTimes.value, side.tileProgress.value];
		void [view.value, isMoving.value];
		if (waiting === 0) waiting = window.setTimeout(count, WAIT_MS);
	});
	atEnd(() => window.clearTimeout(waiting));
	return counts;
}
