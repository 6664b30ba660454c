/**
 * Loads the legend of a side for its layer, style and ramp, and writes its colours to the link.
 */
import { fetchLegend, Problem, periodParameters } from "../base/api.js";
import { live } from "../base/live.js";
import {
	AS_STYLED,
	dismiss,
	joinLink,
	notify,
	recolour,
	setLegend,
	setLegendFault,
	sideA,
	tryAgain,
} from "../base/state.js";
import { text } from "../base/text.js";
import { computed, signal } from "../vendor/signals-core.js";
import { keepPossible, rangeFault, setRange } from "./colouring.js";

/** @typedef {import("../base/state.js").Side} Side */
/** @typedef {import("../base/permalink.js").Link} Link */

/**
 * Ends of the range from a link, by side; if only one is in the link, the legend provides the other.
 * @type {WeakMap<Side, { min?: number, max?: number }>}
 */
const wishes = new WeakMap();

/** Increases when failed legends must be requested again. */
const retries = signal(0);

export function startLegends() {
	followLegend(sideA);
	joinLink({
		write: () => writeColouring(sideA),
		read: ({ ramp, min, max, reversed, log }) => readColouring(sideA, { ramp, min, max, reversed, log }),
	});
}

/** Returns the parameters of a link for a side's colours, with the names of side A. @param {Side} side */
export function writeColouring(side) {
	const { range, ramp, isReversed, isLog } = side.colouring.value;
	return {
		ramp: ramp ?? undefined,
		min: range?.[0],
		max: range?.[1],
		reversed: isReversed || undefined,
		log: isLog || undefined,
	};
}

/**
 * Applies the colours of a link to a side.
 * @param {Side} side
 * @param {Pick<Link, "ramp" | "min" | "max" | "reversed" | "log">} asked
 */
export function readColouring(side, { ramp, min, max, reversed = false, log = false }) {
	wishes.set(side, { min, max });
	const isChanged = ramp !== undefined || reversed || log;
	const changed = { ...AS_STYLED, ramp: ramp ?? null, isReversed: reversed, isLog: log };
	recolour(side, isChanged ? changed : AS_STYLED);
	if (min !== undefined && max !== undefined) grant(side, [min, max]);
}

/** @param {Side} side @param {[number, number]} range of a link */
function grant(side, range) {
	wishes.delete(side);
	const why = rangeFault(range, false);
	if (why === null) setRange(side, range);
	else notify(`range ${side.id}`, text("link.badRange", { why }));
}

/**
 * Updates `side.legend`. The legend of another style or ramp replaces the old one when it is loaded; for another layer
 * the legend is null until then.
 * @param {Side} side @returns {() => void} stops it
 */
export function followLegend(side) {
	/** @type {string | null} */
	let shownOf = null;
	// Other changes of colours and dates cause no requests.
	const chosenRamp = computed(() => side.colouring.value.ramp);
	const chosenAnomaly = computed(() => periodParameters(side.timeDomain.value.periods).anomaly);
	return live(() => {
		const now = side.layer.value;
		const [style, ramp] = [side.style.value, chosenRamp.value];
		const anomaly = chosenAnomaly.value;
		void retries.value;
		const of = now && `${now.id} ${anomaly}`;
		if (of !== shownOf) {
			setLegend(side, null);
			tellFault(side, null);
		}
		shownOf = of;
		if (!now) return;
		const stopping = new AbortController();
		const { signal: stopped } = stopping;
		fetchLegend(now, style, stopped, ramp, anomaly).then(
			(legend) => !stopped.aborted && take(side, legend),
			(error) => !stopped.aborted && (isUnknown(ramp, error) ? leaveOut(side, ramp) : tellFault(side, error.message)),
		);
		return () => stopping.abort();
	});
}

/** @param {Side} side @param {import("../base/api.js").Legend} legend */
function take(side, legend) {
	setLegend(side, legend);
	tellFault(side, null);
	const { min, max } = wishes.get(side) ?? {};
	const [low, high] = legend.range ?? [];
	if ((min ?? max) !== undefined && low !== undefined && high !== undefined) grant(side, [min ?? low, max ?? high]);
	keepPossible(side, legend);
}

/**
 * Whether the server has refused a ramp as unknown.
 * @param {string | null} ramp
 * @param {unknown} error
 * @returns {ramp is string}
 */
const isUnknown = (ramp, error) => ramp !== null && error instanceof Problem && [400, 404].includes(error.status);

/** Uses the colours of the style instead of an unknown ramp. @param {Side} side @param {string} ramp */
function leaveOut(side, ramp) {
	notify(`ramp ${side.id}`, text("link.unknownRamp", { ramp }));
	recolour(side, { ...side.colouring.peek(), ramp: null });
}

/** @param {Side} side @param {string | null} why */
function tellFault(side, why) {
	const id = `legend ${side.id}`;
	setLegendFault(side, why);
	if (why === null) return dismiss(id);
	setLegend(side, null);
	const retry = tryAgain(() => void retries.value++);
	notify(id, text("legend.failed", { why }), retry);
}
