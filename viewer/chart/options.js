/** What may be changed of the chart: which value areas have, curves, the usual range, the period. */

import { makeDateField } from "../base/date-field.js";
import { parseSpan } from "../base/dates.js";
import { make, makeWordButton } from "../base/elements.js";
import { layer, places } from "../base/state.js";
import { text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { chosen, daysOf, shownSpan, showSpan } from "../time/strip/axis.js";
import { effect } from "../vendor/signals-core.js";
import { CURVES, curve, hasNormal } from "./series/analysis.js";
import { classesOf, pointOf, reducer, sides } from "./series/lines.js";
import { LINE_REDUCERS } from "./series/tables.js";

const DAY_S = 86_400;
/** Of fewer days there is only one value for each time of the year. */
const LEAST_NORMAL_DAYS = 400;

/** @param {HTMLElement} host of what opens @returns {HTMLElement[]} */
export function makeOptions(host) {
	const reset = makeWordButton("reset", text("chart.allDates"), () => showSpan(null), { class: "quiet" });
	effect(() => {
		reset.hidden = chosen.value === null;
	});
	const box = make("input", {
		type: "checkbox",
		onchange: () => {
			hasNormal.value = box.checked;
		},
	});
	const normal = make("label", { class: "chart-tick" }, box, make("span", {}, text("chart.normal")));
	effect(() => {
		box.checked = hasNormal.value;
		normal.hidden = countDays() < LEAST_NORMAL_DAYS || isOfClasses();
	});
	const label = text("chart.options");
	const how = { type: "button", class: "quiet", "aria-haspopup": "dialog", "aria-expanded": "false" };
	const button = make("button", how, label);
	const popover = makePopover("chart-curves", { label, host });
	popover.element.append(makeCurves(), normal, makePeriod());
	toggleBy(button, popover);
	return [makeReducers(), button, reset];
}

const isOfClasses = () => sides.value.every((side) => classesOf(side).length > 0);

/** How many days the layer's dates reach over. */
function countDays() {
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
		curve.value = CURVES.find((each) => each === name) ?? "";
	});
	effect(() => {
		list.value = curve.value;
		field.hidden = isOfClasses();
	});
	return field;
}

/** Two dates to be typed, for those who do not drag over the chart. */
function makePeriod() {
	const take = () => {
		const [start, end] = [from, to].map(({ date }) => parseSpan(date()));
		const isBackward = start !== null && end !== null && start.start >= end.end;
		to.field.setCustomValidity(isBackward ? text("chart.periodBackward") : "");
		to.field.reportValidity();
		if (start && end && !isBackward) showSpan([start.start, end.end]);
	};
	const from = makeDateField({ "aria-label": text("chart.from") }, take);
	const to = makeDateField({ "aria-label": text("chart.to") }, take);
	effect(() => {
		const { first = null, last = null } = layer.value?.times ?? {};
		const ends = chosen.value && shownSpan.value ? daysOf(shownSpan.value) : [first ?? "", last ?? ""];
		for (const [at, { show }] of [from, to].entries()) show(ends[at].slice(0, 10));
	});
	const label = { class: "chart-period", role: "group", "aria-label": text("chart.period") };
	return make("div", label, from.field, "–", to.field);
}

/** A list of choices with its label before it. @param {string} label @param {[value: string, words: string][]} choices @param {(value: string) => void} choose */
function makeChoice(label, choices, choose) {
	const list = make("select", { onchange: () => choose(list.value) });
	for (const [value, words] of choices) list.append(make("option", { value }, words));
	return { field: make("label", { class: "chart-field" }, make("span", {}, label), list), list };
}
