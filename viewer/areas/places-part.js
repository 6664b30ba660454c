/** The part of the panel that chooses a set of places, and what is told of the one under the pointer. */

import { make } from "../base/elements.js";
import { layer } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { effect } from "../vendor/signals-core.js";
import { tidyName } from "./formats/faults.js";
import { hasMeans, hovered, placeSets, shownSet, valuesNow } from "./place-sets.js";

/** @param {HTMLElement} panel @param {HTMLElement} frame of the map */
export function startPlacesPart(panel, frame) {
	const list = make("select", { id: "places", onchange: () => choose(list.value) });
	const state = make("p", { class: "hint", role: "status" });
	const label = make("label", { for: "places" });
	panel.append(make("div", { class: "field" }, label, list, state));
	effect(() => {
		label.textContent = text("places.title", { layer: layer.value?.title ?? "" });
	});
	effect(() => {
		const sets = placeSets.value;
		panel.hidden = sets.length === 0;
		const options = sets.map(({ id, title, count }) => new Option(text("places.option", { title, count }), id));
		list.replaceChildren(new Option(text("places.none"), ""), ...options);
		list.value = shownSet.value?.id ?? "";
	});
	effect(() => {
		state.textContent = stateText();
		state.hidden = state.textContent === "";
	});
	effect(() => {
		frame.toggleAttribute("data-regions", shownSet.value !== null && hasMeans.value);
	});
	showHovered(frame);
	showAttribution();
}

/** @param {string} id */
const choose = (id) => {
	shownSet.value = placeSets.peek().find((set) => set.id === id) ?? null;
};

function stateText() {
	if (!shownSet.value || !layer.value) return "";
	if (!hasMeans.value) return text("places.noMeans", { layer: layer.value.title });
	const { phase, why } = valuesNow.value;
	if (phase === "loading") return text("places.loading");
	return phase === "failed" ? text("places.failed", { why }) : "";
}

/** A value with the digits that tell it from others. @param {number} value */
const write = (value) =>
	new Intl.NumberFormat(locale(), { maximumSignificantDigits: 4, useGrouping: false }).format(value);

/** Tells name and value of the place under the pointer. @param {HTMLElement} frame */
function showHovered(frame) {
	const tip = make("p", { class: "place-tip" });
	tip.hidden = true;
	frame.append(tip);
	effect(() => {
		const [feature, { phase, values }, of] = [hovered.value, valuesNow.value, layer.value];
		tip.hidden = feature === null;
		if (!feature) return;
		const name = tidyName(feature.properties.label ?? feature.properties.id);
		const value = values[feature.id] ?? null;
		const units = unitText(of?.units);
		const told =
			value === null ? text("value.noData") : text("places.mean", { value: `${write(value)} ${units}`.trim() });
		tip.replaceChildren(make("strong", {}, name), phase === "ready" ? ` ${told}` : "");
	});
}

/** Names whose places they are beside whose pixels. */
function showAttribution() {
	const words = make("span", { id: "places-attribution" });
	document.getElementById("map-credit")?.after(words);
	effect(() => {
		words.textContent = shownSet.value?.attribution ? ` · ${shownSet.value.attribution}` : "";
	});
}
