/** The comparison as a sentence. Its halves are buttons that open the choice of layer and date of a side. */

import { make } from "../base/elements.js";
import { makeIcon } from "../base/icons.js";
import { chooseLayer, sideA, sideB } from "../base/state.js";
import { text } from "../base/text.js";
import { whenText } from "../base/when.js";
import { makeLayerChoice } from "../layers/layer-list.js";
import { startCalendar } from "../time/calendar.js";
import { computed, effect } from "../vendor/signals-core.js";
import { chooseLayerOfB } from "./second-side.js";

/** @typedef {import("../base/state.js").Side} Side */

/** Returns the date of a side in short form; empty for a layer without time. @param {Side} side */
export const dateText = ({ instant, timeDomain }) =>
	instant.value ? whenText(instant.value, timeDomain.value.periods, "short") : "";

/** Returns layer and date of a side. @param {Side} side */
function titleOf(side) {
	const [layer, date] = [side.layer.value?.title ?? "", dateText(side)];
	return date ? text("map.showing", { layer, date }) : layer;
}

/** The layer of both sides; null if they differ. */
const common = computed(() =>
	sideB.value?.layer.value?.id === sideA.layer.value?.id ? (sideA.layer.value?.title ?? "") : null,
);

/** @param {HTMLElement} host parent of the choices */
export function makeSentence(host) {
	const layer = make("span", { class: "common" });
	effect(() => {
		layer.textContent = common.value === null ? "" : `${common.value}:`;
	});
	return make("div", { class: "sentence" }, layer, makeHalf("a", host), makeHalf("b", host));
}

/** @param {"a" | "b"} id @param {HTMLElement} host */
function makeHalf(id, host) {
	const sideOf = () => (id === "a" ? sideA : (sideB.value ?? sideA));
	const words = make("span", {});
	const button = make(
		"button",
		{ class: "half plain", "data-side": id, "aria-haspopup": "dialog", "aria-expanded": "false" },
		make("b", { class: "chip" }, id.toUpperCase()),
		words,
		makeIcon("chevron-down"),
	);
	effect(() => {
		const isNamed = common.value === null || dateText(sideOf()) === "";
		words.textContent = isNamed ? titleOf(sideOf()) : dateText(sideOf());
		button.title = text("compare.choose", { side: id.toUpperCase(), what: titleOf(sideOf()) });
	});
	const choose = id === "a" ? (/** @type {import("../base/api.js").Layer} */ of) => chooseLayer(of.id) : chooseLayerOfB;
	startCalendar(button, { sideOf, host, before: makeLayerChoice({ id: `layer-${id}`, sideOf, choose }) });
	return button;
}
