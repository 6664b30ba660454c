/**
 * Additional layers on the map: each is a separate side that follows the date of the main one, drawn below or above it.
 *
 * @typedef {import("../base/api.js").Layer} Layer
 * @typedef {import("../base/permalink.js").LayerEntry} LayerEntry
 * @typedef {import("../base/state.js").Extra} Extra
 * @typedef {import("../base/state.js").Side} Side
 */

import { indexAtOrBefore } from "../base/dates.js";
import { until } from "../base/delays.js";
import { atEnd, eachOnce, live } from "../base/live.js";
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
	replaceExtras,
	setOpacity,
	setTimeIndex,
	sideA,
} from "../base/state.js";
import { text } from "../base/text.js";
import { drawSide } from "../map/data-pane.js";
import { maps } from "../map/map.js";
import { batch, computed, effect, untracked } from "../vendor/signals-core.js";
import { followLegend } from "./legend-source.js";

/**
 * The z-indexes of panes: between the land, at 150, and the tiles of the main layer, at 200; and between those and
 * the outlines, at 350.
 */
const [BELOW, ABOVE] = [160, 260];

let extrasMade = 0;
let isStarted = false;

/** Draws the layers that are in `extras` from now on, once. */
export function startExtras() {
	if (isStarted) return;
	isStarted = true;
	effect(() => drawAll(extras.value));
	joinLink({ write: writeExtras, read: ({ layers: asked }) => void readExtras(asked ?? []) });
}

/**
 * Shows a layer on top of all others, or below them.
 * @param {Layer} of
 * @param {{ isBelow?: boolean, opacity?: number }} [how]
 */
export function addExtra(of, { isBelow = false, opacity: density = 1 } = {}) {
	const isThere = extras.peek().some(({ side }) => side.layer.peek()?.id === of.id);
	if (isThere || of.id === layer.peek()?.id || extras.peek().length >= MAX_EXTRAS) return;
	extrasMade += 1;
	const side = makeSide(`extra-${extrasMade}`);
	setOpacity(side, density);
	void openLayer(of, {}, side);
	const otherExtras = extras.peek();
	const at = isBelow ? otherExtras.filter((each) => !each.isBelow).length : 0;
	replaceExtras(otherExtras.toSpliced(at, 0, { side, isBelow, isShown: true }));
}

/** Shows the date of the main layer, or the last one before it. @param {Side} side */
function followDate(side) {
	const { instants } = side.timeDomain.value;
	const now = sideA.instant.value;
	if (now && instants.length > 0) setTimeIndex(side, indexAtOrBefore(instants, now.ms));
}

/** @param {Side} side */
export function removeExtra(side) {
	replaceExtras(extras.peek().filter((each) => each.side !== side));
}

/** @param {Side} side @param {Partial<Extra>} change */
export function changeExtra(side, change) {
	replaceExtras(extras.peek().map((each) => (each.side === side ? { ...each, ...change } : each)));
}

/** Lets a layer and the main one take each other's places. @param {Side} side */
export function swapWithMain(side) {
	const [next, before] = [side.layer.peek(), layer.peek()];
	if (!next || !before) return;
	batch(() => {
		const density = side.opacity.peek();
		setOpacity(side, opacity.peek());
		setOpacity(sideA, density);
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
	replaceExtras(all);
}

/** Synchronises a layer with the main one, and draws it on a separate pane while it is visible. @param {Side} side */
const panesOf = eachOnce((/** @type {Side} */ side) => {
	const [map] = maps.peek();
	const pane = map.createPane(side.id);
	pane.style.pointerEvents = "none";
	const isShown = computed(() => extras.value.some((each) => each.side === side && each.isShown));
	followLegend(side);
	live(() => followDate(side));
	live(() => {
		if (isShown.value) untracked(() => drawSide(map, side, side.id));
	});
	atEnd(() => {
		pane.remove();
		delete map.getPanes()[side.id];
	});
	return pane;
});

/** @param {Extra[]} all topmost first */
function drawAll(all) {
	const panes = panesOf(all.map(({ side }) => side));
	for (const [index, { isBelow }] of all.entries()) {
		panes[index].style.zIndex = String((isBelow ? BELOW : ABOVE) + all.length - index);
	}
}

/** Returns all visible layers for the link, the lowest first, including the main one. */
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

/** Shows the layers of a link, unless they are visible already. @param {LayerEntry[]} asked the lowest first */
async function readExtras(asked) {
	linksRead += 1;
	const turn = linksRead;
	if (JSON.stringify(asked) === JSON.stringify(writeExtras().layers ?? [])) return;
	await whenListed();
	if (turn !== linksRead) return;
	const main = layer.peek()?.id;
	const place = asked.findIndex(({ id }) => id === main);
	for (const { side } of extras.peek()) removeExtra(side);
	for (const [index, { id, opacity: density }] of asked.entries()) {
		if (index === place) continue;
		const newLayer = await findLayer(id);
		if (turn !== linksRead) return;
		if (!newLayer || newLayer.isInstead) notify(`layer ${id}`, text("link.noSuchLayer", { layer: id }));
		else addExtra(newLayer.layer, { isBelow: index < place, opacity: density });
	}
}

/** Resolves when the list of layers is loaded and the main one is chosen. */
const whenListed = () => until(() => layers.value.length > 0 && layer.value !== null);
