/**
 * Layers beside the main one: each is a side of its own that keeps to the date of the main one, drawn below or above it.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/permalink.js").LayerEntry} LayerEntry
 * @typedef {import("../base/state.js").Extra} Extra
 * @typedef {import("../base/state.js").Side} Side
 */

import {
	chooseLayer,
	extras,
	findLayer,
	joinLink,
	layer,
	layers,
	MAX_EXTRAS,
	makeSide,
	notify,
	opacity,
	openLayer,
	sideA,
} from "../base/state.js";
import { text } from "../base/text.js";
import { DataPane } from "../map/data-pane.js";
import { maps } from "../map/map.js";
import { batch, effect, untracked } from "../vendor/signals-core.js";
import { indexAtOrBefore } from "./extra-dates.js";
import { followLegend } from "./legend-source.js";

/** Heights of panes: between the ground, at 150, and the main layer's tiles, at 200; and between those and the outlines, at 350. */
const [BELOW, ABOVE] = [160, 260];

let extrasMade = 0;
/** What ends the drawing of each side. @type {WeakMap<Side, () => void>} */
const endings = new WeakMap();

let isStarted = false;

/** Draws the layers that are in `extras` from now on, once. */
export function startExtras() {
	if (isStarted) return;
	isStarted = true;
	effect(() => drawAll(extras.value));
	joinLink({ write: writeExtras, read: ({ layers: asked }) => void readExtras(asked ?? []) });
}

/** Shows a layer on top of all others. @param {Layer} of */
export const addExtra = (of) => insert(of, { isBelow: false });

/** @param {Layer} of @param {{ isBelow: boolean, opacity?: number }} how */
function insert(of, { isBelow, opacity: density = 1 }) {
	const isThere = extras.peek().some(({ side }) => side.layer.peek()?.id === of.id);
	if (isThere || of.id === layer.peek()?.id || extras.peek().length >= MAX_EXTRAS) return;
	extrasMade += 1;
	const side = makeSide(`extra-${extrasMade}`);
	side.opacity.value = density;
	const stops = [followLegend(side), effect(() => followDate(side))];
	endings.set(side, () => {
		for (const stop of stops) stop();
	});
	void openLayer(of, {}, side);
	const others = extras.peek();
	const at = isBelow ? others.filter((each) => !each.isBelow).length : 0;
	extras.value = others.toSpliced(at, 0, { side, isBelow, isShown: true });
}

/** Shows the date of the main layer, or the last one before it. @param {Side} side */
function followDate(side) {
	const { instants } = side.timeDomain.value;
	const now = sideA.instant.value;
	if (now && instants.length > 0) side.timeIndex.value = indexAtOrBefore(instants, now.ms);
}

/** @param {Side} side */
export function removeExtra(side) {
	extras.value = extras.peek().filter((each) => each.side !== side);
	endings.get(side)?.();
	endings.delete(side);
}

/** @param {Side} side @param {Partial<Extra>} change */
export function changeExtra(side, change) {
	extras.value = extras.peek().map((each) => (each.side === side ? { ...each, ...change } : each));
}

/** Lets a layer and the main one take each other's places. @param {Side} side */
export function swapWithMain(side) {
	const [next, before] = [side.layer.peek(), layer.peek()];
	if (!next || !before) return;
	batch(() => {
		[side.opacity.value, opacity.value] = [opacity.peek(), side.opacity.peek()];
		void openLayer(before, {}, side);
		chooseLayer(next.id);
	});
}

/** Moves a layer up or down by one, past the main one too. @param {Side} side @param {-1 | 1} step 1 is down */
export function moveExtra(side, step) {
	const all = [...extras.peek()];
	const at = all.findIndex((each) => each.side === side);
	const next = all[at + step];
	if (next?.isBelow === all[at].isBelow) [all[at], all[at + step]] = [next, all[at]];
	else if (all[at].isBelow === step > 0) return;
	else all[at] = { ...all[at], isBelow: step > 0 };
	extras.value = all;
}

/** Panes that are drawn on, by side. @type {Map<Side, DataPane>} */
const drawn = new Map();

/** @param {Extra[]} all topmost first */
function drawAll(all) {
	const [map] = maps.value;
	if (!map) return;
	const shown = new Set(all.filter(({ isShown }) => isShown).map(({ side }) => side));
	for (const [side, pane] of drawn) {
		if (shown.has(side)) continue;
		pane.close();
		drawn.delete(side);
		if (!all.some((each) => each.side === side)) removePane(map, side.id);
	}
	for (const [index, { side, isBelow }] of all.entries()) {
		const pane = map.getPane(side.id) ?? map.createPane(side.id);
		pane.style.zIndex = String((isBelow ? BELOW : ABOVE) + all.length - index);
		pane.style.pointerEvents = "none";
		if (shown.has(side) && !drawn.has(side))
			drawn.set(
				side,
				untracked(() => new DataPane(map, side, side.id)),
			);
	}
}

/** @param {import("../vendor/leaflet.js").Map} map @param {string} name */
function removePane(map, name) {
	map.getPane(name)?.remove();
	delete map.getPanes()[name];
}

/** All layers that are seen, the lowest first; the main one's place among them is told too. */
function writeExtras() {
	const seen = extras.value.filter(({ isShown }) => isShown).toReversed();
	if (seen.length === 0 || !layer.value) return {};
	const entry = (/** @type {Extra} */ { side }) => ({ id: side.layer.value?.id ?? "", opacity: side.opacity.value });
	const main = { id: layer.value.id, opacity: opacity.value };
	const below = seen.filter(({ isBelow }) => isBelow).map(entry);
	const above = seen.filter(({ isBelow }) => !isBelow).map(entry);
	return { layers: [...below, main, ...above] };
}

let linksRead = 0;

/** Shows the layers that a link names, unless they are there already. @param {LayerEntry[]} asked the lowest first */
async function readExtras(asked) {
	linksRead += 1;
	const own = linksRead;
	if (JSON.stringify(asked) === JSON.stringify(writeExtras().layers ?? [])) return;
	await whenListed();
	if (own !== linksRead) return;
	const main = layer.peek()?.id;
	const place = asked.findIndex(({ id }) => id === main);
	for (const { side } of extras.peek()) removeExtra(side);
	for (const [index, { id, opacity: density }] of asked.entries()) {
		if (index === place) continue;
		const found = await findLayer(id);
		if (own !== linksRead) return;
		if (!found || found.isInstead) notify(`layer ${id}`, text("link.noSuchLayer", { layer: id }));
		else insert(found.layer, { isBelow: index < place, opacity: density });
	}
}

/** Resolves when the layers are known, and which one is the main one. @returns {Promise<void>} */
const whenListed = () =>
	new Promise((resolve) => {
		const stop = effect(() => {
			if (layers.value.length === 0 || !layer.value) return;
			queueMicrotask(() => stop());
			resolve();
		});
	});
