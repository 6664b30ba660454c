/** Dialogs: one at a time, over everything, with the focus in them until they close. */

import { makeIcon } from "./icons.js";
import { text } from "./text.js";

let dialogsMade = 0;

/** @typedef {{ element: HTMLDialogElement, close: () => void, whenClosed: Promise<void> }} OpenDialog */

/**
 * Opens a dialog. Escape, its × and `close` close it; then the focus goes back to where it was.
 * @param {string} title its heading, and its name for those who do not see it
 * @param {...(Node | string)} content
 * @returns {OpenDialog}
 */
export function openDialog(title, ...content) {
	const opener = document.activeElement;
	const element = document.createElement("dialog");
	dialogsMade += 1;
	element.className = "dialog";
	element.setAttribute("aria-labelledby", `dialog-title-${dialogsMade}`);
	const body = document.createElement("div");
	body.className = "dialog-body";
	body.append(...content);
	element.append(
		makeHead(title, `dialog-title-${dialogsMade}`, () => element.close()),
		body,
	);
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

/** @param {string} title @param {string} id @param {() => void} close */
function makeHead(title, id, close) {
	const head = document.createElement("div");
	head.className = "dialog-head";
	const heading = document.createElement("h2");
	heading.id = id;
	heading.textContent = title;
	const button = document.createElement("button");
	button.type = "button";
	button.className = "quiet icon";
	button.setAttribute("aria-label", text("action.close"));
	button.append(makeIcon("close"));
	button.addEventListener("click", close);
	head.append(heading, button);
	return head;
}

/** A press that begins and ends beside the dialog closes it; one that slips out of a field does not. @param {HTMLDialogElement} element */
function closeOnBackdrop(element) {
	let isBeside = false;
	element.addEventListener("pointerdown", (event) => {
		isBeside = event.target === element;
	});
	element.addEventListener("click", (event) => {
		if (isBeside && event.target === element) element.close();
	});
}
