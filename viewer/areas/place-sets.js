/**
 * The sets of places that the server has: which one is shown, and the values of its places at the date of the map. Values
 * come for many dates at once, so that moving through time asks for nothing.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/api.js").PlaceSet} PlaceSet
 * @typedef {import("../base/api.js").PlaceValues} PlaceValues
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {{ phase: "none" | "loading" | "ready" | "failed", why: string, values: (number | null)[] }} ValuesNow by number of the place
 * @typedef {{ columns: Map<string | null, number>, values: (number | null)[][] }} Block of dates
 */
import { fetchPlace, fetchPlaceSets, fetchPlaceValues, Problem } from "../base/api.js";
import {
	choosePlace,
	instant,
	isMoving,
	isPressed,
	joinLink,
	layer,
	legend,
	notify,
	timeDomain,
	timeIndex,
} from "../base/state.js";
import { text } from "../base/text.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { tidyName } from "./formats/faults.js";
import { blockAround, datesAtOnce } from "./place-blocks.js";

const MAX_BLOCKS = 24;
/** Dates that change faster than this are not asked for. */
const SCRUB_WAIT_MS = 120;

export const placeSets = signal(/** @type {PlaceSet[]} */ ([]));
export const shownSet = signal(/** @type {PlaceSet | null} */ (null));
/** The place under the pointer, or in the middle of the map while the keyboard is used; only the map sets it. */
export const hovered = signal(/** @type {import("./formats/mvt.js").TileFeature | null} */ (null));
/** @type {ValuesNow} */
const NO_VALUES = { phase: "none", why: "", values: [] };
/** Of the set that is shown, at the date that is shown. */
export const valuesNow = signal(NO_VALUES);
/** Whether places can have the colour of their mean: that of classes, and of colours alone, means nothing. */
export const hasMeans = computed(() => (layer.value?.variable ?? null) !== null && legend.value?.type === "ramp");

/** Values that are there, those used last at the end. @type {Map<string, Block>} */
const blocks = new Map();
/** Values that are being asked for. @type {Map<string, Promise<Block>>} */
const coming = new Map();
/** Sets and layers of which the server gives one date at a time, because it would have to read too much for more. */
const large = new Set();

/** @param {PlaceSet} set @param {Layer} of */
const keyOf = (set, of) => JSON.stringify([set.id, set.revision, of.id, of.revision]);

/** @param {PlaceSet} set @param {Layer} of @param {Instant[]} instants of the block; none of a layer without time @param {number} index */
function questionAt(set, of, instants, index) {
	const { first, end } = blockAround(index, instants.length, large.has(keyOf(set, of)) ? 1 : datesAtOnce(set.count));
	const datetime = instants.length === 0 ? null : `${instants[first].text}/${instants[end - 1].text}`;
	return { key: `${keyOf(set, of)} ${datetime}`, datetime, end, isSingle: end - first < 2 };
}

/** @param {PlaceSet} set @param {Layer} of @param {{ key: string, datetime: string | null }} question @returns {Promise<Block>} */
function loadBlock(set, of, { key, datetime }) {
	const asked = coming.get(key);
	if (asked) return asked;
	const block = fetchPlaceValues(set, of, datetime, new AbortController().signal).then(toBlock);
	coming.set(key, block);
	const done = () => coming.delete(key);
	block
		.then((loaded) => {
			blocks.set(key, loaded);
			for (const oldest of [...blocks.keys()].slice(0, -MAX_BLOCKS)) blocks.delete(oldest);
		})
		.then(done, done);
	return block;
}

/** @param {PlaceValues} answer @returns {Block} */
const toBlock = ({ times, values }) => ({ columns: new Map(times.map((time, column) => [time, column])), values });

/** Asks what sets there are, and keeps link and values those of the one that is shown. */
export async function startPlaceSets() {
	/** @type {string | undefined} */
	let wanted;
	const choose = () => {
		shownSet.value = placeSets.peek().find(({ id }) => id === wanted) ?? null;
	};
	joinLink({
		write: () => ({ places: shownSet.value?.id }),
		read: (link) => {
			wanted = link.places;
			choose();
		},
	});
	effect(followValues);
	try {
		placeSets.value = await fetchPlaceSets(new AbortController().signal);
		choose();
	} catch {
		// A server without places need not say so.
	}
}

/** Keeps the values those of the set, the layer and the date that are shown. */
function followValues() {
	const [set, of] = [shownSet.value, layer.value];
	const { instants, phase, periods } = timeDomain.value;
	const [index, now] = [timeIndex.value, instant.value?.text ?? null];
	if (!set || !of || !hasMeans.value || phase !== "ready" || periods) {
		valuesNow.value = NO_VALUES;
		return;
	}
	const question = questionAt(set, of, instants, index);
	const block = blocks.get(question.key);
	if (block) {
		blocks.delete(question.key);
		blocks.set(question.key, block);
		showBlock(block, now);
		if (isMoving.peek() && !isPressed.peek() && question.end < instants.length)
			askAhead(set, of, questionAt(set, of, instants, question.end));
		return;
	}
	valuesNow.value = { ...NO_VALUES, phase: "loading" };
	const stopping = new AbortController();
	const load = () => void loadShown({ set, of, now }, question, stopping.signal);
	const waiting = window.setTimeout(load, isMoving.peek() ? SCRUB_WAIT_MS : 0);
	return () => {
		window.clearTimeout(waiting);
		stopping.abort();
	};
}

/** @param {{ set: PlaceSet, of: Layer, now: string | null }} shown @param {ReturnType<typeof questionAt>} question @param {AbortSignal} stopped */
async function loadShown({ set, of, now }, question, stopped) {
	try {
		const block = await loadBlock(set, of, question);
		if (!stopped.aborted) showBlock(block, now);
	} catch (error) {
		if (stopped.aborted) return;
		const isTooMuch = error instanceof Problem && error.status >= 400 && error.status < 500;
		if (isTooMuch && !question.isSingle) {
			large.add(keyOf(set, of));
			const single = questionAt(set, of, timeDomain.peek().instants, timeIndex.peek());
			await loadShown({ set, of, now }, single, stopped);
		} else valuesNow.value = { ...NO_VALUES, phase: "failed", why: /** @type {Error} */ (error).message };
	}
}

/** @param {Block} block @param {string | null} now */
function showBlock({ columns, values }, now) {
	const column = columns.get(now);
	valuesNow.value = {
		phase: "ready",
		why: "",
		values: values.map((row) => (column === undefined ? null : row[column])),
	};
}

/** @param {PlaceSet} set @param {Layer} of @param {ReturnType<typeof questionAt>} question */
function askAhead(set, of, question) {
	if (!blocks.has(question.key)) loadBlock(set, of, question).catch(() => {});
}

/**
 * Looks at a place of the set that is shown.
 * @param {import("./formats/mvt.js").TileFeature} feature @param {boolean} isKept whether the places that are there stay
 */
export async function choosePlaceOfSet({ id, properties }, isKept) {
	const set = shownSet.peek();
	if (!set) return;
	try {
		const geometry = await fetchPlace(set, id, new AbortController().signal);
		choosePlace(geometry, tidyName(properties.label ?? properties.id), isKept);
	} catch (error) {
		notify("places", text("places.notFound", { why: /** @type {Error} */ (error).message }));
	}
}
