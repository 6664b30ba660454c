/** Numbers as a table of the page. */
import { make } from "../../base/elements.js";

/** @typedef {string | Node | (string | Node)[]} Content of a cell */

/** @param {string[]} words headings of the columns */
export const makeHead = (words) => make("tr", {}, ...words.map((each) => make("th", { scope: "col" }, each)));

/**
 * @param {Content[]} cells the first is the name of the row
 * @param {import("../../base/elements.js").Attributes} [attributes]
 */
export const makeRow = ([name, ...cells], attributes = {}) =>
	make(
		"tr",
		attributes,
		make("th", { scope: "row" }, ...[name].flat()),
		...cells.map((content) => make("td", {}, ...[content].flat())),
	);

/** @param {string[]} head @param {HTMLElement[]} rows @param {string} caption */
export const makeTable = (head, rows, caption) =>
	make("table", {}, make("caption", {}, caption), make("thead", {}, makeHead(head)), make("tbody", {}, ...rows));
