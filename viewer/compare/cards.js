/** The labels of the sides on the map: letter, date and legend of each side, or the legend of their difference. */

import { make } from "../base/elements.js";
import { compareMode as mode, sideA, sideB } from "../base/state.js";
import { makeKey } from "../layers/key.js";
import { keyOf } from "../layers/key-content.js";
import { renderLegend } from "../layers/legend.js";
import { computed, effect } from "../vendor/signals-core.js";
import { differenceKey, renderReach } from "./difference-key.js";
import { dateText } from "./halves.js";

/** Changes the colours of B. @type {import("../layers/key.js").Render} */
const renderB = (host) => renderLegend(/** @type {import("../base/state.js").Side} */ (sideB.peek()), host);

/** @param {"a" | "b"} id */
export function makeCard(id) {
	const side = computed(() => (id === "a" ? sideA : sideB.value));
	const tag = make("p", { class: "side-tag" });
	const content = computed(() => (side.value ? keyOf(side.value) : null));
	const key = makeKey(content, id === "a" ? null : renderB);
	const card = make("div", { class: `side-card ${id}` }, tag, key);
	effect(() => {
		card.hidden = !side.value || mode.value === null || mode.value === "diff";
		if (side.value) tag.replaceChildren(make("b", {}, id.toUpperCase()), ` ${dateText(side.value)}`);
	});
	return card;
}

export function makeDifferenceCard() {
	const card = make("div", { class: "side-card difference" }, makeKey(differenceKey, renderReach));
	effect(() => {
		card.hidden = mode.value !== "diff" || differenceKey.value === null;
	});
	return card;
}
