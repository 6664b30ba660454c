/**
 * The content of a legend for a side's colours, for all outputs: on the map, in the panel, on pictures, films and
 * paper.
 *
 * @typedef {import("../base/colours.js").PaintedStyle} PaintedStyle
 * @typedef {import("../base/colours.js").Rgba} Rgba
 * @typedef {{ label: string, rgba: Rgba | null }} Swatch null: hatched, like gaps of a difference
 * @typedef {{
 *   title: string, style: PaintedStyle, swatches: Swatch[], ends: [low: string, high: string] | null,
 * }} KeyContent `ends` are names of the ends of the bar, if they have any
 * @typedef {{ share: number, words: string, left: number }} Tick position on the bar, and the left edge of its number
 *   in pixels
 */
import { paintedStyle } from "../base/colours.js";
import { flagText, locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { numberText, roundValues, shareOf } from "../base/value-scale.js";
import { anomalyTitle } from "../base/when.js";

/** Maximum number of numbers below a bar, including those of its ends. */
const MOST_TICKS = 5;
/** Between two numbers. */
const GAP_PX = 6;

/** @param {import("../base/state.js").Side} side @returns {KeyContent | null} null while its colours are loading */
export function keyOf(side) {
	const [layer, legend] = [side.layer.value, side.legend.value];
	if (!layer || !legend) return null;
	const style = paintedStyle(legend, side.colouring.value);
	const units = layer.variable === null ? "" : unitText(legend.units ?? layer.units);
	const { periods } = side.timeDomain.value;
	const isAnomaly = periods?.method === "anomaly";
	const title = isAnomaly ? anomalyTitle(layer.title, periods) : layer.title;
	return {
		title: units ? `${title} (${units})` : title,
		style,
		swatches: [
			...style.classes,
			...[...style.flags].map(([name, rgba]) => ({ label: flagText(name), rgba })),
			{ label: text("value.noData"), rgba: style.nodata },
		].filter(({ rgba }) => rgba[3] > 0),
		ends: isAnomaly ? [text("compare.less"), text("compare.more")] : null,
	};
}

/**
 * Returns the ticks of a bar: those of its ends, and round numbers between them if there is room.
 * @param {PaintedStyle} style
 * @param {number} width of the bar in pixels
 * @param {(words: string) => number} widthOf
 * @returns {Tick[]}
 */
export function ticksOf({ range: [low, high], labels, isLog }, width, widthOf) {
	const scale = { low, high, isLog };
	const place = (/** @type {number} */ value) => {
		const [share, words] = [shareOf(scale, value), numberText(value, locale())];
		const across = widthOf(words);
		const left = Math.min(Math.max(0, share * width - across / 2), width - across);
		return { value, share, words, left, right: left + across };
	};
	const [first, last] = [low, high].map(place);
	if (!(high > low)) return [first];
	const round = labels.length > 0 ? labels : roundValues(scale, MOST_TICKS - 1);
	const every = Math.ceil(round.length / MOST_TICKS);
	const ticks = [first];
	for (const tick of round.filter((_, index) => index % every === 0).map(place)) {
		const isFree = tick.left >= ticks[ticks.length - 1].right + GAP_PX && tick.right + GAP_PX <= last.left;
		if (isFree && tick.share > 0 && tick.share < 1 && ticks.length < MOST_TICKS - 1) ticks.push(tick);
	}
	// Symmetric ranges have symmetric ticks.
	const even =
		low === -high ? ticks.filter(({ value }) => value === low || ticks.some((tick) => tick.value === -value)) : ticks;
	return last.left >= even[even.length - 1].right + GAP_PX ? [...even, last] : even;
}
