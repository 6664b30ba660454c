/**
 * The list of areas in the panel: tools to make one, the existing ones, and their actions.
 *
 * @typedef {import("./store.js").Area} Area
 */
import { openDialog } from "../base/dialog.js";
import { keepRows, make, makeButton, makeIconButton, makeOpener, makeWordButton } from "../base/elements.js";
import { editName } from "../base/name-field.js";
import { startPart } from "../base/parts.js";
import { placeNumber, places, removePlace, showReport, unlinkable } from "../base/state.js";
import { text } from "../base/text.js";
import { stop } from "../shell/sheet.js";
import { computed, effect } from "../vendor/signals-core.js";
import { startDrops, useTransfer } from "./drops.js";
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
	startStore,
	zoomToAreas,
} from "./store.js";
import { draw, startTools } from "./tools.js";

/**
 * Starts the areas and marks of the page: the list, the tools, and dropped files.
 * @param {{ panel: HTMLElement, tools: HTMLElement, frame: HTMLElement }} page
 * @param {boolean} embedded
 */
export function startAreas({ panel, tools, frame }, embedded) {
	startStore(embedded);
	startTools(tools);
	startPanel(panel);
	startDrops(frame);
}

/** @param {HTMLElement} panel */
function startPanel(panel) {
	const count = make("span", { class: "areas-count" });
	const list = make("ul", { class: "areas-list" });
	const empty = make("p", { class: "hint" }, text("areas.empty"));
	const link = make("p", { class: "hint" });
	const all = makeAllButtons();
	panel.classList.add("areas");
	const heading = make("h2", {}, text("areas.title"), " ", count);
	panel.append(make("div", { class: "areas-head" }, heading, ...makeHeadButtons()), empty, list, link, all);
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
	/** @type {Map<string, ReturnType<typeof makeRow>>} */
	const rows = new Map();
	effect(() => {
		const ids = areas.value.map(({ id }) => id);
		keepRows(list, rows, ids, makeRow);
	});
}

function makeHeadButtons() {
	const report = makeIconButton("print", text("report.open"), () => {
		showReport(true);
	});
	const table = makeIconButton("panel", text("table.open"), () =>
		startPart("table of areas", async () => (await import("./area-table.js")).showAreaTable()),
	);
	effect(() => {
		report.hidden = places.value.length === 0;
		table.hidden = placeSets.value.every(({ shapes }) => !shapes) && !shownSet.value;
	});
	const upload = makeIconButton("upload", text("areas.upload"), () => useTransfer(({ askForFiles }) => askForFiles()));
	return [report, table, upload, makeIconButton("plus", text("areas.paste"), openPaste)];
}

function makeAllButtons() {
	const save = /** @type {const} */ (["GeoJSON", "CSV"]).map((format) =>
		makeWordButton("download", format, () => useTransfer(({ saveAreas }) => saveAreas(areas.peek(), format)), {
			class: "quiet",
			"aria-label": text("areas.saveAll", { format }),
		}),
	);
	const remove = makeWordButton("trash", text("areas.removeAll"), () => void askRemoveAll(), { class: "quiet" });
	return make("div", { class: "areas-all" }, ...save, remove);
}

/** Takes areas that are pasted or typed. */
function openPaste() {
	const field = make("textarea", {
		rows: 8,
		spellcheck: "false",
		"aria-label": text("areas.pasteLabel"),
		placeholder: "POLYGON ((4.40 51.21, 4.42 51.21, 4.42 51.22, 4.40 51.21))",
	});
	const fault = make("p", { class: "areas-fault", role: "alert" });
	const take = () =>
		useTransfer(async ({ takeText }) => {
			fault.textContent = await takeText(field.value);
			if (fault.textContent === "") dialog.close();
		});
	const add = makeWordButton("plus", text("areas.add"), take, { class: "primary" });
	const hint = make("p", { class: "hint" }, text("areas.pasteHint"));
	const dialog = openDialog(text("areas.paste"), make("div", { class: "areas-paste" }, hint, field, fault, add));
	field.focus();
}

async function askRemoveAll() {
	const { length: count } = areas.peek();
	const removeAll = () => {
		dialog.close();
		removeAllAreas();
	};
	const remove = makeWordButton("trash", text("areas.removeAll"), removeAll, { class: "primary" });
	const keep = makeButton(text("action.cancel"), () => dialog.close());
	const question = make("p", {}, text("areas.askRemoveAll", { count }));
	const dialog = openDialog(text("areas.removeAll"), question, make("div", { class: "areas-answers" }, keep, remove));
	keep.focus();
	await dialog.whenClosed;
	if (areas.peek().length === 0) focusIn(document.querySelector(".areas-head"));
}

/** @param {Element | null} element */
const focusIn = (element) =>
	/** @type {HTMLElement | null} */ (element?.querySelector("button:not([disabled])"))?.focus();

/** Returns a row that follows its area until the area is removed. @param {string} id */
function makeRow(id) {
	const area = () => /** @type {Area} */ (findArea(id));
	const zoom = () => {
		stop.value = "low";
		zoomToAreas([area()]);
	};
	const save = () => {
		// The area may be removed before the module that saves it is loaded.
		const saved = [area()];
		void useTransfer(({ saveAreas }) => saveAreas(saved, "GeoJSON"));
	};
	const rename = () => {
		const look = { "aria-label": text("areas.name"), class: "areas-name" };
		editName(name, area().name, look, (taken, isByKey) => {
			if (taken !== null) changeArea(id, { name: taken });
			if (isByKey) name.focus();
		});
	};
	const action = (
		/** @type {string} */ icon,
		/** @type {string} */ words,
		/** @type {() => void} */ run,
		/** @type {string} */ label = words,
	) => makeWordButton(icon, words, run, { class: "quiet", "aria-label": label });
	const tick = make("input", { type: "checkbox", onchange: () => (tick.checked ? chartArea(id) : removePlace(id)) });
	const number = make("span", { class: "areas-number", "aria-hidden": "true" });
	const name = make("button", { class: "areas-name plain", onclick: zoom });
	const size = make("span", { class: "areas-size" });
	const warning = make("p", { class: "hint" });
	const keep = action("pin", text("areas.keep"), () => changeArea(id, { isSaved: true }));
	const actions = make(
		"div",
		{ class: "areas-actions" },
		action("fit", text("areas.zoom"), zoom),
		action("area", text("areas.edit"), () => draw(({ beginChange }) => beginChange(id))),
		action("edit", text("areas.rename"), rename),
		keep,
		action("download", "GeoJSON", save, text("areas.save")),
		action("trash", text("areas.remove"), () => removeArea(id)),
	);
	const { button: more } = makeOpener("more", "", actions);
	const [emphasise, calm] = [id, null].map((next) => () => {
		emphasised.value = next;
	});
	const seen = { onpointerenter: emphasise, onpointerleave: calm, onfocusin: emphasise, onfocusout: calm };
	const label = make("label", { class: "areas-tick" }, tick, number);
	const element = make("li", { class: "areas-row", ...seen }, label, name, size, more, warning, actions);
	const shown = computed(() => areas.value.find((each) => each.id === id));
	const place = computed(() => places.value.find((each) => each.id === id));
	const ends = [
		effect(() => {
			if (!shown.value) return;
			const { name: words, geometry, isSaved } = shown.value;
			name.textContent = words;
			name.title = text("areas.zoomTo", { name: words });
			size.textContent = sizeText(geometry);
			tick.title = text("areas.chart", { name: words });
			more.title = text("areas.more", { name: words });
			for (const control of [tick, more]) control.setAttribute("aria-label", control.title);
			keep.hidden = isSaved || isEmbedded.peek();
			const crosses = selfCrossing(geometry) ? text("areas.crosses") : "";
			warning.textContent = crosses || (keep.hidden ? "" : text("areas.fromLink"));
			warning.hidden = warning.textContent === "";
		}),
		effect(() => {
			tick.checked = place.value !== undefined;
			number.textContent = place.value ? String(placeNumber(place.value)) : "";
			element.dataset.charted = String(tick.checked);
			element.style.setProperty("--place", place.value ? `var(${place.value.colour})` : "");
		}),
	];
	const remove = () => {
		for (const end of ends) end();
		const next = element.nextElementSibling ?? element.previousElementSibling ?? element.closest(".areas");
		const hadFocus = element.contains(document.activeElement);
		element.remove();
		calm();
		if (hadFocus) focusIn(next);
	};
	return { element, remove };
}
