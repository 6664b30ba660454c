/**
 * The areas in the panel: how to make one, what there is, and what can be done with it.
 *
 * @typedef {import("./store.js").Area} Area
 */
import { openDialog } from "../base/dialog.js";
import { make, makeIconButton, makeWordButton } from "../base/elements.js";
import { editName } from "../base/name-field.js";
import { startPart } from "../base/parts.js";
import { isReportOpen, placeNumber, places, removePlace, unlinkable } from "../base/state.js";
import { text } from "../base/text.js";
import { stop } from "../shell/sheet.js";
import { computed, effect } from "../vendor/signals-core.js";
import { useTransfer } from "./drops.js";
import { placeSets, shownSet } from "./place-sets.js";
import { selfCrossing } from "./shapes/geometry.js";
import { sizeText } from "./size-labels.js";
import {
	areas,
	changeArea,
	chartArea,
	emphasised,
	findArea,
	isEmbedded,
	removeAllAreas,
	removeArea,
	zoomToAreas,
} from "./store.js";
import { draw } from "./tools.js";

/** @param {HTMLElement} panel */
export function startPanel(panel) {
	const count = make("span", { class: "areas-count" });
	const list = make("ul", { class: "areas-list" });
	const empty = make("p", { class: "hint" }, text("areas.empty"));
	const link = make("p", { class: "hint" });
	const all = makeAllButtons();
	panel.classList.add("areas");
	panel.append(
		make("div", { class: "areas-head" }, make("h2", {}, text("areas.title"), " ", count), ...makeHeadButtons()),
		empty,
		list,
		link,
		all,
	);
	panel.hidden = false;
	effect(() => {
		const { length } = areas.value;
		count.textContent = length > 0 ? String(length) : "";
		empty.hidden = length > 0;
		all.hidden = length === 0;
	});
	effect(() => {
		const names = unlinkable.value;
		link.textContent = names.length > 0 ? text("areas.notInLink", { names: names.join(", ") }) : "";
		link.hidden = names.length === 0;
	});
	showRows(list);
}

function makeHeadButtons() {
	const report = makeIconButton("print", text("report.open"), () => {
		isReportOpen.value = true;
	});
	const table = makeIconButton("panel", text("table.open"), () =>
		startPart("table of areas", async () => (await import("./area-table.js")).showAreaTable()),
	);
	effect(() => {
		report.hidden = places.value.length === 0;
		table.hidden = placeSets.value.every(({ shapes }) => !shapes) && !shownSet.value;
	});
	const upload = makeIconButton("upload", text("areas.upload"), () => useTransfer(({ chooseFiles }) => chooseFiles()));
	return [report, table, upload, makeIconButton("plus", text("areas.paste"), () => void openPaste())];
}

function makeAllButtons() {
	const save = (/** @type {"geojson" | "csv"} */ format) => () =>
		useTransfer(({ saveAreas }) => saveAreas(areas.peek(), format));
	return make(
		"div",
		{ class: "areas-all" },
		makeWordButton("download", "GeoJSON", save("geojson"), {
			class: "quiet",
			"aria-label": text("areas.saveAll", { format: "GeoJSON" }),
		}),
		makeWordButton("download", "CSV", save("csv"), {
			class: "quiet",
			"aria-label": text("areas.saveAll", { format: "CSV" }),
		}),
		makeWordButton("trash", text("areas.removeAll"), () => void askRemoveAll(), { class: "quiet" }),
	);
}

/** Takes areas that are pasted or typed. */
async function openPaste() {
	const field = make("textarea", {
		rows: 8,
		spellcheck: "false",
		"aria-label": text("areas.pasteLabel"),
		placeholder: "POLYGON ((4.40 51.21, 4.42 51.21, 4.42 51.22, 4.40 51.21))",
	});
	const fault = make("p", { class: "areas-fault", role: "alert" });
	const add = makeWordButton(
		"plus",
		text("areas.add"),
		() =>
			useTransfer(async ({ takeText }) => {
				fault.textContent = await takeText(field.value);
				if (fault.textContent === "") dialog.close();
			}),
		{ class: "primary" },
	);
	const hint = make("p", { class: "hint" }, text("areas.pasteHint"));
	const dialog = openDialog(text("areas.paste"), make("div", { class: "areas-paste" }, hint, field, fault, add));
	field.focus();
}

async function askRemoveAll() {
	const { length: count } = areas.peek();
	const remove = makeWordButton(
		"trash",
		text("areas.removeAll"),
		() => {
			dialog.close();
			removeAllAreas();
		},
		{ class: "primary" },
	);
	const keep = make("button", { type: "button", onclick: () => dialog.close() }, text("action.cancel"));
	const question = make("p", {}, text("areas.askRemoveAll", { count }));
	const dialog = openDialog(text("areas.removeAll"), question, make("div", { class: "areas-answers" }, keep, remove));
	keep.focus();
	await dialog.whenClosed;
	if (areas.peek().length === 0) focusIn(document.querySelector(".areas-head"));
}

/** Keeps a row for each area. @param {HTMLElement} list */
function showRows(list) {
	/** @type {Map<string, Row>} */
	const rows = new Map();
	effect(() => {
		const now = areas.value;
		for (const [id, row] of rows) {
			if (now.some((area) => area.id === id)) continue;
			const next = row.element.nextElementSibling ?? row.element.previousElementSibling;
			const hadFocus = row.element.contains(document.activeElement);
			row.remove();
			rows.delete(id);
			if (hadFocus) focusIn(next ?? list.parentElement);
		}
		for (const [index, area] of now.entries()) {
			const row = rows.get(area.id) ?? new Row(area);
			rows.set(area.id, row);
			row.show(area);
			if (list.children[index] !== row.element) list.insertBefore(row.element, list.children[index] ?? null);
		}
	});
}

/** @param {Element | null} element */
function focusIn(element) {
	const found = element?.querySelector("button:not([disabled])");
	if (found instanceof HTMLElement) found.focus();
}

class Row {
	/** @param {Area} area */
	constructor(area) {
		const { id } = area;
		this.id = id;
		this.tick = make("input", {
			type: "checkbox",
			onchange: () => (this.tick.checked ? chartArea(id) : removePlace(id)),
		});
		this.number = make("span", { class: "areas-number", "aria-hidden": "true" });
		this.name = make("button", { type: "button", class: "areas-name plain", onclick: () => this.zoom() });
		this.size = make("span", { class: "areas-size" });
		this.warning = make("p", { class: "hint" });
		this.more = makeIconButton("more", "", () => this.open(Boolean(this.actions.hidden)), { "aria-expanded": "false" });
		this.keep = makeWordButton("pin", text("areas.keep"), () => changeArea(id, { isSaved: true }), { class: "quiet" });
		this.edit = makeWordButton("area", text("areas.edit"), () => draw(({ beginChange }) => beginChange(id)), {
			class: "quiet",
		});
		this.actions = make(
			"div",
			{ class: "areas-actions" },
			makeWordButton("fit", text("areas.zoom"), () => this.zoom(), { class: "quiet" }),
			this.edit,
			makeWordButton("edit", text("areas.rename"), () => this.rename(), { class: "quiet" }),
			this.keep,
			makeWordButton("download", "GeoJSON", () => this.save(), { class: "quiet", "aria-label": text("areas.save") }),
			makeWordButton("trash", text("areas.remove"), () => removeArea(id), { class: "quiet" }),
		);
		this.actions.hidden = true;
		const tick = make("label", { class: "areas-tick" }, this.tick, this.number);
		this.element = make(
			"li",
			{
				class: "areas-row",
				onpointerenter: () => emphasise(id),
				onpointerleave: () => emphasise(null),
				onfocusin: () => emphasise(id),
				onfocusout: () => emphasise(null),
			},
			tick,
			this.name,
			this.size,
			this.more,
			this.warning,
			this.actions,
		);
		this.place = computed(() => places.value.find((place) => place.id === id));
		this.stop = effect(() => this.showPlace());
	}

	/** @param {Area} area */
	show({ name, geometry, isSaved }) {
		this.name.textContent = name;
		this.name.title = text("areas.zoomTo", { name });
		this.size.textContent = sizeText(geometry);
		this.tick.setAttribute("aria-label", text("areas.chart", { name }));
		this.tick.title = text("areas.chart", { name });
		this.more.setAttribute("aria-label", text("areas.more", { name }));
		this.more.title = text("areas.more", { name });
		this.keep.hidden = isSaved || isEmbedded.peek();
		const crosses = selfCrossing(geometry) ? text("areas.crosses") : "";
		this.warning.textContent = crosses || (isSaved || isEmbedded.peek() ? "" : text("areas.fromLink"));
		this.warning.hidden = this.warning.textContent === "";
	}

	showPlace() {
		const place = this.place.value;
		this.tick.checked = place !== undefined;
		this.number.textContent = place ? String(placeNumber(place)) : "";
		this.element.dataset.charted = String(place !== undefined);
		if (place) this.element.style.setProperty("--place", `var(${place.colour})`);
		else this.element.style.removeProperty("--place");
	}

	/** @param {boolean} isOpen */
	open(isOpen) {
		this.actions.hidden = !isOpen;
		this.more.setAttribute("aria-expanded", String(isOpen));
	}

	zoom() {
		const area = findArea(this.id);
		if (!area) return;
		stop.value = "low";
		zoomToAreas([area]);
	}

	save() {
		const area = findArea(this.id);
		if (area) void useTransfer(({ saveAreas }) => saveAreas([area], "geojson"));
	}

	rename() {
		const area = findArea(this.id);
		if (!area) return;
		const attributes = { "aria-label": text("areas.name"), class: "areas-name" };
		editName(this.name, area.name, attributes, (name, isByKey) => {
			if (name !== null) changeArea(this.id, { name });
			if (isByKey) this.name.focus();
		});
	}

	remove() {
		this.stop();
		this.element.remove();
		emphasise(null);
	}
}

/** @param {string | null} id */
const emphasise = (id) => {
	emphasised.value = id;
};
