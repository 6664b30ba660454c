/** What may be changed of the chart: which value areas have, curves, the normal range, the period. */

import { make, makeWordButton } from "../base/elements.js";
import { layer, places } from "../base/state.js";
import { text } from "../base/text.js";
import { effect, signal } from "../vendor/signals-core.js";
import { CURVES, curve, hasNormal } from "./analysis.js";
import { classesOf, pointOf, reducer, sides } from "./lines.js";
import { LINE_REDUCERS } from "./tables.js";

/** @typedef {import("./scales.js").Range} Range */

/** Whether a downloaded CSV has decimal commas, and semicolons between its cells. */
export const hasDecimalComma = signal(false);
const DAY_S = 86_400;
/** Of fewer days there is only one value for each time of the year. */
const LEAST_NORMAL_DAYS = 400;

/** @param {import("@preact/signals-core").Signal<Range | null>} period @returns {HTMLElement[]} */
export function makeOptions(period) {
	const all = () => {
		period.value = null;
	};
	const reset = makeWordButton("reset", text("chart.allDates"), all, { class: "quiet" });
	effect(() => {
		reset.hidden = period.value === null;
	});
	const normal = makeTick(text("chart.normal"), (isOn) => {
		hasNormal.value = isOn;
	});
	effect(() => {
		normal.box.checked = hasNormal.value;
		normal.field.hidden = daysOf() < LEAST_NORMAL_DAYS || isOfClasses();
	});
	const comma = makeTick(text("chart.decimalComma"), (isOn) => {
		hasDecimalComma.value = isOn;
	});
	const more = make(
		"details",
		{ class: "chart-more" },
		make("summary", {}, text("chart.options")),
		make("div", { class: "chart-more-body" }, makeCurves(), normal.field, makePeriod(period), comma.field),
	);
	closeWhenLeft(more);
	return [makeReducers(), more, reset];
}

const isOfClasses = () => sides.value.every((side) => classesOf(side).length > 0);

/** How many days the layer's dates reach over. */
function daysOf() {
	const { first = null, last = null } = layer.value?.times ?? {};
	return first && last ? (Date.parse(last) - Date.parse(first)) / 1000 / DAY_S : 0;
}

function makeReducers() {
	const choices = LINE_REDUCERS.map((name) => /** @type {[string, string]} */ ([name, reducerText(name)]));
	const { field, list } = makeChoice(text("chart.reducer"), choices, (name) => {
		reducer.value = name;
	});
	effect(() => {
		const name = reducer.value;
		if (![...list.options].some(({ value }) => value === name))
			list.append(make("option", { value: name }, reducerText(name)));
		list.value = name;
		field.hidden = places.value.every(pointOf) || isOfClasses();
	});
	return field;
}

/** @param {string} name of a reducer */
function reducerText(name) {
	const percent = /^p(\d+)$/.exec(name)?.[1];
	if (percent !== undefined) return text("chart.reducers.percentile", { percent: Number(percent) });
	return text(/** @type {import("../base/text.js").TextKey} */ (`chart.reducers.${name}`));
}

function makeCurves() {
	const choices = CURVES.map((name) => {
		const key = /** @type {import("../base/text.js").TextKey} */ (`chart.curve.${name || "none"}`);
		return /** @type {[string, string]} */ ([name, text(key)]);
	});
	const { field, list } = makeChoice(text("chart.curve.label"), choices, (name) => {
		curve.value = name;
	});
	effect(() => {
		list.value = curve.value;
		field.hidden = isOfClasses();
	});
	return field;
}

/** Two dates to be typed, for those who do not drag over the chart. @param {import("@preact/signals-core").Signal<Range | null>} period */
function makePeriod(period) {
	const from = make("input", { type: "date", "aria-label": text("chart.from") });
	const to = make("input", { type: "date", "aria-label": text("chart.to") });
	const take = () => {
		const ends = [from, to].map(({ value }) => Date.parse(value) / 1000);
		const isBackward = ends[0] > ends[1];
		to.setCustomValidity(isBackward ? text("chart.periodBackward") : "");
		to.reportValidity();
		if (!isBackward && ends.every((end) => !Number.isNaN(end))) period.value = [ends[0], ends[1] + DAY_S - 1];
	};
	for (const field of [from, to]) field.addEventListener("change", take);
	const day = (/** @type {number} */ second) => new Date(second * 1000).toISOString().slice(0, 10);
	effect(() => {
		const { first = null, last = null } = layer.value?.times ?? {};
		const [start, end] = period.value ?? [];
		from.value = start === undefined ? (first?.slice(0, 10) ?? "") : day(start);
		to.value = end === undefined ? (last?.slice(0, 10) ?? "") : day(end);
	});
	return make("div", { class: "chart-period", role: "group", "aria-label": text("chart.period") }, from, "–", to);
}

/** A press beside it closes it, and Escape, which leaves the focus on what opens it. @param {HTMLDetailsElement} more */
function closeWhenLeft(more) {
	document.addEventListener("pointerdown", ({ target }) => {
		if (target instanceof Node && !more.contains(target)) more.open = false;
	});
	more.addEventListener("keydown", (event) => {
		if (event.key !== "Escape" || !more.open) return;
		event.stopPropagation();
		more.open = false;
		more.querySelector("summary")?.focus();
	});
}

/** A list of choices with its label before it. @param {string} label @param {[value: string, words: string][]} choices @param {(value: string) => void} choose */
function makeChoice(label, choices, choose) {
	const list = make("select", { onchange: () => choose(list.value) });
	for (const [value, words] of choices) list.append(make("option", { value }, words));
	return { field: make("label", { class: "chart-field" }, make("span", {}, label), list), list };
}

/** A box to tick with its label after it. @param {string} label @param {(isOn: boolean) => void} choose */
function makeTick(label, choose) {
	const box = make("input", { type: "checkbox", onchange: () => choose(box.checked) });
	return { field: make("label", { class: "chart-tick" }, box, make("span", {}, label)), box };
}
