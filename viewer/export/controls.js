/** Fields of the export dialog, and what several of its tabs ask: of what part of the map, at which size, with which labels. */

import { boxOf, positionsOf } from "../areas/shapes/geometry.js";
import { areas } from "../areas/store.js";
import { make } from "../base/elements.js";
import { compareMode, destination } from "../base/state.js";
import { text } from "../base/text.js";
import { maps } from "../map/map.js";
import { computed, signal } from "../vendor/signals-core.js";
import { cropAround } from "./page/page-layout.js";
import { wholeRect } from "./page/snapshot.js";

/**
 * @typedef {import("./page/page-layout.js").Rect} Rect
 * @typedef {import("./page/labels.js").LabelChoice} LabelChoice
 * @typedef {import("../base/text.js").TextKey} TextKey
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

/** @param {string} id */
const areaOf = (id) => choosable.peek().find((area) => area.id === id);

/** What is cut out of the map's frame; null while the chosen area is not wholly in sight. @returns {Rect | null} */
export function chosenRect() {
	const area = areaOf(chosenArea.peek());
	const whole = wholeRect();
	if (!area) return whole;
	const [map] = maps.peek();
	const { west, south, east, north } = edgesOf(area.geometry);
	const [one, other] = [
		[north, west],
		[south, east],
	].map(([lat, lng]) => map.latLngToContainerPoint({ lat, lng }));
	return cropAround({ left: one.x, top: one.y, width: other.x - one.x, height: other.y - one.y }, whole);
}

/** @param {import("../base/state.js").Geometry} geometry */
function edgesOf(geometry) {
	const [west, south, east, north] = boxOf(positionsOf(geometry));
	return { west, south, east: east < west ? east + 360 : east, north };
}

/** The chosen area's box in degrees; null for what the map shows. @returns {import("../base/permalink.js").BBox | null} */
export const chosenBox = () => {
	const area = areaOf(chosenArea.peek());
	return area ? boxOf(positionsOf(area.geometry)) : null;
};

/** The chosen area; null for what the map shows. */
export const chosenGeometry = () => areaOf(chosenArea.peek())?.geometry ?? null;

/** Shows the chosen area as a whole. */
function zoomToChosen() {
	const bbox = chosenBox();
	if (bbox) destination.value = { bbox };
}

let fieldsMade = 0;

/** A control under its words. @template {HTMLElement} T @param {string} words @param {T} control @returns {HTMLElement} */
export function makeField(words, control) {
	fieldsMade += 1;
	control.id = `export-field-${fieldsMade}`;
	return make("div", { class: "field" }, make("label", { for: control.id }, words), control);
}

/** @param {{ value: string, words: string, isDisabled?: boolean }[]} options @param {(value: string) => void} choose */
export function makeSelect(options, choose) {
	const select = make("select", {});
	fillSelect(select, options);
	select.addEventListener("change", () => choose(select.value));
	return select;
}

/** Gives a list other choices; what was chosen stays so where it is still there. @param {HTMLSelectElement} select @param {{ value: string, words: string, isDisabled?: boolean }[]} options */
export function fillSelect(select, options) {
	const before = select.value;
	select.replaceChildren(
		...options.map(({ value, words, isDisabled = false }) => make("option", { value, disabled: isDisabled }, words)),
	);
	if (options.some(({ value }) => value === before)) select.value = before;
}

/** @param {string} words @param {boolean} isChecked @param {(isChecked: boolean) => void} choose */
export function makeCheck(words, isChecked, choose) {
	const box = make("input", { type: "checkbox", checked: isChecked });
	box.addEventListener("change", () => choose(box.checked));
	return make("label", { class: "export-check" }, box, words);
}

/** Which part of the map. @param {() => void} changed */
export function makePartField(changed) {
	const all = [
		{ value: "", words: text("export.wholeMap") },
		...choosable.peek().map(({ id, name }) => ({ value: id, words: name })),
	];
	const select = makeSelect(all, (value) => {
		chosenArea.value = value;
		changed();
	});
	select.value = areaOf(chosenArea.peek()) ? chosenArea.peek() : "";
	chosenArea.value = select.value;
	return makeField(text("export.part"), select);
}

/** @type {Record<keyof LabelChoice, TextKey>} */
const LABEL_TEXTS = {
	title: "export.label.title",
	date: "export.label.date",
	legend: "export.label.legend",
	scale: "export.label.scale",
	north: "export.label.north",
};

/** What is written on pictures. */
export function makeLabelFields() {
	const boxes = /** @type {(keyof LabelChoice)[]} */ (Object.keys(LABEL_TEXTS)).map((name) =>
		makeCheck(text(LABEL_TEXTS[name]), labels.peek()[name], (isChecked) => {
			labels.value = { ...labels.peek(), [name]: isChecked };
		}),
	);
	return make("fieldset", { class: "export-labels" }, make("legend", {}, text("export.labels")), ...boxes);
}

/** What there is to say of the chosen area while it is not wholly in sight. */
export function makeOutsideNote() {
	const button = make("button", { type: "button", onclick: zoomToChosen }, text("export.zoomToArea"));
	return make(
		"div",
		{ class: "export-note", role: "status", hidden: true },
		make("p", {}, text("export.areaOutside")),
		button,
	);
}
