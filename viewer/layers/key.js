/**
 * The legend of a layer on the map: name and unit, the colours with their numbers, classes and flags. It is a button
 * that opens the controls of the colours.
 *
 * @typedef {import("./key-content.js").KeyContent} KeyContent
 * @typedef {(element: HTMLElement) => () => void} Render shows the controls of the colours in an element, and returns
 *   the function that removes them
 */
import { cssColour } from "../base/colours.js";
import { make } from "../base/elements.js";
import { live, widthOf } from "../base/live.js";
import { text } from "../base/text.js";
import { signal } from "../vendor/signals-core.js";
import { ticksOf } from "./key-content.js";
import { drawRamp } from "./ramp-scale.js";

/** Measures text; made on first use. */
let measuring = /** @type {CanvasRenderingContext2D | null} */ (null);

/**
 * Returns a function for the width of text in the font of an element.
 * @param {Element} element
 * @returns {(words: string) => number}
 */
function widthIn(element) {
	measuring ??= make("canvas").getContext("2d");
	const context = /** @type {CanvasRenderingContext2D} */ (measuring);
	context.font = getComputedStyle(element).font;
	return (words) => context.measureText(words).width;
}

/** The pressed legend, and the function that shows its controls: null for the main layer, whose panel has them. */
export const pressed = signal(/** @type {{ key: HTMLElement, render: Render | null } | null} */ (null));

/**
 * @param {{ readonly value: KeyContent | null }} content empty while it is null
 * @param {Render | null} render like in `pressed`
 */
export function makeKey(content, render) {
	const title = make("span", { class: "key-title" });
	const ramp = make("canvas", { class: "legend-ramp", height: 1 });
	const numbers = make("span", { class: "key-numbers" });
	const ends = make("span", { class: "key-ends" });
	const bar = make("span", { class: "key-bar" }, ramp, numbers, ends);
	const swatches = make("span", { class: "key-swatches" });
	const element = make("button", { class: "key plain", title: text("legend.change") }, title, bar, swatches);
	element.addEventListener("click", () => {
		pressed.value = { key: element, render };
	});
	const width = widthOf(bar);
	live(() => {
		const now = content.value;
		element.hidden = now === null;
		if (!now) return;
		title.textContent = now.title;
		bar.hidden = now.style.stops.length === 0;
		ends.replaceChildren(...(now.ends ?? []).map((each) => make("span", {}, each)));
		swatches.hidden = now.swatches.length === 0;
		swatches.replaceChildren(...now.swatches.map(makeSwatch));
	});
	live(() => {
		const style = content.value?.style;
		if (!style || style.stops.length === 0 || width.value === 0) return;
		const [low, high] = style.range;
		drawRamp(ramp, style, { low, high, isLog: style.isLog }, width.value);
		const ticks = ticksOf(style, width.value, widthIn(numbers)).map(({ words, left }) => {
			const tick = make("span", {}, words);
			tick.style.left = `${left}px`;
			return tick;
		});
		numbers.replaceChildren(...ticks);
	});
	return element;
}

/** @param {import("./key-content.js").Swatch} swatch */
function makeSwatch({ label, rgba }) {
	const colour = make("span", { class: rgba ? "swatch" : "swatch hatched" });
	if (rgba) colour.style.setProperty("--swatch", cssColour(rgba));
	return make("span", {}, colour, label);
}
