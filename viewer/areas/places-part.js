/**
 * The part of the panel that chooses a set of places and a statistic, and describes the place under the pointer.
 */

import { make } from "../base/elements.js";
import { layer, timeDomain } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { effect } from "../vendor/signals-core.js";
import { tidyName } from "./formats/faults.js";
import { placeStyle } from "./place-colours.js";
import {
	hasMeans,
	hovered,
	placeSets,
	SPANS,
	STATISTICS,
	shownSet,
	shownSpan,
	showSet,
	span,
	statistic,
} from "./place-sets.js";
import { valuesNow } from "./place-values.js";

/** @param {HTMLElement} panel @param {HTMLElement} frame of the map */
export function startPlacesPart(panel, frame) {
	const list = make("select", { id: "places", onchange: () => showSet(list.value) });
	const state = make("p", { class: "hint", role: "status" });
	const stop = make("button", { class: "quiet", onclick: () => showSet("") }, text("places.stop"));
	const more = makeChoices();
	const label = make("label", { for: "places" });
	panel.append(make("div", { class: "field" }, label, list, more, state, stop));
	effect(() => {
		label.textContent = text("places.title", { layer: layer.value?.title ?? "" });
	});
	effect(() => {
		const sets = placeSets.value;
		panel.hidden = sets.length === 0;
		const options = sets.map(({ id, title, count }) => new Option(text("places.option", { title, count }), id));
		list.replaceChildren(new Option(text("places.none"), ""), ...options);
		list.value = shownSet.value?.id ?? "";
		more.hidden = !shownSet.value || !hasMeans.value;
	});
	effect(() => {
		state.textContent = stateText();
		state.hidden = state.textContent === "";
		stop.hidden = valuesNow.value.phase !== "loading" || !shownSet.value?.shapes;
	});
	effect(() => {
		const areColoured = placeStyle.value !== null && valuesNow.value.phase !== "failed";
		frame.toggleAttribute("data-regions", shownSet.value !== null && areColoured);
	});
	showHovered(frame);
	showAttribution();
}

/** Returns the choices of statistic and period. */
function makeChoices() {
	const whats = STATISTICS.map((each) => new Option(text(`places.statistic.${each}`), each));
	const what = make("select", { "aria-label": text("places.statistic") }, ...whats);
	what.onchange = () => {
		statistic.value = STATISTICS[what.selectedIndex];
	};
	const spans = SPANS.map((each) => new Option(text(`period.${each}`), each));
	const over = make("select", { "aria-label": text("places.span") }, ...spans);
	over.onchange = () => {
		span.value = SPANS[over.selectedIndex];
	};
	effect(() => {
		[what.value, over.value] = [statistic.value, shownSpan.value];
		// The map has chosen.
		over.disabled = timeDomain.value.periods !== undefined;
		over.hidden = layer.value?.times.count === 0;
	});
	return make("div", { class: "places-choices" }, what, over);
}

function stateText() {
	const set = shownSet.value;
	if (!set || !layer.value) return "";
	if (!hasMeans.value) return text("places.noMeans", { layer: layer.value.title });
	const { phase, why, done } = valuesNow.value;
	if (phase === "loading") {
		return done > 0 ? text("places.loadingSome", { done, count: set.count }) : text("places.loading");
	}
	if (phase === "failed") return text("places.failed", { why });
	const { method = "mean" } = timeDomain.value.periods ?? {};
	return ["mean", "anomaly"].includes(method) ? "" : text("places.meanOfDates");
}

/** Formats a value with enough digits to distinguish it from others. @param {number} value */
const write = (value) =>
	new Intl.NumberFormat(locale(), { maximumSignificantDigits: 4, useGrouping: false }).format(value);

/** Shows name and value of the place under the pointer. @param {HTMLElement} frame */
function showHovered(frame) {
	const tip = make("p", { class: "place-tip" });
	frame.append(tip);
	effect(() => {
		const [feature, { phase, values }, of] = [hovered.value, valuesNow.value, layer.value];
		tip.hidden = feature === null;
		if (!feature) return;
		const name = tidyName(feature.properties.label ?? feature.properties.id);
		const value = values[feature.id] ?? null;
		const units = statistic.value === "valid_share" ? "" : unitText(of?.units);
		const what = text(`places.statistic.${statistic.value}`);
		const told =
			value === null ? text("value.noData") : text("places.value", { what, value: `${write(value)} ${units}`.trim() });
		tip.replaceChildren(make("strong", {}, name), phase === "ready" ? ` ${told}` : "");
	});
}

/** Shows the attribution of the places next to that of the pixels. */
function showAttribution() {
	const words = make("span", { id: "places-attribution" });
	document.getElementById("map-credit")?.after(words);
	effect(() => {
		words.textContent = shownSet.value?.attribution ? ` · ${shownSet.value.attribution}` : "";
	});
}
