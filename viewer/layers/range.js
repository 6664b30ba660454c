/**
 * The scale of a side's ramp: a histogram of the values on the map, the ramp, and its range, which can be dragged at
 * its ends or typed.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {import("./histogram.js").Counts} Counts
 * @typedef {import("@preact/signals-core").ReadonlySignal<Counts | null>} ScreenValues
 * @typedef {import("../base/value-scale.js").Scale} Scale
 * @typedef
 *   {{ painted: ReadonlySignal<PaintedStyle | null>, scale: ReadonlySignal<Scale | null>, isHeld: Signal<boolean> }}
 *   Shown
 */

import { paintedStyle } from "../base/colours.js";
import { make, makeIconButton } from "../base/elements.js";
import { live, widthOf } from "../base/live.js";
import { isDark } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { numberText, parseNumber, roundOn, shareOf, valueAt } from "../base/value-scale.js";
import { computed, signal } from "../vendor/signals-core.js";
import { isChanged, rangeFault, resetColouring, setRange } from "./colouring.js";
import { outline, quantile } from "./histogram.js";
import { drawRamp, writeTicks } from "./ramp-scale.js";

/** Quantiles of the values on the map to which a range is fitted. */
const FIT = [0.02, 0.98];

/** Steps of the handles: no finer than a hand can set. */
const STEPS = 400;
/** Margin around the range and the values on the map, as a fraction of the scale. */
const MARGIN = 0.04;
/**
 * Maximum extension of the scale beyond the range, in lengths of the range, for values on the map; excludes outliers.
 */
const FARTHEST = 1;
const PLOT_HEIGHT_PX = 44;

/** @typedef {"low" | "high"} End */
/** @template T @typedef {import("@preact/signals-core").Signal<T>} Signal */
/** @template T @typedef {import("@preact/signals-core").ReadonlySignal<T>} ReadonlySignal */

/** @param {Side} side @param {ScreenValues} values on the map */
export function makeRangeEditor(side, values) {
	const painted = computed(() => (side.legend.value ? paintedStyle(side.legend.value, side.colouring.value) : null));
	const isHeld = signal(false);
	/** @type {Scale | null} */
	let lastScale = null;
	const scale = computed(() => {
		const style = painted.value;
		if (!style) return null;
		const wide = isHeld.value && lastScale?.isLog === style.isLog ? lastScale : wideScale(style, values.value);
		// An equal scale keeps its identity, so that drawings that depend only on it are not repeated.
		if (wide.low !== lastScale?.low || wide.high !== lastScale.high || wide.isLog !== lastScale.isLog) lastScale = wide;
		return lastScale;
	});
	const plot = make("canvas", { class: "legend-plot", "aria-hidden": "true" });
	const ramp = make("canvas", { class: "legend-ramp", role: "img", height: 1 });
	const ticks = make("div", { class: "legend-ticks", "aria-hidden": "true" });
	const ends = /** @type {End[]} */ (["low", "high"]).map((end) => makeHandle(side, end, { painted, scale, isHeld }));
	const frame = make("div", { class: "legend-scale" }, plot, ramp, ...ends);
	const width = widthOf(frame);
	live(() => {
		void isDark.value;
		if (!painted.value || !scale.value) return;
		ramp.setAttribute("aria-label", spokenRange(side, painted.value));
		if (width.value === 0) return;
		drawRamp(ramp, painted.value, scale.value, width.value);
		writeTicks(ticks, painted.value, scale.value, width.value);
	});
	live(() => {
		void isDark.value;
		if (!painted.value || !scale.value || width.value === 0) return;
		drawPlot(plot, { style: painted.value, scale: scale.value, counts: values.value, width: width.value });
	});
	return make("div", { class: "legend-range" }, frame, ticks, makeRangeRow(side, painted, values));
}

/**
 * Returns the scale around a range: it includes the values on the map, and a margin.
 * @param {PaintedStyle} style
 * @param {Counts | null} counts
 * @returns {Scale}
 */
function wideScale(style, counts) {
	const [low, high] = style.range;
	if (style.isLog) {
		const factor = (high / low) ** (2 * MARGIN);
		return { low: low / factor, high: high * factor, isLog: true };
	}
	const reach = FARTHEST * (high - low);
	const least = counts ? Math.max(low - reach, Math.min(low, counts.low)) : low;
	const most = counts ? Math.min(high + reach, Math.max(high, counts.high)) : high;
	const margin = MARGIN * (most - least || 1);
	return { low: least - margin, high: most + margin, isLog: false };
}

/** @param {Side} side @param {PaintedStyle} style */
function spokenRange(side, { range }) {
	const [low, high] = range.map((value) => numberText(value, locale()));
	return text("legend.spoken", { title: side.legend.peek()?.title ?? "", low, high });
}

/**
 * Makes a slider for one end of the range.
 * @param {Side} side @param {End} end @param {Shown} shown
 */
function makeHandle(side, end, { painted, scale, isHeld }) {
	const label = text(end === "low" ? "legend.lowEnd" : "legend.highEnd");
	const steps = { min: 0, max: STEPS, step: 1 };
	const element = make("input", { type: "range", class: `legend-handle ${end}`, "aria-label": label, ...steps });
	let waiting = 0;
	const move = () => {
		waiting = 0;
		const [style, on] = [painted.peek(), scale.peek()];
		if (!style || !on) return;
		const value = roundOn(on, valueAt(on, Number(element.value) / STEPS));
		const [low, high] = style.range;
		const newRange = /** @type {[number, number]} */ (end === "low" ? [value, high] : [low, value]);
		if (rangeFault(newRange, style.isLog) === null) setRange(side, newRange);
		else show();
	};
	const show = () => {
		const [style, on] = [painted.value, scale.value];
		if (!style || !on) return;
		const value = style.range[end === "low" ? 0 : 1];
		element.value = String(Math.round(shareOf(on, value) * STEPS));
		element.setAttribute("aria-valuetext", numberText(value, locale()));
	};
	element.addEventListener("input", () => {
		if (waiting === 0) waiting = window.requestAnimationFrame(move);
	});
	const hold = (/** @type {boolean} */ isOn) => {
		isHeld.value = isOn;
	};
	for (const begins of ["pointerdown", "keydown"]) element.addEventListener(begins, () => hold(true));
	for (const finishes of ["pointerup", "pointercancel", "blur", "change"]) {
		element.addEventListener(finishes, () => window.requestAnimationFrame(() => hold(false)));
	}
	live(show);
	return element;
}

/**
 * Draws the histogram as an area over the ramp; paler outside of the range.
 * @param {HTMLCanvasElement} canvas
 * @param {{ style: PaintedStyle, scale: Scale, counts: Counts | null, width: number }} what
 */
function drawPlot(canvas, { style, scale, counts, width }) {
	const ratio = window.devicePixelRatio;
	canvas.width = Math.round(width * ratio);
	canvas.height = Math.round(PLOT_HEIGHT_PX * ratio);
	const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
	if (!counts) return;
	const heights = outline(counts, scale, canvas.width);
	const area = new Path2D();
	area.moveTo(0, canvas.height);
	for (const [x, height] of heights.entries()) {
		area.lineTo(x + 0.5, canvas.height - height * (canvas.height - 2 * ratio));
	}
	area.lineTo(canvas.width, canvas.height);
	context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
	context.lineWidth = ratio;
	const [from, to] = style.range.map((value) => Math.round(shareOf(scale, value) * canvas.width));
	for (const [left, right, alpha] of [
		[0, from, 0.3],
		[from, to, 1],
		[to, canvas.width, 0.3],
	]) {
		context.save();
		context.beginPath();
		context.rect(left, 0, right - left, canvas.height);
		context.clip();
		context.globalAlpha = alpha * 0.35;
		context.fill(area);
		context.globalAlpha = alpha;
		context.stroke(area);
		context.restore();
	}
}

/**
 * Makes fields for the range, and buttons that set both ends.
 * @param {Side} side @param {ReadonlySignal<PaintedStyle | null>} painted @param {ScreenValues} values
 */
function makeRangeRow(side, painted, values) {
	const message = make("p", { class: "field-fault", role: "alert", id: `range-fault-${side.id}`, hidden: true });
	const refuse = (/** @type {string | null} */ why) => {
		message.hidden = why === null;
		message.textContent = why ?? "";
	};
	const [low, high] = /** @type {End[]} */ (["low", "high"]).map((end) =>
		make("input", {
			type: "text",
			inputmode: "decimal",
			class: "legend-number",
			autocomplete: "off",
			"data-end": end,
			"aria-label": text(end === "low" ? "legend.lowest" : "legend.highest"),
			"aria-describedby": message.id,
		}),
	);
	const show = () => {
		const style = painted.value;
		if (!style) return;
		[low.value, high.value] = style.range.map((value) => plainNumber(value));
		low.ariaInvalid = high.ariaInvalid = null;
		refuse(null);
	};
	const take = (/** @type {HTMLInputElement} */ input) => {
		const style = painted.peek();
		if (!style) return;
		const typed = [low, high].map(({ value }) => parseNumber(value));
		const range = /** @type {[number, number]} */ (typed.map((value) => value ?? Number.NaN));
		const why = rangeFault(range, style.isLog);
		input.ariaInvalid = why === null ? null : "true";
		refuse(why);
		if (why === null) setRange(side, range);
	};
	for (const input of [low, high]) {
		input.addEventListener("change", () => take(input));
		input.addEventListener("keydown", (event) => {
			if (event.key === "Escape") show();
		});
	}
	const fit = makeIconButton("fit", text("legend.fit"), () => {
		const counts = values.peek();
		if (counts) refuse(fitRange(side, counts));
	});
	const reset = makeIconButton("reset", text("legend.reset"), () => resetColouring(side));
	live(show);
	live(() => {
		fit.disabled = values.value === null;
		reset.disabled = !isChanged(side);
	});
	return make("div", {}, make("div", { class: "legend-row" }, low, fit, reset, high), message);
}

/** Formats a number as it is typed: without thousands separators. @param {number} value */
const plainNumber = (value) =>
	Number(value.toPrecision(7)).toLocaleString(locale(), { maximumSignificantDigits: 7, useGrouping: false });

/**
 * Sets the range to the values on the map, except for a few at both ends.
 * @param {Side} side
 * @param {Counts} counts
 * @returns {string | null} reason if it is impossible
 */
function fitRange(side, counts) {
	const [low, high] = FIT.map((share) => quantile(counts, share));
	if (low === null || high === null) return text("legend.noValues");
	const { isLog } = side.colouring.peek();
	const scale = { low, high, isLog: false };
	const range = /** @type {[number, number]} */ ([roundOn(scale, low), roundOn(scale, high)]);
	const why = low < high ? rangeFault(range, isLog) : text("legend.oneValue");
	if (why === null) setRange(side, range);
	return why;
}
