/**
 * The numbers of the chart as a table: a row per date, a column per place, for areas with the number of cells with a
 * value.
 */

import { formatDate, indexOfMoment } from "../base/dates.js";
import { make } from "../base/elements.js";
import { chooseTime, instant, timeDomain } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { effect, signal } from "../vendor/signals-core.js";
import { makeHead, makeRow } from "./series/html-table.js";
import { lineName, valueText } from "./series/line-labels.js";
import { pointOf, reducer } from "./series/lines.js";
import { joinTimes } from "./series/tables.js";

/** @typedef {import("./plot-content.js").Drawn} Line */

/** Number of rows at first, in addition to those up to the date of the map; more on request. */
const PAGE_ROWS = 250;

/**
 * @param {HTMLElement} root
 * @param {import("@preact/signals-core").ReadonlySignal<Line[]>} lines that are shown
 * @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen
 */
export function startTable(root, lines, isOpen) {
	const shownRows = signal(PAGE_ROWS);
	const head = make("thead");
	const body = make("tbody");
	const more = make("button", { onclick: () => (shownRows.value += 4 * PAGE_ROWS) });
	root.append(make("table", {}, make("caption", { class: "unseen" }, text("chart.tableLabel")), head, body), more);
	// Scrollable elements must be reachable by keyboard.
	root.tabIndex = 0;
	effect(() => {
		if (!isOpen.value) return;
		const drawn = lines.value;
		const dates = datesOf(drawn);
		const now = instant.peek()?.text;
		const shown = Math.max(shownRows.value, dates.findIndex(({ time }) => time === now) + 1);
		head.replaceChildren(headRow(drawn));
		body.replaceChildren(...dates.slice(0, shown).map((date) => bodyRow(date, drawn)));
		more.hidden = dates.length <= shown;
		more.textContent = text("chart.moreRows", { count: dates.length - shown });
		markDate(body, now);
	});
	effect(() => {
		const shown = instant.value?.text;
		if (isOpen.value) markDate(body, shown);
	});
}

/** @typedef {{ time: string | null, indexes: number[] }} DatedRow index of the date in each line; -1 if it has none */

/** @param {Line[]} drawn @returns {DatedRow[]} */
function datesOf(drawn) {
	const lists = drawn.map(({ table }) => table.times);
	const { seconds, places } = joinTimes(lists);
	if (seconds.length === 0) return drawn.length > 0 ? [{ time: null, indexes: drawn.map(() => 0) }] : [];
	const rows = seconds.map(() => ({ time: /** @type {string | null} */ (null), indexes: drawn.map(() => -1) }));
	for (const [line, at] of places.entries()) {
		for (const [index, row] of at.entries()) {
			if (row < 0) continue;
			rows[row].indexes[line] = index;
			rows[row].time = lists[line][index];
		}
	}
	return rows;
}

/** @param {Line[]} drawn */
function headRow(drawn) {
	const places = drawn.flatMap((line) => {
		const units = unitText(line.layer.units);
		const value = `${lineName(line)}${units ? `, ${units}` : ""}`;
		return pointOf(line.place) ? [value] : [value, text("chart.count")];
	});
	return makeHead([text("chart.date"), ...places]);
}

/** @param {DatedRow} row @param {Line[]} drawn */
function bodyRow({ time, indexes }, drawn) {
	const words = time ? formatDate(Date.parse(time), locale()) : text("time.undated");
	const choose = () => chooseTime(indexOfMoment(timeDomain.peek().instants, Date.parse(String(time))));
	const head = time ? make("button", { class: "link", onclick: choose }, words) : words;
	const cells = drawn.flatMap((line, at) => {
		const value = valueText(line, indexes[at], reducer.value);
		const count = indexes[at] < 0 ? "" : (line.table.counts[indexes[at]] ?? 0).toLocaleString(locale());
		return pointOf(line.place) ? [value] : [value, count];
	});
	return makeRow([head, ...cells], { "data-time": time ?? "" });
}

/** @param {HTMLElement} body @param {string} [time] */
function markDate(body, time) {
	body.querySelector("[aria-current]")?.removeAttribute("aria-current");
	const row = time && body.querySelector(`[data-time="${time}"]`);
	if (!row) return;
	row.setAttribute("aria-current", "date");
	row.scrollIntoView({ block: "nearest" });
}
