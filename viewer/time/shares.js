/**
 * Which share of each date has data, of what its fullest date has: in what the map shows where that is known, else in
 * the whole layer.
 */
import { fetchTimes } from "../base/api.js";
import { ofFullest } from "../base/dates.js";
import { pass, until } from "../base/delays.js";
import { isMoving, layer, loadedTimes, sideA, timeDomain } from "../base/state.js";
import { cubesOf } from "../map/cubes.js";
import { computed, effect, signal } from "../vendor/signals-core.js";

/**
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {(number | null)[]} Shares by date; null where it is not known
 */

/** What the server has not counted yet is asked for after so long, and then ever later. */
const [FIRST_WAIT_MS, LATER, LAST_WAIT_MS] = [1500, 1.7, 30_000];

/** Whether numbers of other dates are loaded ahead; else the pictures of each date come when it is shown. */
export const hasCubes = computed(() => layer.value?.links?.some(({ rel }) => rel === "cubes") ?? false);

/** Of the whole layer, as far as the server has counted. */
const counted = signal(/** @type {Shares} */ ([]));

/** What is on the map; another drawing than before is told by what it has loaded. */
function drawn() {
	void loadedTimes.value;
	return cubesOf(sideA);
}

/** Of what the map shows, as far as it is loaded. @type {{ readonly value: Shares, peek: () => Shares }} */
export const shownShares = computed(() => {
	const seen = drawn()?.validShares.value ?? [];
	return seen.length === timeDomain.value.instants.length ? seen : [];
});

/** The best that is known of each date. @type {{ readonly value: Shares, peek: () => Shares }} */
export const shares = computed(() => {
	const known = shownShares.value.filter((share) => share !== null).length;
	// A single date is its own fullest, and tells nothing.
	const shown = known > 1 ? ofFullest(shownShares.value) : [];
	const { validShares, periods } = timeDomain.value;
	const whole = ofFullest(validShares.map((share, index) => (periods ? null : counted.value[index]) ?? share));
	return whole.map((share, index) => shown[index] ?? share);
});

/** What is known of the whole layer of each of its dates. @returns {Shares} */
export const wholeShares = () => sideA.dates.peek().validShares.map((share, index) => counted.peek()[index] ?? share);

/**
 * Indexes of the dates that the server could not read where the map looks, as far as that is known.
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
			// Which date of a period is the clearest is known when all are counted.
			if (timeDomain.peek().periods && !next.includes(null))
				sideA.dates.value = { ...sideA.dates.peek(), validShares: next };
		});
		return () => stopping.abort();
	});
}

/**
 * Asks for the shares of a layer's dates until the server has counted all, never while time moves.
 * @param {Layer} of
 * @param {BBox | undefined} bbox where; of none, in all of the layer
 * @param {AbortSignal} stopped
 * @param {(shares: Shares) => void} take
 */
export async function followShares(of, bbox, stopped, take) {
	const count = sideA.dates.peek().instants.length;
	let wait = bbox ? 0 : FIRST_WAIT_MS;
	while (!stopped.aborted) {
		await pass(wait, stopped);
		await until(() => !isMoving.value, stopped);
		// What does not come is not known, which is shown as such.
		const answer = stopped.aborted ? null : await fetchTimes(of, stopped, bbox).catch(() => null);
		if (!answer || stopped.aborted || answer.validShares.length !== count) return;
		take(answer.validShares);
		if (answer.pending === 0) return;
		wait = Math.min(LAST_WAIT_MS, wait * LATER || FIRST_WAIT_MS);
	}
}
