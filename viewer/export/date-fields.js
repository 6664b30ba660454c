/** Two fields of days, from and to. */
import { makeDateField } from "../base/date-field.js";
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
