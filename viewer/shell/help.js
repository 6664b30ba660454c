/** The help dialog: what can be done, and the keys that do it. */

import { openDialog } from "../base/dialog.js";
import { make } from "../base/elements.js";
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
	return openDialog(
		text("help.title"),
		make("p", {}, text("help.intro")),
		makeList("help.map", OF_THE_MAP),
		makeList("help.strip", OF_THE_STRIP),
		makeList("help.anywhere", SHORTCUTS),
		makeSwitch(),
	);
}

/** @typedef {import("../base/text.js").TextKey} TextKey */

/**
 * @param {TextKey} title
 * @param {readonly (readonly [string, TextKey, ...unknown[]])[]} rows the key, or the text that names it, and what it
 *   does
 */
function makeList(title, rows) {
	const list = rows.flatMap(([key, action]) => {
		const keys = key.startsWith("help.") ? text(/** @type {TextKey} */ (key)) : key;
		const caps = keys.split(" ").flatMap((each) => [make("kbd", {}, each.replaceAll("_", " ")), " "]);
		return [make("dt", {}, ...caps), make("dd", {}, text(action))];
	});
	return make("section", {}, make("h3", {}, text(title)), make("dl", {}, ...list));
}

function makeSwitch() {
	const onchange = () => switchShortcuts(box.checked);
	const box = make("input", { type: "checkbox", id: "shortcuts", checked: hasShortcuts.peek(), onchange });
	return make("div", { class: "field check" }, box, make("label", { for: box.id }, text("help.shortcuts")));
}
