/**
 * A field for a date, written as the language of the page does: the browser's own are written as its own language does.
 */
import { formatNamed, formatShortDate, parseTyped } from "./dates.js";
import { make } from "./elements.js";
import { locale, text } from "./text.js";

/** Attributes of a field that a date is typed into. */
export const DATE_FIELD = { type: "text", autocomplete: "off", spellcheck: "false" };

/** @param {string} date as links have it */
const write = (date) =>
	date.length > 7 ? formatShortDate(Date.parse(date), locale()) : (formatNamed(date, locale()) ?? "");

/**
 * @param {import("./elements.js").Attributes} attributes
 * @param {(date: string) => void} changed called with a day, a month or a year as in links, or with an empty text; an
 *   invalid date is only reported in the field
 */
export function makeDateField(attributes, changed) {
	let date = "";
	const field = make("input", { ...DATE_FIELD, ...attributes });
	const show = (/** @type {string} */ next) => {
		date = next;
		field.value = write(next);
		field.setCustomValidity("");
	};
	field.addEventListener("change", () => {
		const typed = field.value.trim();
		const next = typed === "" ? "" : parseTyped(typed, locale());
		field.setCustomValidity(next === null ? text("calendar.notADate") : "");
		field.reportValidity();
		if (next === null) return;
		show(next);
		changed(next);
	});
	return { field, show, date: () => date };
}
