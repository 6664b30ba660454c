/** Files that the user is given. */

import { fetchRefusal } from "./api.js";
import { make } from "./elements.js";

/** @param {Blob} file @param {string} name */
export function saveFile(file, name) {
	const address = URL.createObjectURL(file);
	saveFrom(address, name);
	// Browsers begin to read it at once; a minute is for those that ask where to put it.
	window.setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * Lets the browser fetch a file of the server.
 * @param {string} address
 * @param {string} [name] where the server gives none
 */
function saveFrom(address, name = "") {
	const link = make("a", { href: address, download: name });
	document.body.append(link);
	link.click();
	link.remove();
}

/**
 * Lets the browser fetch a file of the server, or says why the server gives none.
 * @param {string} address
 * @param {HTMLElement} fault where it is said
 * @param {AbortSignal} signal
 */
export async function saveUnlessRefused(address, fault, signal) {
	const why = await fetchRefusal(address, signal);
	if (signal.aborted) return;
	fault.hidden = why === null;
	fault.textContent = why?.message ?? "";
	if (why === null) saveFrom(address);
}

/**
 * Lets the user choose files.
 * @param {import("./elements.js").Attributes} attributes of the field
 * @param {(files: File[]) => unknown} take
 */
export function chooseFiles(attributes, take) {
	const field = make("input", { type: "file", ...attributes, onchange: () => take([...(field.files ?? [])]) });
	field.click();
}

/** @param {string} table @param {string} name */
export function saveTable(table, name) {
	// Spreadsheets read text as UTF-8 only with a byte order mark.
	saveFile(new Blob([`\ufeff${table}`], { type: "text/csv" }), name);
}

/** @param {SVGElement} svg */
export const fileOfDrawing = (svg) => new Blob([new XMLSerializer().serializeToString(svg)], { type: "image/svg+xml" });

/**
 * Saves a drawing as PNG.
 * @param {SVGElement} svg
 * @param {string} name
 * @param {number} scale pixels of the file in one of the drawing
 */
export async function saveDrawing(svg, name, scale) {
	const image = new Image();
	image.src = URL.createObjectURL(fileOfDrawing(svg));
	await image.decode();
	URL.revokeObjectURL(image.src);
	const [width, height] = [image.width, image.height].map((each) => Math.round(each * scale));
	const canvas = Object.assign(document.createElement("canvas"), { width, height });
	canvas.getContext("2d")?.drawImage(image, 0, 0, width, height);
	canvas.toBlob((file) => file && saveFile(file, name), "image/png");
}
