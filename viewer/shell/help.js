/** The help dialog: what can be done, and the keys that do it. */

import { openDialog } from "../base/dialog.js";
import { text } from "../base/text.js";
import { hasShortcuts, SHORTCUTS, switchShortcuts } from "./shortcuts.js";

/** Keys that work where they have the focus, whatever the switch says: texts of i18n/. */
const OF_THE_MAP = /** @type {const} */ ([
	["help.keys.arrows", "help.mapMove"],
	["+ −", "help.mapZoom"],
	["help.keys.enter", "help.mapTake"],
]);
const OF_THE_STRIP = /** @type {const} */ ([
	["help.keys.arrows", "help.stripDate"],
	["help.keys.page", "help.stripMonth"],
	["help.keys.shiftPage", "help.stripYear"],
	["help.keys.ends", "help.stripEnds"],
	["help.keys.space", "help.play"],
	["Y", "help.stripYears"],
	["+ −", "help.stripZoom"],
]);

export function openHelp() {
	const first = document.createElement("p");
	first.textContent = text("help.intro");
	return openDialog(
		text("help.title"),
		first,
		makeList("help.map", OF_THE_MAP),
		makeList("help.strip", OF_THE_STRIP),
		makeList("help.anywhere", SHORTCUTS),
		makeSwitch(),
	);
}

/** @typedef {import("../base/text.js").TextKey} TextKey */

/** @param {TextKey} title @param {readonly (readonly [string, TextKey, ...unknown[]])[]} rows the key, or the text that names it, and what it does */
function makeList(title, rows) {
	const section = document.createElement("section");
	const heading = document.createElement("h3");
	heading.textContent = text(title);
	const list = document.createElement("dl");
	for (const [key, action] of rows) {
		const [term, words] = [document.createElement("dt"), document.createElement("dd")];
		const keys = key.startsWith("help.") ? text(/** @type {TextKey} */ (key)) : key;
		for (const each of keys.split(" ")) {
			const cap = document.createElement("kbd");
			cap.textContent = each.replaceAll("_", " ");
			term.append(cap, " ");
		}
		words.textContent = text(action);
		list.append(term, words);
	}
	section.append(heading, list);
	return section;
}

function makeSwitch() {
	const row = document.createElement("div");
	row.className = "field check";
	const box = document.createElement("input");
	box.type = "checkbox";
	box.id = "shortcuts";
	box.checked = hasShortcuts.peek();
	box.addEventListener("change", () => switchShortcuts(box.checked));
	const label = document.createElement("label");
	label.htmlFor = box.id;
	label.textContent = text("help.shortcuts");
	row.append(box, label);
	return row;
}
