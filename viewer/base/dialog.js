/** Dialogs: one at a time, above the page, with the focus inside until they close. */

import { make, makeIconButton } from "./elements.js";
import { text } from "./text.js";

/** @typedef {{ element: HTMLDialogElement, close: () => void, whenClosed: Promise<void> }} OpenDialog */

/**
 * Opens a dialog. Escape, its × and `close` close it; the focus then returns to its previous element.
 * @param {string} title its heading and accessible name
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
 * Closes a dialog by a press that starts and ends outside it; a press that leaves a field by accident does not.
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
