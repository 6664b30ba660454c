/**
 * The legend of the layer's style: a ramp with its labels, or a list of classes.
 *
 * @typedef {import("./api.js").Layer} Layer
 * @typedef {import("./api.js").Legend} Legend
 */
import { fetchLegend } from "./api.js";
import { layer, point, style } from "./state.js";
import { text } from "./text.js";
import { effect } from "./vendor/signals-core.js";

const COLOUR = /^#[0-9a-f]{6}([0-9a-f]{2})?$/i;

/** Where there is no room for the legend beside the chart. */
const NARROW = "(max-width: 47.99rem)";

/** Width of a label's character, and how near to an end a label is set inside it, in percent of the ramp. */
const CHARACTER = 3.3;
const EDGE = 6;

/** @param {string} colour */
const safeColour = (colour) => (COLOUR.test(colour) ? colour : "transparent");

/** A unit as people write it: that of a plain number is not written. @param {string | null} units */
export const unitText = (units) => (units === null || units === "" || units === "1" ? "" : units);

/** @param {HTMLElement} body where the legend is shown @param {HTMLElement} title */
export function startLegend(body, title) {
	const frame = body.closest("details");
	effect(() => {
		const now = layer.value;
		const chosen = style.value;
		if (!now) return;
		const stopping = new AbortController();
		const { signal } = stopping;
		if (frame) frame.hidden = false;
		title.textContent = now.title;
		body.replaceChildren(paragraph(text.loadingLegend));
		fetchLegend(now, chosen, signal).then(
			(legend) => !signal.aborted && body.replaceChildren(...legendNodes(now, legend)),
			(error) => !signal.aborted && body.replaceChildren(paragraph(text.legendFailed(error.message))),
		);
		return () => stopping.abort();
	});
	effect(() => {
		if (point.value && frame && window.matchMedia(NARROW).matches) frame.open = false;
	});
}

/** @param {string} message */
function paragraph(message) {
	const node = document.createElement("p");
	node.textContent = message;
	return node;
}

/** @param {Layer} of @param {Legend} legend @returns {Node[]} */
function legendNodes(of, legend) {
	const flags = (legend.flags ?? []).map(({ name, color }) => ({ color, label: name }));
	const named = flags.length > 0 ? [swatches(flags)] : [];
	if (legend.type === "classes") return [swatches(legend.classes ?? []), ...named];
	const isScale = of.variable !== null && legend.type === "ramp" && legend.stops?.length;
	if (isScale) return [...ramp(of.title, legend), ...named];
	return [paragraph(text.noLegend)];
}

/** @param {string} title @param {Legend} legend */
function ramp(title, { stops = [], labels = [], range, units }) {
	const [low, high] = range ?? [stops[0].value, stops[stops.length - 1].value];
	const place = (/** @type {number} */ value) => (high > low ? (100 * (value - low)) / (high - low) : 0);
	const bar = document.createElement("div");
	bar.className = "ramp";
	bar.setAttribute("role", "img");
	const unit = unitText(units);
	const spoken = (/** @type {number} */ value) => `${value}${unit && ` ${unit}`}`;
	bar.setAttribute("aria-label", text.rampSpoken(title, spoken(low), spoken(high)));
	const colours = stops.map(({ value, color }) => `${safeColour(color)} ${place(value).toFixed(2)}%`);
	bar.style.setProperty("--ramp", `linear-gradient(to right, ${colours.join(", ")})`);

	const scale = document.createElement("div");
	scale.className = "ramp-labels";
	let free = 0;
	for (const { value, text: label } of labels) {
		const at = place(value);
		if (at < 0 || at > 100) continue;
		const width = CHARACTER * (label.length + 1);
		const start = at < EDGE ? at : at > 100 - EDGE ? at - width : at - width / 2;
		if (start < free - 1) continue;
		free = start + width;
		const mark = document.createElement("span");
		mark.textContent = label;
		mark.style.left = `${at}%`;
		mark.dataset.edge = at < EDGE ? "start" : at > 100 - EDGE ? "end" : "";
		scale.append(mark);
	}
	return unit ? [bar, scale, paragraph(unit)] : [bar, scale];
}

/** @param {{ color: string, label: string }[]} entries */
function swatches(entries) {
	const list = document.createElement("ul");
	list.className = "swatches";
	for (const { color, label } of entries) {
		const item = document.createElement("li");
		const swatch = document.createElement("span");
		swatch.className = "swatch";
		swatch.style.setProperty("--swatch", safeColour(color));
		item.append(swatch, label);
		list.append(item);
	}
	return list;
}
