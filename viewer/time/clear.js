/**
 * Shows a notice for dates without data in the visible part, with the nearest date with data, requested from the
 * server.
 */

import { DAY_MS, formatInstant } from "../base/dates.js";
import { dismiss, isMoving, layer, notify, shownDate, timeDomain, timeIndex, view } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { isTooSmall, toBox } from "../map/extent.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { nearestClear } from "./frames.js";
import { goTo } from "./playback.js";
import { followShares, shownShares } from "./shares.js";

/** Dates with a smaller fraction of data are not suggested. */
const CLEAR = 0.3;
const NOTICE = "clear";

/**
 * Whether the date has no data in the visible part; false for layers too small to be visible, which have another
 * notice.
 */
const isEmpty = computed(() => {
	if (isMoving.value || shownShares.value[timeIndex.value] !== 0) return false;
	return !layer.value || !view.value || !isTooSmall(layer.value.bbox, view.value.zoom);
});
/** Fractions of all dates in the visible part, as far as the server has counted. */
const here = signal(/** @type {import("./shares.js").Shares} */ ([]));

export function startClear() {
	effect(() => {
		here.value = [];
		const [of, at] = [layer.value, view.value];
		if (!isEmpty.value || !of || !at) return;
		const stopping = new AbortController();
		// The server takes minima that are less than the maxima, across the meridian of 180 degrees too.
		const { west, south, east, north } = toBox(at.bbox);
		void followShares(of, [west, south, east, north], stopping.signal, (next) => {
			here.value = next;
		});
		return () => stopping.abort();
	});
	effect(() => {
		if (isEmpty.value) tell(timeIndex.value);
		else dismiss(NOTICE);
	});
}

/** @param {number} index of the date that is empty */
function tell(index) {
	const { instants } = timeDomain.value;
	const known = instants.map((_, each) => shownShares.value[each] ?? here.value[each] ?? null);
	const best = nearestClear(instants, index, known, CLEAR);
	const date = shownDate.value;
	if (best < 0) return notify(NOTICE, text("clear.none", { date }));
	const days = Math.round((instants[best].ms - instants[index].ms) / DAY_MS);
	const nearest = formatInstant(instants[best], locale());
	const words = text(days < 0 ? "clear.earlier" : "clear.later", { count: Math.abs(days), date, nearest });
	notify(NOTICE, words, { label: text("clear.go"), run: () => goTo(best) });
}
