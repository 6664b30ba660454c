/** The choice of the layer: a button with its name, and the list of all layers by collection that it opens. */

import { make, makeIconButton } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { catalogue, extras, layer, layers, MAX_EXTRAS, sideA } from "../base/state.js";
import { text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { extentInTime } from "../base/when.js";
import { effect, signal } from "../vendor/signals-core.js";
import { matches } from "./filter.js";
import { makeOpacity } from "./opacity.js";

/** @typedef {import("../base/api.js").Layer} Layer */
/** @typedef {import("../base/state.js").Side} Side */
/**
 * @typedef {{ id: string, sideOf: () => Side, choose: (of: Layer) => void, add?: (of: Layer) => void }} Choice
 *   `sideOf` returns the side whose layer is chosen; `add` shows an additional layer
 */

/** With fewer layers than this a filter is more to read than the list. */
const FEWEST_TO_FILTER = 9;
/** Maximum number of visible layers of a collection; more are folded. */
const MOST_IN_SIGHT = 24;

/** Opens the dialog about a layer. @param {Layer} of */
const showInfo = async (of) => (await import("./info.js")).openInfo(of);

/**
 * Makes a button with the name of a side's layer, and the list of all layers that it opens.
 * @param {Choice} how
 * @returns {HTMLElement[]}
 */
export function makeLayerChoice(how) {
	const { id, sideOf } = how;
	const isOpen = signal(false);
	const name = make("span", { class: "layer-name" });
	const button = make(
		"button",
		{
			id,
			class: "layer-button plain",
			"aria-controls": `${id}-list`,
			"aria-expanded": "false",
			onclick: () => {
				isOpen.value = !isOpen.peek();
			},
		},
		make("span", { class: "unseen" }, text("layers.layer"), ": "),
		name,
		makeIcon("chevron-down"),
	);
	const close = () => {
		isOpen.value = false;
		button.focus();
	};
	const list = makeList({ ...how, close, isOpen });
	effect(() => {
		const now = sideOf().layer.value;
		name.textContent =
			now?.title ?? (catalogue.value.phase === "loading" ? text("layers.loading") : text("layers.none"));
		button.disabled = layers.value.length === 0;
		button.setAttribute("aria-expanded", String(isOpen.value));
		list.hidden = !isOpen.value;
	});
	return [button, list];
}

/** Makes the controls of the main layer: opacity, dates and information. */
export function makeLayerTools() {
	const about = make("p", { id: "layer-times", class: "hint" });
	const { element, input } = makeOpacity(sideA);
	input.id = "opacity";
	const label = make("label", { for: "opacity" }, text("layers.opacity"));
	const info = makeIconButton("info", text("layers.info"), () => showInfo(/** @type {Layer} */ (layer.peek())), {
		id: "info-button",
		"aria-haspopup": "dialog",
	});
	const tools = make("div", { class: "layer-tools" }, label, element, info, about);
	effect(() => {
		tools.hidden = layer.value === null;
		about.textContent = layer.value ? extentInTime(layer.value) || text("layers.noDates") : "";
	});
	return tools;
}

/**
 * Makes the list of layers that match the filter, under the titles of their collections.
 * @param {Choice & { close: () => void, isOpen: import("@preact/signals-core").Signal<boolean> }} how
 */
function makeList({ id, sideOf, choose, add, close, isOpen }) {
	const filter = make("input", {
		type: "search",
		id: `${id}-filter`,
		autocomplete: "off",
		"aria-label": text("layers.filter"),
		placeholder: text("layers.filter"),
	});
	const countLine = make("p", { class: "unseen", role: "status" });
	const groups = make("div", { class: "layer-groups" });
	const root = make("div", { id: `${id}-list`, class: "layer-list", hidden: true }, filter, countLine, groups);
	const filterText = signal("");
	filter.addEventListener("input", () => {
		filterText.value = filter.value;
	});
	root.addEventListener("keydown", (event) => moveByKey(event, root, close));
	effect(() => {
		if (!isOpen.value) return;
		const now = sideOf().layer.value;
		// A link may name a layer that answers but is not listed.
		const all = now && !layers.value.some(({ id }) => id === now.id) ? [now, ...layers.value] : layers.value;
		filter.hidden = all.length < FEWEST_TO_FILTER;
		const shown = all.filter((each) => matches(each, filterText.value));
		countLine.textContent = filterText.value === "" ? "" : text("layers.found", { count: shown.length });
		const shownBeside = extras.value.map(({ side }) => side.layer.value?.id);
		const rows = { now, shownBeside, close, choose, add, isFiltered: filterText.value !== "" };
		const byTitle = Map.groupBy(shown, (each) => each.collection_title || each.collection);
		groups.replaceChildren(...[...byTitle].map(([title, members]) => makeGroup(title, members, rows)));
		if (shown.length === 0) groups.append(make("p", { class: "hint" }, text("layers.noneFound")));
	});
	effect(() => {
		if (!isOpen.value) return;
		filterText.value = filter.value = "";
		// After the list has become visible.
		queueMicrotask(() => {
			const first = filter.hidden ? root.querySelector("[aria-current=true]") : filter;
			if (first instanceof HTMLElement) first.focus();
		});
	});
	return root;
}

/**
 * @typedef
 *   {{ now: Layer | null, shownBeside: (string | undefined)[], close: () => void, isFiltered: boolean } & Pick<Choice,
 *   "choose" | "add">}
 *   Rows
 */

/** @param {string} title @param {Layer[]} members @param {Rows} rows */
function makeGroup(title, members, rows) {
	const list = make("ul", {}, ...members.map((each) => makeRow(each, rows)));
	const heading = make("h2", {}, title);
	if (members.length <= MOST_IN_SIGHT) return make("section", {}, heading, list);
	const isOpen = rows.isFiltered || members.some(({ id }) => id === rows.now?.id);
	const count = make("span", { class: "hint" }, text("layers.count", { count: members.length }));
	const isUndated = members.every(({ times }) => times.count === 0);
	const note = isUndated ? [make("p", { class: "hint" }, text("layers.manyUndated"))] : [];
	return make("details", { open: isOpen }, make("summary", {}, heading, " ", count), ...note, list);
}

/** @param {Layer} of @param {Rows} rows */
function makeRow(of, { now, shownBeside, close, choose, add }) {
	const isMain = of.id === now?.id;
	const take = () => {
		if (!isMain) choose(of);
		close();
	};
	const unit = unitText(of.units);
	const button = make(
		"button",
		{ class: "quiet layer-choice", "data-layer": of.id, "aria-current": isMain ? "true" : "false", onclick: take },
		make("span", {}, of.title),
		...(unit ? [make("span", { class: "hint" }, unit)] : []),
	);
	if (!add) return make("li", {}, button);
	const canAdd = !isMain && !shownBeside.includes(of.id) && shownBeside.length < MAX_EXTRAS;
	const addButton = makeIconButton("plus", text("layers.add", { layer: of.title }), () => {
		add(of);
		close();
	});
	addButton.disabled = !canAdd;
	return make("li", {}, button, addButton);
}

/**
 * Moves through the layers with arrow keys; Escape closes the list.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} root
 * @param {() => void} close
 */
function moveByKey(event, root, close) {
	if (event.key === "Escape") {
		event.preventDefault();
		close();
		return;
	}
	const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
	if (!step) return;
	event.preventDefault();
	const rows = /** @type {HTMLElement[]} */ ([...root.querySelectorAll(".layer-choice")]);
	const at = rows.findIndex(
		(row) => row === document.activeElement || row.nextElementSibling === document.activeElement,
	);
	rows[Math.min(rows.length - 1, Math.max(0, at + step))]?.focus();
}
