/** Two fields of days, from and to. */
import { make } from "../base/elements.js";
import { text } from "../base/text.js";
import { makeField } from "./controls.js";

/**
 * @param {import("../base/dates.js").Instant[]} instants @param {import("../time/frames.js").Range} range chosen at first
 * @param {() => void} changed
 * @returns {{ element: HTMLElement, from: () => string | undefined, to: () => string | undefined }} days, undefined where none is given
 */
export function makeDates(instants, range, changed) {
	const days = instants.map((each) => each.text.slice(0, 10));
	const last = instants.at(-1);
	const lastDay = last ? new Date(last.end - 1).toISOString().slice(0, 10) : "";
	const makeDay = (/** @type {number} */ index) => {
		const field = make("input", { type: "date", min: days[0] ?? "", max: lastDay });
		field.value = days[index] ?? "";
		field.addEventListener("change", changed);
		return field;
	};
	const [from, to] = [makeDay(range.first), makeDay(range.last)];
	const element = make(
		"div",
		{ class: "export-pair" },
		makeField(text("export.from"), from),
		makeField(text("export.to"), to),
	);
	return { element, from: () => from.value || undefined, to: () => to.value || undefined };
}
