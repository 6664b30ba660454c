/** Edits a name in place. */
import { make } from "./elements.js";

const MAX_NAME = 80;

/**
 * Replaces a name by a field; Enter and leaving the field accept the new name, Escape does not.
 * @param {HTMLElement} shown @param {string} name @param {import("./elements.js").Attributes} attributes of the field
 * @param {(name: string | null, isByKey: boolean) => void} done null if it was not accepted
 */
export function editName(shown, name, attributes, done) {
	const field = make("input", { type: "text", maxlength: MAX_NAME, ...attributes });
	field.value = name;
	let isOpen = true;
	const close = (/** @type {string | null} */ taken, isByKey = false) => {
		if (!isOpen) return;
		isOpen = false;
		field.replaceWith(shown);
		done(taken, isByKey);
	};
	field.addEventListener("keydown", (event) => {
		if (event.key !== "Enter" && event.key !== "Escape") return;
		// Or else the button that gets the focus would be pressed by the same key.
		event.preventDefault();
		event.stopPropagation();
		close(event.key === "Enter" ? field.value.trim() : null, true);
	});
	field.addEventListener("blur", () => close(field.value.trim()));
	shown.replaceWith(field);
	field.focus();
	field.select();
}
