/**
 * The chart over time as a drawing that stands alone.
 *
 * @typedef {import("./plot.js").Picture} Picture
 * @typedef {import("./series/scales.js").Range} Range
 * @typedef {{ left: number, width: number, height: number, period: Range, marked: number[],
 *   xOf: (second: number) => number, yOf: (value: number, isRight: boolean) => number, rangeOf: (isRight: boolean) => Range }} Frame
 *   of the chart as it is seen, in CSS pixels from the corner of what is within its axes
 */
import { colourReader } from "../base/elements.js";
import { locale } from "../base/text.js";
import { ticksOf } from "../time/strip/ticks.js";
import { bandOf, makeFigure, makeSvg, pathOf } from "./series/figure.js";
import { ticksBetween } from "./series/scales.js";

const [DATES_PX, DAY_MS] = [24, 86_400_000];
/** Between two numbers of an axis, at least. */
const TICK_PX = 24;

/** @param {Picture} picture @param {Frame} frame @param {Element} root @param {string} title */
export function timeFigure(picture, frame, root, title) {
	const colourOf = colourReader(root);
	const { left, width, height } = frame;
	const hasRight = picture.lines.some(({ isRight }) => isRight);
	const clip = makeSvg("clipPath", { id: "shown" }, makeSvg("rect", { width, height }));
	const lines = makeSvg(
		"g",
		{ "clip-path": "url(#shown)" },
		...picture.lines.flatMap((line) => linesOf(line, picture, frame, colourOf)),
	);
	const content = makeSvg(
		"g",
		{ transform: `translate(${left} 0)` },
		clip,
		...datesOf(picture, frame, colourOf),
		...[false, ...(hasRight ? [true] : [])].flatMap((isRight) => axisOf(picture, frame, isRight, colourOf)),
		lines,
	);
	const key = picture.lines.map(({ name, colour, ...line }) => ({
		words: name,
		colour: colourOf(colour),
		dash: dashOf(line),
	}));
	return makeFigure({
		root,
		width: left + width + (hasRight ? 48 : 20),
		height: height + DATES_PX,
		title,
		key,
		content: [content],
	});
}

/** @param {{ isDashed: boolean, isMeasured?: boolean }} line */
const dashOf = ({ isDashed, isMeasured }) => (isMeasured ? "1 3" : isDashed ? "6 4" : undefined);

/** @param {import("./plot.js").PlotLine} line @param {Picture} picture @param {Frame} frame @param {(name: string) => string} colourOf */
function linesOf(line, { seconds }, { period, xOf, yOf }, colourOf) {
	const colour = colourOf(line.colour);
	const xs = seconds.map(xOf);
	const place = (/** @type {import("./plot.js").Column} */ column) =>
		column.map((value) => (typeof value === "number" ? yOf(value, line.isRight) : value));
	const bands = [line.normal, line.band].flatMap((pair, at) =>
		pair
			? [
					makeSvg("path", {
						d: bandOf(xs, place(pair[0]), place(pair[1])),
						fill: colour,
						"fill-opacity": at === 0 ? 0.1 : 0.16,
					}),
				]
			: [],
	);
	const values = place(line.values);
	const dots = values.flatMap((y, at) =>
		typeof y === "number" ? [makeSvg("circle", { cx: xs[at].toFixed(1), cy: y.toFixed(1), r: 1.6, fill: colour })] : [],
	);
	const d = pathOf(xs, line.smooth ? place(line.smooth) : values);
	const path = makeSvg("path", {
		d,
		fill: "none",
		stroke: colour,
		"stroke-width": 1.5,
		"stroke-dasharray": dashOf(line),
	});
	const last = values.findLastIndex(
		(y, at) => typeof y === "number" && seconds[at] >= period[0] && seconds[at] <= period[1],
	);
	const at = { x: xs[last] + 4, y: (values[last] ?? 0) - 4, fill: colour, "font-weight": 600, "text-anchor": "end" };
	const label = last < 0 ? [] : [makeSvg("text", at, line.label)];
	return [...bands, path, ...dots, ...label];
}

/** Where years, months or days begin, and the dates of the maps. @param {Picture} picture @param {Frame} frame @param {(name: string) => string} colourOf */
function datesOf({ seconds }, { width, height, period, marked, xOf }, colourOf) {
	const [from, to] = period.map((second) => second * 1000);
	const instants = seconds.map((second) => ({ text: "", ms: second * 1000, end: 0 }));
	const ticks = ticksOf(instants, { from, to }, (width / (to - from)) * DAY_MS, locale());
	const edge = makeSvg("line", { x2: width, y1: height, y2: height, stroke: colourOf("--line") });
	const words = ticks.flatMap(({ ms, text, isMajor }) => {
		const x = xOf(ms / 1000);
		if (x < 0 || x > width - 20) return [];
		return [
			makeSvg("line", { x1: x, x2: x, y1: isMajor ? 0 : height, y2: height + 6, stroke: colourOf("--line") }),
			makeSvg("text", { x: x + 3, y: height + 16, fill: colourOf(isMajor ? "--text" : "--text-soft") }, text),
		];
	});
	const marks = marked
		.map(xOf)
		.filter((x) => x >= 0 && x <= width)
		.map((x, at) =>
			makeSvg("line", {
				x1: x,
				x2: x,
				y2: height,
				stroke: colourOf("--text"),
				"stroke-dasharray": at > 0 ? "5 4" : undefined,
			}),
		);
	return [edge, ...words, ...marks];
}

/** @param {Picture} picture @param {Frame} frame @param {boolean} isRight @param {(name: string) => string} colourOf */
function axisOf({ classes, titles, writeValue, lines }, { width, height, yOf, rangeOf }, isRight, colourOf) {
	const [low, high] = rangeOf(isRight);
	const isOfClasses = !isRight && classes.length > 0;
	const ticks = isOfClasses
		? classes.filter(({ value }) => value >= low && value <= high)
		: ticksBetween(low, high, Math.max(2, Math.floor(height / TICK_PX))).map((value) => ({
				value,
				label: writeValue(value),
			}));
	const hasTwo = lines.some((line) => line.isRight);
	const colour = colourOf((hasTwo && titles.find((title) => title.isRight === isRight)?.colour) || "--text-soft");
	return ticks.flatMap(({ value, label }) => {
		const y = yOf(value, isRight);
		const at = isRight ? { x: width + 6 } : { x: -6, "text-anchor": "end" };
		return [
			...(isRight ? [] : [makeSvg("line", { x2: width, y1: y, y2: y, stroke: colourOf("--line") })]),
			makeSvg("text", { ...at, y: y + 4, fill: colour }, label),
		];
	});
}
