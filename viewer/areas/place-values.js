/**
 * The values of the places of the current set, at the date or in the period of the map. They are requested for many
 * dates at a time, so that changes of the date need no request.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/api.js").PlaceValues} PlaceValues
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {import("./place-sets.js").PlaceSet} PlaceSet
 * @typedef {(number | null)[]} Column
 * @typedef {{ phase: "none" | "loading" | "ready" | "failed", why: string, values: Column, done: number }} ValuesNow
 *   by number of the place; `done` is the number of loaded places
 * @typedef {{ columns: Map<string | null, number>, values: Column[] }} Block of dates
 * @typedef {{ key: string, datetime: string | null, end: number, isSingle: boolean, what: Statistic, over: Span }}
 *   Question
 * @typedef {import("./place-sets.js").Statistic} Statistic
 * @typedef {import("./place-sets.js").Span} Span
 */
import { fetchPlaceValues, isStatic, nameOf, Problem } from "../base/api.js";
import { instant, isDragged, isMoving, layer, timeDomain, timeIndex } from "../base/state.js";
import { effect, signal } from "../vendor/signals-core.js";
import { blockAround, datesAtOnce } from "./place-blocks.js";
import { datetimeAt, hasMeans, shapesOf, shownSet, shownSpan, statistic } from "./place-sets.js";
import { loadStatistics } from "./statistics-of-areas.js";

const MAX_BLOCKS = 24;
/** Dates that change faster are not requested. */
const SCRUB_WAIT_MS = 120;
/** Statistics that are equal to the value if a place has one cell, as a point does. */
const OF_ONE = new Set(["median", "p10", "p90", "min", "max"]);

/** @type {ValuesNow} */
const NO_VALUES = { phase: "none", why: "", values: [], done: 0 };
/** Values of the current set at the current date. */
export const valuesNow = signal(NO_VALUES);

/** Loaded values, the most recently used last. @type {Map<string, Block>} */
const blocks = new Map();
/** Requests under way. @type {Map<string, Promise<Block>>} */
const coming = new Map();
/** Sets and layers that are so large that the server allows only one date per request. */
const large = new Set();

/** @param {PlaceSet} set @param {Layer} of */
const keyOf = (set, of) => JSON.stringify([set.id, set.revision, nameOf(of), of.revision]);

/**
 * @param {PlaceSet} set
 * @param {Layer} of
 * @param {Instant[]} instants of the block; empty for a layer without time
 * @param {number} index
 * @returns {Question}
 */
function questionAt(set, of, instants, index) {
	const [what, over] = [statistic.value, instants.length === 0 ? "date" : shownSpan.value];
	// A file has all dates.
	const many = isStatic ? instants.length : datesAtOnce(set.count);
	const atOnce = large.has(keyOf(set, of)) || over !== "date" ? 1 : Math.max(1, many);
	const { first, end } = blockAround(index, instants.length, atOnce);
	const dates = instants.length === 0 ? null : `${instants[first].text}/${instants[end - 1].text}`;
	const datetime = over === "date" ? dates : datetimeAt(instants[first]);
	return { key: `${keyOf(set, of)} ${what} ${over} ${datetime}`, datetime, end, isSingle: end - first < 2, what, over };
}

/**
 * @param {PlaceSet} set
 * @param {Layer} of
 * @param {Question} question
 * @param {AbortSignal} stopped
 * @returns {Promise<Block>}
 */
function loadBlock(set, of, question, stopped) {
	const { key } = question;
	const asked = coming.get(key);
	if (asked) return asked;
	const ask = async () => {
		try {
			const { times, values } = await askValues(set, of, question, stopped);
			const block = { columns: new Map(times.map((time, column) => [time, column])), values };
			blocks.set(key, block);
			for (const oldest of [...blocks.keys()].slice(0, -MAX_BLOCKS)) blocks.delete(oldest);
			return block;
		} finally {
			coming.delete(key);
		}
	};
	const block = ask();
	coming.set(key, block);
	return block;
}

/**
 * Requests the matrix of the server if it has one, otherwise each shape.
 * @param {PlaceSet} set
 * @param {Layer} of
 * @param {Question} question
 * @param {AbortSignal} stopped
 * @returns {Promise<PlaceValues>}
 */
async function askValues(set, of, { datetime, what, over }, stopped) {
	if (!set.shapes && over === "date" && what !== "anomaly") return fetchPlaceValues(set, of, datetime, what, stopped);
	const shapes = await shapesOf(set);
	const isAnomaly = what === "anomaly";
	const parameters = { datetime, reducers: isAnomaly ? "mean" : what, anomaly: isAnomaly ? "abs" : null };
	const onPart = (/** @type {number} */ done) => {
		if (!stopped.aborted) valuesNow.value = { ...valuesNow.peek(), done };
	};
	const { times, features } = await loadStatistics(of, shapes, parameters, { stopped, onPart }, over);
	const gaps = times.map(() => null);
	const columnOf = (/** @type {import("../base/api.js").FeatureSeries | null} */ feature) =>
		isAnomaly
			? feature?.analysis?.mean?.anomaly
			: (feature?.series[what] ?? (OF_ONE.has(what) && feature?.series.mean));
	const values = features.map((feature) => columnOf(feature) || gaps);
	return { times: over === "date" ? times : [null], offset: 0, total: values.length, ids: [], values };
}

export const startPlaceValues = () => effect(followValues);

/** Loads the values of the current set, layer and date when these change. */
function followValues() {
	const [set, of] = [shownSet.value, layer.value];
	const { instants, phase } = timeDomain.value;
	const [index, shown] = [timeIndex.value, instant.value?.text ?? null];
	if (!set || !of || !hasMeans.value || phase !== "ready") {
		valuesNow.value = NO_VALUES;
		return;
	}
	const question = questionAt(set, of, instants, index);
	const now = question.over === "date" ? shown : null;
	const stopping = new AbortController();
	const block = blocks.get(question.key);
	if (block) {
		blocks.delete(question.key);
		blocks.set(question.key, block);
		showBlock(block, now);
		const isGoingOn = isMoving.peek() && !isDragged.peek() && question.over === "date" && !set.shapes;
		if (isGoingOn && question.end < instants.length) askAhead(set, of, questionAt(set, of, instants, question.end));
		return;
	}
	valuesNow.value = { ...NO_VALUES, phase: "loading" };
	const load = () => void loadShown({ set, of, now }, question, stopping.signal);
	const waiting = window.setTimeout(load, isMoving.peek() ? SCRUB_WAIT_MS : 0);
	return () => {
		window.clearTimeout(waiting);
		stopping.abort();
	};
}

/**
 * @param {{ set: PlaceSet, of: Layer, now: string | null }} shown
 * @param {Question} question
 * @param {AbortSignal} stopped
 */
async function loadShown({ set, of, now }, question, stopped) {
	try {
		// Values of shapes need many requests, which are aborted when they are no longer needed.
		const ends = set.shapes || question.over !== "date" || question.what === "anomaly";
		const block = await loadBlock(set, of, question, ends ? stopped : new AbortController().signal);
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
	const shown = values.map((row) => (column === undefined ? null : row[column]));
	valuesNow.value = { phase: "ready", why: "", values: shown, done: shown.length };
}

/** @param {PlaceSet} set @param {Layer} of @param {Question} question */
function askAhead(set, of, question) {
	if (!blocks.has(question.key)) loadBlock(set, of, question, new AbortController().signal).catch(() => {});
}
