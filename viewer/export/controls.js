/**
 * Fields that several tabs of the export dialog share: part of the map, size, labels.
 */

import { boxOf, positionsOf } from "../areas/shapes/geometry.js";
import { areas } from "../areas/store.js";
import { makeDateField } from "../base/date-field.js";
import { make, makeButton, makeField, makeSelect } from "../base/elements.js";
import { compareMode, moveMap } from "../base/state.js";
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

/** Id of the area to which the picture is cropped; empty for the whole map. */
export const chosenArea = signal("");
export const labels = signal(
	/** @type {LabelChoice} */ ({ title: true, date: true, legend: true, scale: true, north: true }),
);

/** The polygons to which pictures can be cropped: none if two maps are shown. */
const choosable = computed(() =>
	compareMode.value === "side" ? [] : areas.value.filter(({ geometry }) => geometry.type !== "Point"),
);

/** Returns the crop of the map's frame; null if the chosen area is not entirely visible. @returns {Rect | null} */
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
 * Returns the bbox of the chosen area in degrees; null for the whole map.
 * @returns {import("../base/permalink.js").BBox | null}
 */
export function chosenBox() {
	const geometry = chosenGeometry();
	return geometry && boxOf(positionsOf(geometry));
}

/** Returns the geometry of the chosen area; null for the whole map. */
export const chosenGeometry = () => choosable.peek().find(({ id }) => id === chosenArea.peek())?.geometry ?? null;

/** Shows the chosen area as a whole. */
function zoomToChosen() {
	const bbox = chosenBox();
	if (bbox) moveMap({ bbox });
}

/** @param {string} words @param {boolean} isChecked @param {(isChecked: boolean) => void} choose */
export function makeCheck(words, isChecked, choose) {
	const box = make("input", { type: "checkbox", checked: isChecked, onchange: () => choose(box.checked) });
	return make("label", { class: "export-check" }, box, words);
}

/** Makes the field for the part of the map. @param {() => void} changed */
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
 * Makes the field for pixels of the file per pixel of the screen; one at first.
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

/** Makes the fields for labels of pictures. */
export function makeLabelFields() {
	const boxes = /** @type {(keyof LabelChoice)[]} */ (Object.keys(labels.peek())).map((name) =>
		makeCheck(text(`export.label.${name}`), labels.peek()[name], (isChecked) => {
			labels.value = { ...labels.peek(), [name]: isChecked };
		}),
	);
	return make("fieldset", { class: "export-labels" }, make("legend", {}, text("export.labels")), ...boxes);
}

/** Makes the note for a chosen area that is not entirely visible. */
export function makeOutsideNote() {
	const words = make("p", {}, text("export.areaOutside"));
	const button = makeButton(text("export.zoomToArea"), zoomToChosen);
	return make("div", { class: "export-note", role: "status", hidden: true }, words, button);
}

/**
 * Makes two fields for days, from and to.
 * @param {import("../base/dates.js").Instant[]} instants
 * @param {import("../time/frames.js").Range} range initial value
 * @param {() => void} changed
 * @returns {{ element: HTMLElement, from: () => string | undefined, to: () => string | undefined }} days, undefined
 *   if empty
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
