/** Files that the user is given. */

import { fetchRefusal } from "./api.js";
import { make } from "./elements.js";

/** @param {Blob} file @param {string} name */
export function saveFile(file, name) {
	const address = URL.createObjectURL(file);
	saveFrom(address, name);
	// Browsers read it immediately, unless they ask for a folder; a minute is enough for that.
	window.setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/**
 * Downloads a file of the server.
 * @param {string} address
 * @param {string} [name] if the server provides none
 */
function saveFrom(address, name = "") {
	const link = make("a", { href: address, download: name });
	document.body.append(link);
	link.click();
	link.remove();
}

/**
 * Downloads a file of the server, or shows the reason why the server refuses it.
 * @param {string} address
 * @param {HTMLElement} fault element for the reason
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
 * @param {number} scale pixels of the file per unit of the drawing
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
