/** The tab of what can be copied into other programs: this layer, date, place and style in their own words. */
import { make } from "../base/elements.js";
import { colouring, compareMode, instant, layer, style, view } from "../base/state.js";
import { text } from "../base/text.js";
import { inOrder, shownDifference } from "../compare/second-side.js";
import { makeArea, makeField, makeInput } from "../shell/share.js";
import { effect } from "../vendor/signals-core.js";
import { copiesOf } from "./addresses.js";
import { currentView } from "./current-view.js";

/**
 * @typedef {import("./addresses.js").CopyKind} CopyKind
 * @typedef {import("./picture.js").Tab} Tab
 */

/** @type {Record<CopyKind, import("../base/text.js").TextKey>} */
const NAMES = {
	wms: "export.copy.wms",
	wmts: "export.copy.wmts",
	xyz: "export.copy.xyz",
	tilejson: "export.copy.tilejson",
	coverage: "export.copy.coverage",
	curl: "export.copy.curl",
	python: "export.copy.python",
};

/** @returns {Tab} */
export function makeCopyTab() {
	const list = make("div", { class: "export-copies" });
	const stop = effect(() => {
		void [layer.value, instant.value, style.value, colouring.value, view.value];
		void [
			compareMode.value,
			inOrder.value?.later.instant.value,
			inOrder.value?.earlier.instant.value,
			shownDifference.value,
		];
		const shown = currentView();
		list.replaceChildren(...(shown ? copiesOf(shown).map(copyField) : []));
	});
	return {
		element: make("div", { class: "export-fields" }, make("p", { class: "hint" }, text("export.copyAbout")), list),
		stop,
	};
}

/** @param {import("./addresses.js").Copy} copy */
function copyField({ kind, text: words, isWithoutColours }) {
	const rows = words.split("\n").length;
	const field = makeField(
		`copy-${kind}`,
		text(NAMES[kind]),
		rows > 1 ? makeArea(words, Math.min(8, rows)) : makeInput(words),
	);
	if (isWithoutColours) field.append(make("p", { class: "hint" }, text("export.copyPlainColours")));
	return field;
}
