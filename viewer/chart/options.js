/** Options of the chart: the statistic of areas, curves, the usual range, the period. */

import { makeDateField } from "../base/date-field.js";
import { DAY_MS, parseSpan } from "../base/dates.js";
import { make, makeWordButton } from "../base/elements.js";
import { bind } from "../base/live.js";
import { layer, places } from "../base/state.js";
import { text } from "../base/text.js";
import { makePopover, toggleBy } from "../time/popover.js";
import { chosen, daysOf, shownSpan, showSpan } from "../time/strip/axis.js";
import { effect } from "../vendor/signals-core.js";
import { CURVES, curve, hasNormal } from "./series/analysis.js";
import { makeChoice, makeTick } from "./series/fields.js";
import { reducerText } from "./series/line-labels.js";
import { classesOf, pointOf, reducer, sides } from "./series/lines.js";
import { LINE_REDUCERS } from "./series/tables.js";

/** With fewer days there is only one value for each time of the year. */
const LEAST_NORMAL_DAYS = 400;

/** @param {HTMLElement} host parent of popovers @returns {HTMLElement[]} */
export function makeOptions(host) {
	const reset = makeWordButton("reset", text("chart.allDates"), () => showSpan(null), { class: "quiet" });
	bind(reset, () => ({ hidden: chosen.value === null }));
	const normal = makeTick(text("chart.normal"), hasNormal);
	bind(normal, () => ({ hidden: countDays() < LEAST_NORMAL_DAYS || isOfClasses() }));
	const label = text("chart.options");
	const how = { class: "quiet", "aria-haspopup": "dialog", "aria-expanded": "false" };
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
	return first && last ? (Date.parse(last) - Date.parse(first)) / DAY_MS : 0;
}

function makeReducers() {
	const { field, list } = makeChoice(text("chart.reducer"), LINE_REDUCERS, reducerText, (name) => {
		reducer.value = name;
	});
	effect(() => {
		const name = reducer.value;
		if (![...list.options].some(({ value }) => value === name)) list.append(new Option(reducerText(name), name));
		list.value = name;
		field.hidden = places.value.every(pointOf) || isOfClasses();
	});
	return field;
}

function makeCurves() {
	const nameOf = (/** @type {string} */ name) =>
		text(/** @type {import("../base/text.js").TextKey} */ (`chart.curve.${name || "none"}`));
	const { field, list } = makeChoice(text("chart.curve.label"), CURVES, nameOf, (name) => {
		curve.value = CURVES.find((each) => each === name) ?? "";
	});
	bind(list, () => ({ value: curve.value }));
	bind(field, () => ({ hidden: isOfClasses() }));
	return field;
}

/** Returns fields for the first and last date, as an alternative to dragging over the chart. */
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
