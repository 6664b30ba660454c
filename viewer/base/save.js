/** Files that the user is given. */

import { make } from "./elements.js";

/** @param {Blob} file @param {string} name */
export function saveFile(file, name) {
	const address = URL.createObjectURL(file);
	saveFrom(address, name);
	// Browsers begin to read it at once; a minute is for those that ask where to put it.
	window.setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Lets the browser fetch a file of the server. @param {string} address @param {string} [name] where the server gives none */
export function saveFrom(address, name = "") {
	const link = make("a", { href: address, download: name });
	document.body.append(link);
	link.click();
	link.remove();
}

/** @param {string} table @param {string} name */
export function saveTable(table, name) {
	// Spreadsheets take text for UTF-8 only when it says so.
	saveFile(new Blob([`\ufeff${table}`], { type: "text/csv" }), name);
}
