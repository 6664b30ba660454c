/**
 * The areas of a set in a table over the map: the statistics of each at a date or in a period, sortable, and as a file.
 *
 * @typedef {import("./place-sets.js").PlaceSet} PlaceSet
 * @typedef {import("./table-rows.js").Row} Row
 * @typedef {import("./table-rows.js").ColumnId} ColumnId
 */
import { nameOf } from "../base/api.js";
import { make, makeButton, makeIconButton, makeWordButton } from "../base/elements.js";
import { saveTable } from "../base/save.js";
import { instant, layer, shownDate, timeDomain } from "../base/state.js";
import { text } from "../base/text.js";
import { titled } from "../base/units.js";
import { stop } from "../shell/sheet.js";
import { computed, effect, signal, untracked } from "../vendor/signals-core.js";
import { formatCsv } from "./formats/csv.js";
import { fileName } from "./formats/write-files.js";
import {
	choosePlaceOfSet,
	datetimeAt,
	hasMeans,
	placeSets,
	pointedAt,
	shapesOf,
	shownSet,
	shownSpan,
	showSet,
} from "./place-sets.js";
import { loadStatistics } from "./statistics-of-areas.js";
import { zoomToAreas } from "./store.js";
import { COLUMNS, csvRows, rowsOf, sortRows, writeCell } from "./table-rows.js";

/** Number of rows at first; more are added on request. */
const ROWS_AT_ONCE = 200;

/** Content of the table: the set on the map or the user's own areas, and the time. */
const wanted = computed(() => {
	const set = shownSet.value ?? placeSets.value.find(({ shapes }) => shapes) ?? null;
	const [of, over] = [layer.value, shownSpan.value];
	const time = instant.value && datetimeAt(instant.value);
	if (!set || !of || !hasMeans.value || timeDomain.value.phase !== "ready") return null;
	return {
		set,
		of,
		time,
		over,
		told: over === "date" || timeDomain.value.periods ? shownDate.value : (time ?? ""),
		key: JSON.stringify([set.id, set.revision, nameOf(of), time]),
	};
});

/** @typedef {NonNullable<typeof wanted.value>} Wanted */

let isThere = false;

export function showAreaTable() {
	if (isThere) return;
	isThere = true;
	const shown = signal(/** @type {Wanted | null} */ (null));
	const rows = signal(/** @type {Row[]} */ ([]));
	const order = signal({ column: /** @type {ColumnId} */ ("anomaly"), isDown: false });
	const most = signal(ROWS_AT_ONCE);
	const state = make("p", { class: "hint", role: "status" });
	const isBusy = signal(false);
	let stopping = new AbortController();
	const load = () => {
		stopping.abort();
		stopping = new AbortController();
		shown.value = wanted.peek();
		rows.value = [];
		most.value = ROWS_AT_ONCE;
		if (!shown.value) return;
		const { signal: stopped } = stopping;
		isBusy.value = true;
		void fill(shown.value, rows, state, stopped).then(() => {
			if (stopped === stopping.signal) isBusy.value = false;
		});
	};
	const again = makeWordButton("redo", text("table.update"), load, { class: "quiet" });
	const halt = make("button", { class: "quiet", onclick: () => stopping.abort() }, text("places.stop"));
	const save = makeWordButton("download", "CSV", () => saveRows(shown.peek(), sortRows(rows.peek(), order.peek())), {
		class: "quiet",
		"aria-label": text("table.save"),
	});
	const title = make("h2", { id: "area-table-title" });
	const head = make("tr", {});
	const body = make("tbody", {});
	const more = makeButton(text("table.more"), () => (most.value += ROWS_AT_ONCE));
	const table = make("table", { "aria-labelledby": "area-table-title" }, make("thead", {}, head), body);
	const close = makeIconButton("close", text("action.close"), () => leave());
	const bar = make("div", { class: "area-table-bar" }, title, state, halt, again, save, close);
	const look = { class: "area-table-scroll", tabindex: 0, role: "group", "aria-label": text("table.title") };
	const onkeydown = (/** @type {KeyboardEvent} */ event) => {
		if (event.key !== "Escape") return;
		event.stopPropagation();
		leave();
	};
	const attributes = { class: "area-table", "aria-labelledby": "area-table-title", onkeydown };
	const element = make("section", attributes, bar, make("div", look, table, more));
	const opener = document.activeElement;
	document.getElementById("map-frame")?.append(element);
	const ends = [
		effect(() => {
			again.hidden = wanted.value === null || wanted.value.key === shown.value?.key;
			if (shown.value === null && wanted.value) untracked(load);
		}),
		effect(() => {
			halt.hidden = !isBusy.value;
			if (layer.value && !hasMeans.value) state.textContent = text("places.noMeans", { layer: layer.value.title });
			title.textContent = titleOf(shown.value);
		}),
		effect(() => head.replaceChildren(...COLUMNS.map((id) => makeHead(id, order)))),
		effect(() => {
			const sorted = sortRows(rows.value, order.value);
			body.replaceChildren(...sorted.slice(0, most.value).map((row) => makeRow(row, shown.peek())));
			more.hidden = sorted.length <= most.value;
		}),
	];
	function leave() {
		for (const end of ends) end();
		stopping.abort();
		element.remove();
		pointedAt.value = null;
		isThere = false;
		if (opener instanceof HTMLElement) opener.focus();
	}
	stop.value = "low";
	close.focus();
}

/** @param {Wanted | null} of */
function titleOf(of) {
	if (!of) return text("table.title");
	return [of.set.title, titled(of.of.title, of.of.units), of.told.replace("/", "–")]
		.filter((each) => each !== "")
		.join(", ");
}

/**
 * Loads the quick statistics first, then the anomalies, which need all years.
 * @param {Wanted} of
 * @param {{ value: Row[] }} rows
 * @param {HTMLElement} state
 * @param {AbortSignal} stopped
 */
async function fill({ set, of, time, over }, rows, state, stopped) {
	const say = (/** @type {number} */ done) => {
		state.textContent = done < set.count ? text("places.loadingSome", { done, count: set.count }) : "";
	};
	try {
		say(0);
		const shapes = await shapesOf(set);
		const ask = (/** @type {import("../base/api.js").Parameters} */ parameters) =>
			loadStatistics(of, shapes, { datetime: time, ...parameters }, { stopped, onPart: say }, over);
		const now = await ask({ reducers: "mean,p10,p90,valid_share" });
		rows.value = rowsOf(shapes, now.features, null);
		if (time === null) return;
		say(0);
		const usual = await ask({ reducers: "mean", anomaly: "abs" });
		rows.value = rowsOf(shapes, now.features, usual.features);
	} catch (error) {
		state.textContent = stopped.aborted
			? text("table.stopped")
			: text("places.failed", { why: /** @type {Error} */ (error).message });
	}
}

/** @param {ColumnId} id @param {{ value: { column: ColumnId, isDown: boolean } }} order */
function makeHead(id, order) {
	const { column, isDown } = order.value;
	const isSorted = column === id;
	const sort = () => {
		order.value = { column: id, isDown: isSorted ? !isDown : id !== "name" && id !== "anomaly" };
		document.querySelector(`.area-table [data-column="${id}"]`)?.querySelector("button")?.focus();
	};
	const button = make("button", { class: "plain", onclick: sort }, text(`table.${id}`));
	const sorting = isSorted && (isDown ? "descending" : "ascending");
	const attributes = { scope: "col", "data-column": id, title: text(`table.${id}.about`), "aria-sort": sorting };
	return make("th", attributes, button);
}

/** @param {Row} row @param {Wanted | null} of */
function makeRow(row, of) {
	const choose = () => {
		if (of && of.set.id !== shownSet.peek()?.id) showSet(of.set.id);
		zoomToAreas([row.shape]);
		void choosePlaceOfSet({ id: row.number, properties: { label: row.shape.name }, rings: [] }, true);
	};
	const point = (/** @type {number | null} */ number) => () => {
		pointedAt.value = number;
	};
	const name = make("button", { class: "plain", onclick: choose }, row.shape.name);
	const cells = COLUMNS.slice(1).map((id) => make("td", {}, writeCell(id, /** @type {number | null} */ (row[id]))));
	const over = { onpointerenter: point(row.number), onfocusin: point(row.number), onpointerleave: point(null) };
	return make("tr", over, make("th", { scope: "row" }, name), ...cells);
}

/** @param {Wanted | null} of @param {Row[]} rows */
function saveRows(of, rows) {
	if (!of) return;
	const stem = [nameOf(of.of), of.set.title, of.time?.slice(0, 10).replace("/", "-")].filter(Boolean).join("_");
	saveTable(formatCsv(csvRows(rows, { ...of.of, id: nameOf(of.of) }, of.time)), fileName(stem, "csv"));
}
