/** Numbers as a table of the page. */
import { make } from "../../base/elements.js";

/** @param {string[]} head @param {string[][]} rows the first cell of each is its name @param {string} caption */
export function makeTable(head, rows, caption) {
	const body = rows.map(([name, ...cells]) =>
		make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((words) => make("td", {}, words))),
	);
	return make(
		"table",
		{},
		make("caption", {}, caption),
		make("thead", {}, make("tr", {}, ...head.map((words) => make("th", { scope: "col" }, words)))),
		make("tbody", {}, ...body),
	);
}
