/**
 * The comparison: its second side, its mode, and keeping it in step with the first side.
 *
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {import("../base/permalink.js").CompareMode} CompareMode
 * @typedef {import("../base/permalink.js").Link} Link
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../base/state.js").Wish} Wish
 */

import { dateOf, indexOfMoment, isWithin, nearestIndex } from "../base/dates.js";
import { live } from "../base/live.js";
import {
	AS_STYLED,
	chooseCompareMode,
	chooseTime,
	findLayer,
	hasAmounts,
	joinLink,
	makeSide,
	compareMode as mode,
	openLayer,
	recolour,
	regroup,
	replaceSideB,
	setUsual,
	sideA,
	sideB,
} from "../base/state.js";
import { unitText } from "../base/units.js";
import { followLegend, readColouring, writeColouring } from "../layers/legend-source.js";
import { batch, computed, effect, signal } from "../vendor/signals-core.js";
import { after, apartOf, otherIndex } from "./offset.js";

/** @type {CompareMode[]} */
export const MODES = ["swipe", "side", "opacity", "spy", "diff"];

/** Value of the date of B in links if B shows usual values for the date of A. */
const USUAL = "usual";
/** Position of the handle, or opacity of B: 0 to 1. */
export const split = signal(0.5);
/** Whether A is above B instead of next to it. */
export const isHorizontal = signal(false);
/** Ends of the colour range of a difference; null for those of the style. */
export const differenceRange = signal(/** @type {[number, number] | null} */ (null));
/**
 * The sides of a difference, the later first: the map shows the later minus the earlier. For one date it is B minus A;
 * usual values are always subtracted.
 */
export const inOrder = computed(() => {
	const other = sideB.value;
	if (!other) return null;
	const isEarlier = other.isUsual.value || (other.instant.value?.ms ?? 0) < (sideA.instant.value?.ms ?? 0);
	return isEarlier ? { later: sideA, earlier: other } : { later: other, earlier: sideA };
});
/**
 * Whether the values of the sides can be subtracted: numbers of one unit, not classes or pictures; null while unknown.
 */
export const canSubtract = computed(() => {
	const other = sideB.value ?? sideA;
	const [one, two] = [sideA, other].map(hasAmounts);
	if (!one || !two) return one === false || two === false ? false : null;
	return unitText(sideA.layer.value?.units) === unitText(other.layer.value?.units);
});
/** The current colours of differences, for the legend; null if there are none. Only the map sets it. */
export const shownDifference = signal(/** @type {import("../base/colours.js").PaintedStyle | null} */ (null));

/**
 * Incremented when a comparison starts or ends; an older one that still waits for its layer is then dropped.
 */
let wanted = 0;

/**
 * Shows a second side. Returns null if another comparison was started, or this one ended, before it was ready.
 * @param {CompareMode} how
 * @param {Wish} [wish] layer and date; by default the layer of A a year apart, or another layer at its date
 * @returns {Promise<Side | null>}
 */
export async function compare(how, wish = {}) {
	if (sideB.peek()) {
		chooseCompareMode(how);
		return sideB.peek();
	}
	wanted += 1;
	const own = wanted;
	const found = wish.layer === undefined ? null : await findLayer(wish.layer);
	const of = found?.layer ?? sideA.layer.peek();
	if (own !== wanted || !of) return null;
	const side = makeSide("b");
	batch(() => {
		replaceSideB(side);
		chooseCompareMode(how);
	});
	setUsual(side, wish.date === USUAL);
	const date = side.isUsual.peek() ? sideA.instant.peek()?.text : (wish.date ?? dateFor(of));
	const isOne = of.id === sideA.layer.peek()?.id;
	await openLayer(of, { date, style: wish.style ?? (isOne ? sideA.style.peek() : undefined) }, side);
	return own === wanted ? side : null;
}

/**
 * Returns the first date of B: that of A, or for the same layer a year apart.
 * @param {import("../base/api.js").Layer} of
 */
function dateFor(of) {
	const instant = sideA.instant.peek();
	const { instants } = sideA.timeDomain.peek();
	if (!instant || of.id !== sideA.layer.peek()?.id) return instant?.text;
	return instants[otherIndex(instants, instant.ms)].text;
}

/** Shows another layer as B. @param {import("../base/api.js").Layer} of */
export function chooseLayerOfB(of) {
	const other = sideB.peek();
	if (!other) return;
	recolour(other, AS_STYLED);
	void openLayer(of, { date: dateFor(of) }, other);
}

/** Shows usual values for the date of A as B, or the date itself. @param {Side} side @param {boolean} isOn */
export function showUsual(side, isOn) {
	if (side.isUsual.peek() === isOn) return;
	regroup(() => {
		setUsual(side, isOn);
	}, [side]);
	const from = sideA.instant.peek();
	if (from) chooseTime(indexOfMoment(side.timeDomain.peek().instants, from.ms), side);
}

/** Shows one side again. */
export function stopComparing() {
	wanted += 1;
	batch(() => {
		chooseCompareMode(null);
		replaceSideB(null);
	});
}

/** Dates as far apart as a day and the period that contains it. */
const TOGETHER = { years: 0, ms: 0 };

/** Moves B with A through time, at the distance that B had when it was moved alone. @param {Side} side */
function keepInStep(side) {
	/** Null if B was moved while A had no date. */
	let apart = /** @type {typeof TOGETHER | null} */ (TOGETHER);
	let isFollowing = false;
	const measure = (/** @type {Instant} */ from, /** @type {Instant} */ to) =>
		side.isUsual.peek() || isWithin(to, from.ms) ? TOGETHER : apartOf(from.ms, to.ms);
	live(() => {
		const to = side.instant.value;
		const from = sideA.instant.peek();
		if (to && !isFollowing) apart = from && measure(from, to);
	});
	live(() => {
		const from = sideA.instant.value;
		const { instants } = side.timeDomain.peek();
		if (!from || instants.length === 0) return;
		const to = side.instant.peek();
		apart ??= to ? measure(from, to) : TOGETHER;
		isFollowing = true;
		// Periods of other years start up to a day off: the nearest is right.
		const find = apart === TOGETHER ? indexOfMoment : nearestIndex;
		chooseTime(find(instants, after(from.ms, apart)), side);
		isFollowing = false;
	});
}

/** Swaps the content of A and B. */
export function swapSides() {
	const other = sideB.peek();
	if (!other) return;
	const [a, b] = [sideA, other].map(({ layer, instant, style, colouring }) => ({
		layer: layer.peek(),
		wish: { date: instant.peek()?.text, style: style.peek() },
		colouring: colouring.peek(),
	}));
	if (!a.layer || !b.layer) return;
	void openLayer(b.layer, b.wish, sideA);
	void openLayer(a.layer, a.wish, other);
	recolour(sideA, b.colouring);
	recolour(other, a.colouring);
}

/** @returns {Partial<Link>} */
function writeLink() {
	const other = sideB.value;
	const of = other?.layer.value;
	if (!other || !of || !mode.value) return {};
	const { ramp, min, max, reversed, log } = writeColouring(other);
	const { instants } = other.timeDomain.value;
	const index = other.timeIndex.value;
	return {
		compare: mode.value,
		layer2: of.id === sideA.layer.value?.id ? undefined : of.id,
		date2: other.isUsual.value ? USUAL : index < 0 ? undefined : dateOf(instants, index),
		style2: other.style.value === of.styles[0]?.id ? undefined : other.style.value,
		...{ ramp2: ramp, min2: min, max2: max, reversed2: reversed, log2: log },
		split: split.value === 0.5 ? undefined : split.value,
		orient: isHorizontal.value ? "h" : undefined,
	};
}

/** Ends the wait of the link that was read last for the dates of A. */
let stopReading = () => {};

/** @param {Link} link */
function readLink({ compare: how, layer2, date2, style2, ramp2, min2, max2, reversed2, log2, ...link }) {
	stopReading();
	stopComparing();
	split.value = link.split ?? 0.5;
	isHorizontal.value = link.orient === "h";
	if (!how) return;
	const stop = effect(() => {
		const { phase, instants } = sideA.timeDomain.value;
		if (!sideA.layer.value || phase !== "ready" || (instants.length > 0 && !sideA.instant.value)) return;
		queueMicrotask(() => stop());
		void compare(how, { layer: layer2, date: date2, style: style2 }).then((other) => {
			if (other) readColouring(other, { ramp: ramp2, min: min2, max: max2, reversed: reversed2, log: log2 });
		});
	});
	stopReading = stop;
}

/** Keeps a second side in step while there is one, and takes part in links. */
export function startSides() {
	live(() => {
		const side = sideB.value;
		if (!side) return;
		followLegend(side);
		keepInStep(side);
	});
	joinLink({ write: writeLink, read: readLink });
}
