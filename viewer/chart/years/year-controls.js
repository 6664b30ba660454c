/** What is chosen of the years, and what is to be known of what is shown. */
import { make } from "../../base/elements.js";
import { locale, text } from "../../base/text.js";
import { effect } from "../../vendor/signals-core.js";
import { lineName } from "../series/line-labels.js";

/** @typedef {import("./year-state.js").Years} Years */

const SHOWS = /** @type {const} */ (["value", "anomaly", "cumulative", "dekads"]);

/** @param {number} month 1 to 12 */
const monthName = (month) =>
	new Intl.DateTimeFormat(locale(), { month: "long", timeZone: "UTC" }).format(Date.UTC(2000, month - 1));

/** @param {string} label @param {HTMLElement} list */
const field = (label, list) => make("label", { class: "chart-field" }, make("span", {}, label), list);

/** @param {Years} years */
export function makeControls({ show, ownMonth, isFit, chosen, all, line, month, usualMonth }) {
	const buttons = SHOWS.map((each) => {
		const onclick = () => {
			show.value = each;
		};
		const button = make("button", { type: "button", "data-show": each, onclick }, text(`years.${each}`));
		effect(() => button.setAttribute("aria-pressed", String(show.value === each)));
		return button;
	});
	const place = make("select", { onchange: () => (chosen.value = place.value) });
	const ofPlace = field(text("chart.place"), place);
	const takeMonth = () => (ownMonth.value = Number(first.value) === usualMonth.peek() ? null : Number(first.value));
	const first = make("select", { title: text("years.fromMonth"), onchange: takeMonth });
	first.append(...Array.from({ length: 12 }, (_, index) => new Option(monthName(index + 1), String(index + 1))));
	const box = make("input", { type: "checkbox", onchange: () => (isFit.value = box.checked) });
	const fit = make(
		"label",
		{ class: "chart-tick", title: text("years.fitHint") },
		box,
		make("span", {}, text("years.fit")),
	);
	effect(() => {
		place.replaceChildren(...all.value.map((each) => new Option(lineName(each), each.key)));
		place.value = line.value?.key ?? "";
		ofPlace.hidden = all.value.length < 2;
	});
	effect(() => {
		first.value = String(month.value);
		box.checked = isFit.value;
		fit.hidden = show.value === "dekads" || show.value === "cumulative";
	});
	const group = make("div", { class: "joined", role: "group", "aria-label": text("years.show") }, ...buttons);
	return make("div", { class: "years-controls" }, group, ofPlace, field(text("years.from"), first), fit);
}

/** What is to be known of what is shown, or why nothing is. @param {Years} years */
export function messageOf({ all, answer, usualMonth, ownMonth, month, show, model }) {
	const { phase, error } = answer.value ?? {};
	if (all.value.length === 0) return text("years.nothing");
	if (phase === "loading") return text("chart.analysing");
	if (error) return text("chart.analysisFailed", { why: error.message });
	const isSouthern = usualMonth.value !== 1 && ownMonth.value === null;
	const parts = [
		isSouthern && text("years.southern", { month: monthName(month.value) }),
		show.value === "cumulative" && text("years.sumHint"),
		model.value?.seasons.length === 0 && text("years.noSeasons"),
	];
	return parts.filter((words) => words).join(" ");
}
