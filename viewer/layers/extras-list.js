/** The list of additional layers in the panel: order on the map, opacity, and visibility. */
import { make, makeIconButton } from "../base/elements.js";
import { changeIcon } from "../base/icons.js";
import { eachOnce, live } from "../base/live.js";
import { extras, layer, sideA } from "../base/state.js";
import { text } from "../base/text.js";
import { computed, effect } from "../vendor/signals-core.js";
import { changeExtra, moveExtra, removeExtra, swapWithMain } from "./extras.js";
import { makeKey } from "./key.js";
import { keyOf } from "./key-content.js";
import { renderLegend } from "./legend.js";
import { makeOpacity } from "./opacity.js";

/** @typedef {import("../base/state.js").Extra} Extra */
/** @typedef {import("../base/state.js").Side} Side */

/** @param {HTMLElement} root shown while there are any */
export function startExtrasList(root) {
	const list = make("ul", { class: "extras" });
	root.replaceChildren(make("h2", {}, text("layers.extras")), list);
	const rowsOf = eachOnce((/** @type {Side} */ side) => makeRow(side, list));
	const main = makeMainRow();
	effect(() => {
		const all = extras.value;
		root.hidden = all.length === 0;
		const rows = rowsOf(all.map(({ side }) => side));
		const [above, below] = [false, true].map((isBelow) => rows.filter((_, at) => all[at].isBelow === isBelow));
		const focused = document.activeElement;
		list.replaceChildren(...above, main, ...below);
		// A row that has moved keeps the focus.
		if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
	});
}

/** Makes the row that shows the position of the main layer among the others. */
function makeMainRow() {
	const name = make("span", { class: "extra-name" });
	effect(() => {
		name.textContent = layer.value?.title ?? "";
	});
	return make(
		"li",
		{ class: "extra main" },
		make("div", { class: "extra-head" }, name, make("span", { class: "hint" }, text("layers.main"))),
	);
}

/** @param {Side} side @param {HTMLElement} list */
function makeRow(side, list) {
	const date = make("p", { class: "hint" });
	const eye = makeIconButton("eye", "", () => {
		const entry = extras.peek().find((each) => each.side === side);
		changeExtra(side, { isShown: !entry?.isShown });
	});
	const [up, down] = [
		makeIconButton("chevron-up", "", () => moveExtra(side, -1)),
		makeIconButton("chevron-down", "", () => moveExtra(side, 1)),
	];
	const remove = makeIconButton("close", "", () => {
		removeExtra(side);
		const next = list.querySelector("button") ?? document.getElementById("layer");
		if (next instanceof HTMLElement) next.focus();
	});
	const name = make("button", {
		class: "quiet extra-name",
		title: text("layers.makeMain"),
		onclick: () => swapWithMain(side),
	});
	const opacity = makeOpacity(side);
	const content = computed(() => keyOf(side));
	const key = makeKey(content, (host) => renderLegend(side, host));
	key.classList.add("small");
	const element = make(
		"li",
		{ class: "extra" },
		make("div", { class: "extra-head" }, name, eye, up, down, remove),
		date,
		key,
		opacity.element,
	);
	live(() => {
		const title = side.layer.value?.title ?? "";
		name.textContent = title;
		label(eye, text("layers.hide", { layer: title }));
		label(up, text("layers.up", { layer: title }));
		label(down, text("layers.down", { layer: title }));
		label(remove, text("layers.remove", { layer: title }));
		opacity.input.setAttribute("aria-label", text("layers.opacityOf", { layer: title }));
	});
	live(() => {
		date.textContent = dateText(side);
		date.hidden = date.textContent === "";
	});
	live(() => {
		const all = extras.value;
		const entry = all.find((each) => each.side === side);
		if (!entry) return;
		const at = all.indexOf(entry);
		changeIcon(eye, entry.isShown ? "eye" : "eye-off");
		eye.setAttribute("aria-pressed", String(!entry.isShown));
		element.toggleAttribute("data-hidden", !entry.isShown);
		up.disabled = at === 0 && !entry.isBelow;
		down.disabled = at === all.length - 1 && entry.isBelow;
	});
	return element;
}

/** @param {HTMLElement} button @param {string} words */
function label(button, words) {
	button.title = words;
	button.setAttribute("aria-label", words);
}

/** Returns the date of a layer if it differs from that of the main layer. @param {Side} side */
function dateText(side) {
	const { phase, why } = side.timeDomain.value;
	if (phase === "loading") return text("time.loading");
	if (phase === "failed") return text("time.failed", { why });
	const [own, main] = [side.instant.value, sideA.instant.value];
	if (!own || own.ms === main?.ms) return "";
	return main && own.ms > main.ms
		? text("layers.datedAfter", { date: side.shownDate.value })
		: text("layers.dated", { date: side.shownDate.value });
}
