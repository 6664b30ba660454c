/**
 * Fractions of data of each date, relative to its fullest date: in the visible part of the map if known, else in the
 * whole layer.
 */
import { fetchTimes } from "../base/api.js";
import { ofFullest } from "../base/dates.js";
import { pass, until } from "../base/delays.js";
import { changeDates, isMoving, layer, loadedTimes, sideA, timeDomain } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { computed, effect, signal } from "../vendor/signals-core.js";

/**
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {(number | null)[]} Shares by date; null if unknown
 */

/** Wait before dates that the server has not counted yet are requested again, growing by a factor. */
const [FIRST_WAIT_MS, LATER, LAST_WAIT_MS] = [1500, 1.7, 30_000];

/** Whether values of other dates are loaded in advance; else the pictures of each date are loaded when it is shown. */
export const hasCubes = computed(() => layer.value?.links?.some(({ rel }) => rel === "cubes") ?? false);

/** Fractions of the whole layer, as far as the server has counted. */
const counted = signal(/** @type {Shares} */ ([]));

/** Returns the cubes on the map; a new drawing changes the loaded dates, and so runs effects again. */
function drawn() {
	void loadedTimes.value;
	return cubesOf(sideA);
}

/** Fractions of the visible part, as far as loaded. @type {{ readonly value: Shares, peek: () => Shares }} */
export const shownShares = computed(() => {
	const seen = drawn()?.validShares.value ?? [];
	return seen.length === timeDomain.value.instants.length ? seen : [];
});

/** The best known fraction of each date. @type {{ readonly value: Shares, peek: () => Shares }} */
export const shares = computed(() => {
	const knownCount = shownShares.value.filter((share) => share !== null).length;
	// A single date is always its own maximum, so that its fraction means nothing.
	const shown = knownCount > 1 ? ofFullest(shownShares.value) : [];
	const { validShares, periods } = timeDomain.value;
	const whole = ofFullest(validShares.map((share, index) => (periods ? null : counted.value[index]) ?? share));
	return whole.map((share, index) => shown[index] ?? share);
});

/** Returns the fractions of the whole layer by date, as far as known. @returns {Shares} */
export const wholeShares = () => sideA.dates.peek().validShares.map((share, index) => counted.peek()[index] ?? share);

/**
 * Indexes of the dates that the server could not read in the visible part, as far as known.
 * @type {{ readonly value: ReadonlySet<number>, peek: () => ReadonlySet<number> }}
 */
export const unreadable = computed(() => drawn()?.unreadable.value ?? new Set());

export function startShares() {
	effect(() => {
		const [of, { phase, validShares }] = [layer.value, sideA.dates.value];
		counted.value = [];
		if (!of || phase !== "ready" || !validShares.includes(null)) return;
		const stopping = new AbortController();
		void followShares(of, undefined, stopping.signal, (next) => {
			counted.value = next;
			// The clearest date of a period is known when all are counted.
			if (timeDomain.peek().periods && !next.includes(null)) changeDates(sideA, { validShares: next });
		});
		return () => stopping.abort();
	});
}

/**
 * Requests the fractions of a layer's dates until the server has counted all, never while time moves.
 * @param {Layer} of
 * @param {BBox | undefined} bbox undefined: the whole layer
 * @param {AbortSignal} stopped
 * @param {(shares: Shares) => void} take
 */
export async function followShares(of, bbox, stopped, take) {
	const count = sideA.dates.peek().instants.length;
	let wait = bbox ? 0 : FIRST_WAIT_MS;
	while (!stopped.aborted) {
		await pass(wait, stopped);
		await until(() => !isMoving.value, stopped);
		// Missing answers are shown as unknown.
		const answer = stopped.aborted ? null : await fetchTimes(of, stopped, bbox).catch(() => null);
		if (!answer || stopped.aborted || answer.validShares.length !== count) return;
		take(answer.validShares);
		if (answer.pending === 0) return;
		wait = Math.min(LAST_WAIT_MS, wait * LATER || FIRST_WAIT_MS);
	}
}
