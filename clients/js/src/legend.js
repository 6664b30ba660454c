/**
 * `<chronotile-legend server layer [layer-style]>`: the colours of a layer with their values, classes and flags. If its
 * property `source` is a layer of `openLayer`, it sends no requests.
 *
 * Colours of its text follow the page; `::part(title)`, `::part(bar)`, `::part(ticks)` and `::part(classes)` can be
 * styled.
 *
 * @typedef {import("./layer.js").Legend} Legend
 */
import { cssColour, paintedStyle, parseColour } from "../../../viewer/base/colours.js";
import { make } from "../../../viewer/base/elements.js";
import { unitText } from "../../../viewer/base/units.js";
import { drawRamp, writeTicks } from "../../../viewer/layers/ramp-scale.js";
import { define, LiveElement } from "./element.js";
import css from "./legend.css";
import { fetchJson, urlOf } from "./request.js";

const AS_STYLED = { range: null, ramp: null, isReversed: false, isLog: false };

/** @param {string} color @param {string} label */
function makeRow(color, label) {
	const swatch = make("span", { class: "swatch" });
	swatch.style.background = cssColour(parseColour(color));
	return make("li", {}, swatch, label);
}

/** @param {string} part @param {HTMLElement[]} rows */
const makeRows = (part, rows) => (rows.length > 0 ? [make("ul", { part }, ...rows)] : []);

export class ChronotileLegend extends LiveElement {
	static observedAttributes = ["server", "layer", "layer-style"];
	#body = make("div");
	/** @type {(width: number) => void} */
	#draw = () => {};

	constructor() {
		super(css);
		this.root.append(this.#body);
		new ResizeObserver(() => this.#draw(this.#body.clientWidth)).observe(this.#body);
	}

	/** The layer of `openLayer`, instead of `server` and `layer`. @param {{ legend: Legend }} layer */
	set source({ legend }) {
		this.#show(legend);
	}

	/** @param {AbortSignal} signal */
	async update(signal) {
		const [server, layer] = [this.attribute("server"), this.attribute("layer")];
		if (!layer) return;
		const style = this.attribute("layer-style");
		try {
			const legend = await fetchJson(
				urlOf(server, `tiles/${encodeURIComponent(layer)}/legend.json`, { style }),
				signal,
			);
			if (!signal.aborted) this.#show(legend);
		} catch (error) {
			if (!signal.aborted) this.#say(/** @type {Error} */ (error).message);
		}
	}

	/** @param {string} words */
	#say(words) {
		this.#draw = () => {};
		this.#body.replaceChildren(make("p", { role: "status" }, words));
	}

	/** @param {Legend} legend */
	#show(legend) {
		const style = paintedStyle(legend, AS_STYLED);
		const units = unitText(legend.units);
		const title = make("div", { part: "title" }, units ? `${legend.title} (${units})` : legend.title);
		const flags = (legend.flags ?? []).filter(({ color }) => parseColour(color)[3] > 0);
		const isRamp = style.stops.length > 0;
		const classes = isRamp ? [] : (legend.classes ?? []).map(({ color, label }) => makeRow(color, label));
		const bar = make("canvas", { part: "bar", role: "img", "aria-label": legend.title, height: 1 });
		const ticks = make("div", { part: "ticks" });
		this.#draw = (width) => {
			if (!isRamp || width === 0) return;
			const [low, high] = style.range;
			const scale = { low, high, isLog: style.isLog };
			drawRamp(bar, style, scale, width);
			writeTicks(ticks, style, scale, width);
		};
		this.#body.replaceChildren(
			title,
			...(isRamp ? [bar, ticks] : []),
			...makeRows("classes", classes),
			...makeRows(
				"flags",
				flags.map(({ color, name }) => makeRow(color, name)),
			),
		);
		this.#draw(this.#body.clientWidth);
	}
}

define("chronotile-legend", ChronotileLegend);
