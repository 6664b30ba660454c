/**
 * Fields of the export dialog, and what several of its tabs ask: of what part of the map, at which size, with which
 * labels.
 */

import { boxOf, positionsOf } from "../areas/shapes/geometry.js";
import { areas } from "../areas/store.js";
import { makeDateField } from "../base/date-field.js";
import { make, makeButton, makeField, makeSelect } from "../base/elements.js";
import { compareMode, destination } from "../base/state.js";
import { text } from "../base/text.js";
import { toBox } from "../map/extent.js";
import { maps } from "../map/map.js";
import { computed, signal } from "../vendor/signals-core.js";
import { cropAround } from "./page/page-layout.js";
import { wholeRect } from "./page/snapshot.js";

/**
 * @typedef {import("./page/page-layout.js").Rect} Rect
 * @typedef {import("./page/labels.js").LabelChoice} LabelChoice
 */

/** Id of the area that is cut out; nothing for all that the map shows. */
export const chosenArea = signal("");
export const labels = signal(
	/** @type {LabelChoice} */ ({ title: true, date: true, legend: true, scale: true, north: true }),
);

/** The polygons that may be cut out: in two maps beside one another, none. */
const choosable = computed(() =>
	compareMode.value === "side" ? [] : areas.value.filter(({ geometry }) => geometry.type !== "Point"),
);

/** What is cut out of the map's frame; null while the chosen area is not wholly in sight. @returns {Rect | null} */
export function chosenRect() {
	const bbox = chosenBox();
	const whole = wholeRect();
	if (!bbox) return whole;
	const [map] = maps.peek();
	const { west, south, east, north } = toBox(bbox);
	const one = map.latLngToContainerPoint({ lat: north, lng: west });
	const other = map.latLngToContainerPoint({ lat: south, lng: east });
	return cropAround({ left: one.x, top: one.y, width: other.x - one.x, height: other.y - one.y }, whole);
}

/**
 * The chosen area's box in degrees; null for what the map shows.
 * @returns {import("../base/permalink.js").BBox | null}
 */
export function chosenBox() {
	const geometry = chosenGeometry();
	return geometry && boxOf(positionsOf(geometry));
}

/** The chosen area; null for what the map shows. */
export const chosenGeometry = () => choosable.peek().find(({ id }) => id === chosenArea.peek())?.geometry ?? null;

/** Shows the chosen area as a whole. */
function zoomToChosen() {
	const bbox = chosenBox();
	if (bbox) destination.value = { bbox };
}

/** @param {string} words @param {boolean} isChecked @param {(isChecked: boolean) => void} choose */
export function makeCheck(words, isChecked, choose) {
	const box = make("input", { type: "checkbox", checked: isChecked, onchange: () => choose(box.checked) });
	return make("label", { class: "export-check" }, box, words);
}

/** Which part of the map. @param {() => void} changed */
export function makePartField(changed) {
	const some = choosable.peek().map(({ id, name }) => /** @type {const} */ ([id, name]));
	const select = makeSelect([["", text("export.wholeMap")], ...some], (value) => {
		chosenArea.value = value;
		changed();
	});
	if (chosenGeometry()) select.value = chosenArea.peek();
	chosenArea.value = select.value;
	return makeField(text("export.part"), select);
}

/** @type {Record<number, import("../base/text.js").TextKey>} */
const SIZE_TEXTS = { 0.5: "export.size.half", 1: "export.size.screen", 2: "export.size.double" };

/**
 * How many pixels of a file are one of the screen; one at first.
 * @param {number[]} scales
 * @param {(scale: number) => void} choose
 */
export function makeSizeField(scales, choose) {
	/** @type {import("../base/elements.js").Choice[]} */
	const sizes = scales.map((scale) => [String(scale), text(SIZE_TEXTS[scale])]);
	const select = makeSelect(sizes, (value) => choose(Number(value)));
	select.value = "1";
	return makeField(text("export.size"), select);
}

/** What is written on pictures. */
export function makeLabelFields() {
	const boxes = /** @type {(keyof LabelChoice)[]} */ (Object.keys(labels.peek())).map((name) =>
		makeCheck(text(`export.label.${name}`), labels.peek()[name], (isChecked) => {
			labels.value = { ...labels.peek(), [name]: isChecked };
		}),
	);
	return make("fieldset", { class: "export-labels" }, make("legend", {}, text("export.labels")), ...boxes);
}

/** What there is to say of the chosen area while it is not wholly in sight. */
export function makeOutsideNote() {
	const words = make("p", {}, text("export.areaOutside"));
	const button = makeButton(text("export.zoomToArea"), zoomToChosen);
	return make("div", { class: "export-note", role: "status", hidden: true }, words, button);
}

/**
 * Two fields of days, from and to.
 * @param {import("../base/dates.js").Instant[]} instants
 * @param {import("../time/frames.js").Range} range chosen at first
 * @param {() => void} changed
 * @returns {{ element: HTMLElement, from: () => string | undefined, to: () => string | undefined }} days, undefined
 *   where none is given
 */
export function makeDates(instants, range, changed) {
	const days = instants.map((each) => each.text.slice(0, 10));
	const [from, to] = [range.first, range.last].map((index) => {
		const day = makeDateField({}, changed);
		day.show(days[index] ?? "");
		return day;
	});
	const element = make(
		"div",
		{ class: "export-pair" },
		makeField(text("export.from"), from.field),
		makeField(text("export.to"), to.field),
	);
	return { element, from: () => from.date() || undefined, to: () => to.date() || undefined };
}
