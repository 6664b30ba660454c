/** The tab with addresses and code for other programs: this layer, date, bbox and style. */
import { make } from "../base/elements.js";
import { colouring, compareMode, instant, layer, style, view } from "../base/state.js";
import { text } from "../base/text.js";
import { inOrder, shownDifference } from "../compare/second-side.js";
import { makeArea, makeCopyField, makeInput } from "../shell/share.js";
import { effect } from "../vendor/signals-core.js";
import { copiesOf } from "./addresses.js";
import { currentView } from "./current-view.js";

/** @typedef {import("./picture.js").Tab} Tab */

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
	const field = makeCopyField(
		`copy-${kind}`,
		text(`export.copy.${kind}`),
		rows > 1 ? makeArea(words, Math.min(8, rows)) : makeInput(words),
	);
	if (isWithoutColours) field.append(make("p", { class: "hint" }, text("export.copyPlainColours")));
	return field;
}
