/** Dialogs: one at a time, over everything, with the focus in them until they close. */

import { make, makeIconButton } from "./elements.js";
import { text } from "./text.js";

/** @typedef {{ element: HTMLDialogElement, close: () => void, whenClosed: Promise<void> }} OpenDialog */

/**
 * Opens a dialog. Escape, its × and `close` close it; then the focus goes back to where it was.
 * @param {string} title its heading, and its name for those who do not see it
 * @param {...(Node | string)} content
 * @returns {OpenDialog}
 */
export function openDialog(title, ...content) {
	const opener = document.activeElement;
	const close = makeIconButton("close", text("action.close"), () => element.close());
	const head = make("div", { class: "dialog-head" }, make("h2", {}, title), close);
	const body = make("div", { class: "dialog-body" }, ...content);
	const element = make("dialog", { class: "dialog", "aria-label": title }, head, body);
	/** @type {Promise<void>} */
	const whenClosed = new Promise((resolve) => {
		element.addEventListener("close", () => {
			element.remove();
			if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
			resolve();
		});
	});
	closeOnBackdrop(element);
	document.getElementById("dialogs")?.append(element);
	element.showModal();
	return { element, close: () => element.close(), whenClosed };
}

/**
 * A press that begins and ends beside the dialog closes it; one that slips out of a field does not.
 * @param {HTMLDialogElement} element
 */
function closeOnBackdrop(element) {
	let isBeside = false;
	element.addEventListener("pointerdown", (event) => {
		isBeside = event.target === element;
	});
	element.addEventListener("click", (event) => {
		if (isBeside && event.target === element) element.close();
	});
}
