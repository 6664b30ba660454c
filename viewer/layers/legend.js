/**
 * The legend of a side with controls for its colours: palette, range over the values on the map, direction, logarithm,
 * classes and flags.
 *
 * @typedef {import("../base/state.js").Side} Side
 */

import { cssColour, parseColour } from "../base/colours.js";
import { make } from "../base/elements.js";
import { atEnd, live } from "../base/live.js";
import { hasAmounts, isMoving, view } from "../base/state.js";
import { flagText, locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { numberText } from "../base/value-scale.js";
import { cubesOf } from "../map/cubes.js";
import { computed, signal } from "../vendor/signals-core.js";
import { showClass } from "./colouring.js";
import { makePalettes } from "./palettes.js";
import { makeRangeEditor } from "./range.js";

/** @typedef {import("../map/cube-reader.js").Histogram} Histogram */
/** @typedef {"loading" | "failed" | "ramp" | "classes" | "composite" | "none"} Kind */

const BINS = 512;
/** Counting takes a few milliseconds, too long for every date while time moves. */
const WAIT_MS = 120;

/**
 * Shows the legend of a side in an element, and returns the function that stops it.
 * @param {Side} side @param {HTMLElement} element its content is replaced @returns {() => void}
 */
export function renderLegend(side, element) {
	element.classList.add("legend");
	const kind = computed(() => kindOf(side));
	return live(() => {
		element.dataset.kind = kind.value;
		element.replaceChildren(...PARTS[kind.value].map((makePart) => makePart(side)));
		return () => element.replaceChildren();
	});
}

/** @param {Side} side @returns {Kind} */
function kindOf(side) {
	const [layer, legend] = [side.layer.value, side.legend.value];
	if (side.legendFault.value !== null) return "failed";
	if (!layer || !legend) return "loading";
	if (layer.variable === null) return "composite";
	if (legend.type === "classes") return "classes";
	return legend.stops?.length ? "ramp" : "none";
}

/** @param {string} said */
const words = (said) => make("p", { class: "hint" }, said);

/** Makes the selection of styles, if there are several. @param {Side} side */
const makeStyles = (side) =>
	(side.layer.peek()?.styles.length ?? 0) > 1 ? makePalettes(side) : make("div", { hidden: true });

/**
 * Returns a signal with the histogram of the values on the map; null if they are not loaded or there are none.
 * @param {Side} side
 */
function watchValues(side) {
	const counts = signal(/** @type {Histogram | null} */ (null));
	let waiting = 0;
	const count = () => {
		waiting = 0;
		const histogram = cubesOf(side)?.histogram(side.timeIndex.peek(), BINS) ?? null;
		if (histogram && histogram.valid > 0) counts.value = histogram;
		else if (!isMoving.peek()) counts.value = null;
	};
	live(() => {
		void [side.layer.value, side.timeIndex.value, side.loadedTimes.value, side.tileProgress.value];
		void [view.value, isMoving.value];
		if (waiting === 0) waiting = window.setTimeout(count, WAIT_MS);
	});
	atEnd(() => window.clearTimeout(waiting));
	return counts;
}

/** @param {Side} side */
function makeScale(side) {
	const values = watchValues(side);
	const summary = make("span", {});
	const unit = make("span", {});
	live(() => {
		const currentCounts = values.value;
		const isShown = side.tileProgress.value.phase === "shown";
		if (currentCounts && hasAmounts(side) !== false)
			summary.textContent = text("legend.onMap", {
				mean: numberText(Number(currentCounts.mean.toPrecision(3)), locale()),
			});
		else summary.textContent = !currentCounts && isShown && hasCubes(side) ? text("legend.noValues") : "";
		unit.textContent = unitText(side.legend.value?.units);
	});
	return make("div", {}, makeRangeEditor(side, values), make("p", { class: "hint legend-summary" }, summary, unit));
}

/** Whether the browser loads the layer's values and colours them. @param {Side} side */
const hasCubes = (side) => side.layer.peek()?.links?.some(({ rel }) => rel === "cubes") ?? false;

/** @param {string} color */
function makeSwatch(color) {
	const swatch = make("span", { class: "swatch" });
	swatch.style.setProperty("--swatch", cssColour(parseColour(color)));
	return swatch;
}

/** Makes the list of classes; if the browser paints, each can be hidden. @param {Side} side */
function makeClasses(side) {
	const list = make("ul", { class: "legend-classes" });
	const canHide = hasCubes(side);
	live(() => {
		const hidden = side.colouring.peek().hidden ?? [];
		const rows = (side.legend.value?.classes ?? []).map(({ value, color, label }) => {
			if (!canHide) return make("li", {}, makeSwatch(color), make("span", {}, label));
			const box = make("input", { type: "checkbox", checked: !hidden.includes(value) });
			box.addEventListener("change", () => showClass(side, value, box.checked));
			return make("li", {}, make("label", {}, box, makeSwatch(color), make("span", {}, label)));
		});
		list.replaceChildren(...rows);
	});
	return list;
}

/**
 * Colours with their names.
 * @param {Side} side
 * @param {(legend: import("../base/api.js").Legend | null) => { color: string, label: string }[] | undefined}
 *   entriesOf
 * @param {import("../base/elements.js").Attributes} [more]
 */
function makeChips(side, entriesOf, more = {}) {
	const list = make("ul", { class: "legend-chips", ...more });
	live(() => {
		const entries = entriesOf(side.legend.value) ?? [];
		list.replaceChildren(...entries.map(({ color, label }) => make("li", {}, makeSwatch(color), label)));
		list.hidden = entries.length === 0;
	});
	return list;
}

/** Shows the variable of each colour of a composite. @param {Side} side */
const makeColours = (side) => makeChips(side, (legend) => legend?.classes);

/** Numbers that are no values but have a colour and a name. @param {Side} side */
const makeFlags = (side) =>
	makeChips(side, (legend) => legend?.flags?.map(({ name, color }) => ({ color, label: flagText(name) })), {
		"aria-label": text("legend.flags"),
	});

/** @type {Record<Kind, ((side: Side) => HTMLElement)[]>} */
const PARTS = {
	loading: [() => words(text("legend.loading"))],
	failed: [makePalettes, (side) => words(text("legend.failed", { why: side.legendFault.peek() ?? "" }))],
	ramp: [makePalettes, makeScale, makeFlags],
	classes: [makeStyles, makeClasses, makeFlags],
	composite: [makeStyles, makeColours],
	none: [makeStyles, () => words(text("legend.none"))],
};
