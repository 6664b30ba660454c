/** Options of the years, and messages about them. */

import { make } from "../../base/elements.js";
import { bind } from "../../base/live.js";
import { locale, text } from "../../base/text.js";
import { effect } from "../../vendor/signals-core.js";
import { makeChoice, makeTick } from "../series/fields.js";
import { lineName } from "../series/line-labels.js";

/** @typedef {import("./year-state.js").Years} Years */

const SHOWS = /** @type {const} */ (["value", "anomaly", "cumulative", "dekads"]);

/** @param {number | string} month 1 to 12 */
const monthName = (month) =>
	new Intl.DateTimeFormat(locale(), { month: "long", timeZone: "UTC" }).format(Date.UTC(2000, Number(month) - 1));

/** @param {Years} years */
export function makeControls({ show, ownMonth, isFit, chosen, all, line, month, usualMonth }) {
	const buttons = SHOWS.map((each) => {
		const onclick = () => {
			show.value = each;
		};
		const button = make("button", { "data-show": each, onclick }, text(`years.${each}`));
		effect(() => button.setAttribute("aria-pressed", String(show.value === each)));
		return button;
	});
	const place = makeChoice(text("chart.place"), [], String, (key) => (chosen.value = key));
	const months = Array.from({ length: 12 }, (_, index) => String(index + 1));
	const first = makeChoice(text("years.from"), months, monthName, (month) => {
		ownMonth.value = Number(month) === usualMonth.peek() ? null : Number(month);
	});
	first.list.title = text("years.fromMonth");
	const fit = makeTick(text("years.fit"), isFit, text("years.fitHint"));
	effect(() => {
		place.list.replaceChildren(...all.value.map((each) => new Option(lineName(each), each.key)));
		place.list.value = line.value?.key ?? "";
		place.field.hidden = all.value.length < 2;
	});
	bind(first.list, () => ({ value: String(month.value) }));
	bind(fit, () => ({ hidden: show.value === "dekads" || show.value === "cumulative" }));
	const group = make("div", { class: "joined", role: "group", "aria-label": text("years.show") }, ...buttons);
	return make("div", { class: "years-controls" }, group, place.field, first.field, fit);
}

/** Returns the message about the years, or the reason why there are none. @param {Years} years */
export function messageOf({ all, answer, usualMonth, ownMonth, month, show, model }) {
	const { phase, error } = answer.value ?? {};
	if (all.value.length === 0) return text("years.nothing");
	if (phase === "loading") return text("chart.analysing");
	if (error) return text("chart.analysisFailed", { why: error.message });
	const isSouthern = usualMonth.value !== 1 && ownMonth.value === null;
	const parts = [
		isSouthern && text("years.southern", { month: monthName(month.value) }),
		show.value === "cumulative" && text("years.sumHint"),
		model.value?.hasMeans && text("years.dayMeans"),
		model.value?.seasons.length === 0 && text("years.noSeasons"),
		model.value?.usual && `${text("years.usualBand")}. ${text("years.usualMedian")}.`,
	];
	return parts.filter((words) => words).join(" ");
}
