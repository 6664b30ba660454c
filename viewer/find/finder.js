/**
 * Finds dates and scenes of the current collection in the visible area. A replaced search is aborted; while the user
 * moves the map, the search waits.
 *
 * @typedef {import("./scenes.js").Question} Question
 * @typedef {import("./scenes.js").Scene} Scene
 * @typedef {{ collection: string, reason: string, partial?: boolean }} Unanswered
 * @typedef {{
 *   phase: "loading" | "ready" | "failed", why: string, scenes: Scene[], matched: number | null, unanswered:
 *     Unanswered[],
 *   cursor: string | null,
 * }} Found `matched` is null if there are too many to count
 */
import { fetchItems } from "../base/api.js";
import { chooseTime, layer, openLayer, style, timeDomain, timeIndex, view } from "../base/state.js";
import { batch, computed, effect, signal, untracked } from "../vendor/signals-core.js";
import { ANY_CLOUD, indexOfScene, scenesOf, searchOf } from "./scenes.js";

/** Time without movement or typing before the server is queried. */
const REST_MS = 400;
/** @type {Found} */
const NOTHING = { phase: "loading", why: "", scenes: [], matched: null, unanswered: [], cursor: null };

/** Whether the panel is open; searches run only then. */
export const isOpen = signal(false);
/** First and last day, or empty. */
export const from = signal("");
export const to = signal("");
export const maxCloud = signal(ANY_CLOUD);
/** Whether items of the collection have a cloud cover. */
export const hasClouds = signal(false);
export const found = signal(NOTHING);
/** Id of the highlighted scene. */
export const emphasised = signal(/** @type {string | null} */ (null));

export const collection = computed(() => layer.value?.collection ?? null);

/** The search as text, so that equal searches can be recognised. */
const question = computed(() => {
	if (!isOpen.value || !collection.value || !view.value) return null;
	/** @type {Question} */
	const asked = {
		collection: collection.value,
		bbox: view.value.bbox,
		from: from.value,
		to: to.value,
		maxCloud: maxCloud.value,
	};
	return JSON.stringify(asked);
});

let asking = new AbortController();

export function startFinder() {
	effect(() => {
		void collection.value;
		batch(() => {
			[found.value, hasClouds.value, maxCloud.value] = [NOTHING, false, ANY_CLOUD];
		});
	});
	effect(() => {
		if (question.value === null) return;
		untracked(() => {
			found.value = { ...found.peek(), phase: "loading" };
		});
		const waiting = window.setTimeout(() => void ask(null), REST_MS);
		return () => {
			window.clearTimeout(waiting);
			asking.abort();
		};
	});
}

/** Requests the next page, or the failed one again. */
export const askOn = () => ask(found.peek().cursor);

/** @param {string | null} cursor of the previous page */
async function ask(cursor) {
	const text = question.peek();
	if (text === null) return;
	asking.abort();
	asking = new AbortController();
	const { signal: stopped } = asking;
	found.value = { ...found.peek(), phase: "loading" };
	try {
		const { features, ownAddress, ...page } = await fetchItems(searchOf(JSON.parse(text), cursor), stopped);
		if (stopped.aborted) return;
		const scenes = scenesOf(features, ownAddress);
		batch(() => {
			if (scenes.some(({ cloud }) => cloud !== null)) hasClouds.value = true;
			const before = cursor === null ? [] : found.peek().scenes;
			found.value = { phase: "ready", why: "", scenes: [...before, ...scenes], ...page };
		});
	} catch (error) {
		if (stopped.aborted) return;
		const why = error instanceof Error ? error.message : String(error);
		const kept = cursor === null ? NOTHING : found.peek();
		found.value = { ...kept, phase: "failed", why };
	}
}

/** Shows the date of a scene; reloads the dates if the scene is newer than they are. @param {Scene} scene */
export async function showScene(scene) {
	const of = layer.peek();
	const index = () => indexOfScene(timeDomain.peek().instants, scene);
	if (of && index() < 0) await openLayer(of, { date: scene.date, style: style.peek() });
	if (layer.peek() === of && index() >= 0) chooseTime(index());
}

/** Whether the map shows the date of a scene. @param {Scene} scene */
export const isShown = (scene) =>
	timeIndex.value >= 0 && indexOfScene(timeDomain.value.instants, scene) === timeIndex.value;
