/**
 * The map for screen readers: its content is announced when it changes, and its numbers when it is idle.
 */

import {
	describeMap,
	instant,
	isMoving,
	layer,
	legend,
	outcome,
	sideA,
	spoken,
	tileProgress,
	timeIndex,
	view,
} from "../base/state.js";
import { locale, percent, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { cubesOf } from "../map/cubes.js";
import { effect } from "../vendor/signals-core.js";

/** Minimum time between two announcements. */
const SPEECH_WAIT_MS = 1000;
/** The map is idle if nothing has changed for this time. */
const REST_MS = 1500;
const DIGITS = 3;

/**
 * Announces `outcome` and `spoken`: immediately after a second without announcements, otherwise the last state at the
 * end of that second. `outcome` comes first, because the content of the map changes right after it and would hide it.
 * @param {HTMLElement} place
 */
export function startSpeech(place) {
	let waiting = 0;
	let toldOutcome = "";
	const tell = () => {
		const words = outcome.peek() === toldOutcome ? spoken.peek() : outcome.peek();
		toldOutcome = outcome.peek();
		if (place.textContent === words) {
			waiting = 0;
			return;
		}
		place.textContent = words;
		waiting = window.setTimeout(tell, SPEECH_WAIT_MS);
	};
	effect(() => {
		if (`${outcome.value}${spoken.value}` !== "" && waiting === 0) tell();
	});
}

/** Updates the description of the map: the numbers of its content. @param {HTMLElement} place */
export function startDescription(place) {
	effect(() => {
		const isAtRest = !isMoving.value && tileProgress.value.phase === "shown";
		if (!layer.value || !view.value || !isAtRest || (instant.value && timeIndex.value < 0)) return;
		const waiting = window.setTimeout(() => {
			place.textContent = describe();
			describeMap(place.textContent || spoken.peek());
		}, REST_MS);
		return () => window.clearTimeout(waiting);
	});
}

/** Returns the numbers on the map in words; empty for a layer without numbers here. */
function describe() {
	if (!layer.peek()?.links?.some(({ rel }) => rel === "cubes")) return "";
	const cubes = cubesOf(sideA);
	const index = Math.max(0, timeIndex.peek());
	const found = cubes?.histogram(index);
	if (!cubes || !found) return "";
	const share = cubes.validShares.peek()[index] ?? (found.valid + found.beyond) / found.total;
	if (found.valid + found.beyond === 0) return text("map.describedEmpty");
	const values = { gaps: percent(1 - share) };
	if (found.valid === 0 || legend.peek()?.type === "classes") return text("map.describedClasses", values);
	const mean = found.mean.toLocaleString(locale(), { maximumSignificantDigits: DIGITS });
	return text("map.described", { ...values, mean: `${mean} ${unitText(layer.peek()?.units ?? null)}`.trim() });
}
