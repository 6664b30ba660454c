/** The help dialog: actions and their keys. */

import { openDialog } from "../base/dialog.js";
import { make } from "../base/elements.js";
import { text } from "../base/text.js";
import { hasShortcuts, SHORTCUTS, switchShortcuts } from "./shortcuts.js";

/** Keys that work while the map has the focus, even if shortcuts are switched off: names of texts in i18n/. */
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
 * @param {readonly (readonly [string, TextKey, ...unknown[]])[]} rows a key or the name of its text, and the text of
 *   its action
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
