/**
 * The drawing of the time chart: lines, bands and dots, numbers of the places at the ends of the lines, axes, and the
 * dates of the maps. The same on the page and in a file.
 *
 * @typedef {import("./series/scales.js").Range} Range
 * @typedef {(number | null | undefined)[]} Column
 * @typedef {{
 *   colour: string, values: Column, label?: string, name?: string, isDashed?: boolean, isStepped?: boolean,
 *     isRight?: boolean, isMeasured?: boolean,
 *   smooth?: Column | null, band?: [low: Column, high: Column] | null, normal?: [low: Column, high: Column] | null,
 * }} PlotLine `colour` names a variable of the style sheet; columns are (moment,),
 *   undefined if the line has no such moment; `isRight` uses the right axis; `label` is at its end, `name` is the
 *     full one
 * @typedef {{ words: string, colour: string, isRight: boolean }} AxisTitle
 * @typedef {{ seconds: number[], lines: PlotLine[], titles: AxisTitle[], classes: { value: number, label: string }[],
 *   writeValue: (value: number) => string }} Picture `classes` are named on the axis instead of values
 * @typedef
 *   {{ width: number, height: number, period: Range, isOnStrip: boolean, colourOf: (name: string) => string }} Paper
 *   in CSS pixels; `isOnStrip` omits dates, because they are below it
 * @typedef {ReturnType<typeof layOut>} Board
 */
import { DAY_MS } from "../base/dates.js";
import { locale } from "../base/text.js";
import { roundValues } from "../base/value-scale.js";
import { ticksOf } from "../time/strip/ticks.js";
import { bandOf, dotsPath, label, makeSvg, pathOf, rule } from "./series/figure.js";
import { aloneIn, isIn, rangeOf, stackLabels } from "./series/scales.js";

/** Minimum distance between dots on the lines. */
const DOT_SPACE_PX = 9;
/** Share of the height of each of two axes that stays free above or below its lines. */
const ROOM_SHARE = 0.3;
const CLASS_AXIS = { size: 134, characters: 18 };
const [VALUE_AXIS_PX, TITLE_PX, LABEL_PX, LABEL_HEIGHT_PX, DATES_PX, TICK_PX] = [48, 20, 20, 12, 24, 18];

/** @param {Picture} picture @param {Paper} paper */
export function layOut(picture, paper) {
	const { lines, seconds, titles, classes } = picture;
	const { width, height, period, isOnStrip } = paper;
	const hasRight = lines.some(({ isRight }) => isRight);
	const left = classes.length > 0 ? CLASS_AXIS.size : VALUE_AXIS_PX;
	const right = Math.max(left + 1, width - (hasRight ? VALUE_AXIS_PX : LABEL_PX));
	const [top, bottom] = [titles.length > 0 ? TITLE_PX : 6, height - (isOnStrip ? 4 : DATES_PX)];
	const ranges = [false, true].map((isRight) => rangeOfAxis(picture, isRight, period));
	const perSecond = (right - left) / (period[1] - period[0]);
	const xOf = (/** @type {number} */ second) => left + perSecond * (second - period[0]);
	const yOf = (/** @type {number} */ value, isRight = false) => {
		const [low, high] = ranges[Number(isRight)];
		return bottom - ((bottom - top) * (value - low)) / (high - low);
	};
	const shown = seconds.filter((second) => isIn(period, second)).length;
	return {
		...{ ...picture, ...paper, hasRight, left, right, top, bottom, ranges, xOf, yOf },
		box: { x: left, y: top, width: right - left, height: Math.max(0, bottom - top) },
		xs: seconds.map(xOf),
		ys: (/** @type {Column} */ column, isRight = false) =>
			column.map((value) => (typeof value === "number" ? yOf(value, isRight) : value)),
		secondAt: (/** @type {number} */ x) => period[0] + (x - left) / perSecond,
		hasRoom: (right - left) / Math.max(1, shown) >= DOT_SPACE_PX,
	};
}

/**
 * Returns the ends of an axis. Of two axes, one has free space below and one above; otherwise lines of the same shape
 * would cover each other.
 * @param {Picture} picture
 * @param {boolean} isRight
 * @param {Range} period
 * @returns {Range}
 */
function rangeOfAxis({ lines, seconds }, isRight, period) {
	const columns = lines
		.filter((line) => Boolean(line.isRight) === isRight)
		.flatMap(({ values, smooth, band, normal }) => [values, smooth ?? [], ...(band ?? []), ...(normal ?? [])]);
	const [low, high] = rangeOf(columns, seconds, period);
	if (!lines.some((line) => line.isRight)) return [low, high];
	const room = ROOM_SHARE * (high - low);
	return isRight ? [low, high + room] : [low - room, high];
}

/** @param {Board} board */
export function drawPlot(board) {
	const { left, top, box, lines } = board;
	// Content outside the axes is clipped. Bands come first, below all lines.
	const within = makeSvg(
		"svg",
		{ ...box, viewBox: `${left} ${top} ${box.width} ${box.height}` },
		...lines.flatMap((line) => drawBands(board, line)),
		...lines.flatMap((line) => drawLine(board, line)),
	);
	const axes = [false, ...(board.hasRight ? [true] : [])].flatMap((isRight) => drawAxis(board, isRight));
	return [...drawDates(board), ...axes, ...drawTitles(board), within, ...drawLabels(board)];
}

/** @param {Board} board @param {PlotLine} line */
function drawBands({ xs, ys, colourOf }, { normal, band, colour, isRight }) {
	const fill = colourOf(colour);
	const edge = { stroke: fill, "stroke-opacity": 0.5, "stroke-width": 0.75, "stroke-dasharray": "2 3" };
	const draw = (/** @type {[Column, Column]} */ pair, /** @type {Record<string, string | number>} */ look) => {
		const [low, high] = pair.map((column) => ys(column, isRight));
		return makeSvg("path", { d: bandOf(xs, low, high), fill, ...look });
	};
	return [
		...(normal ? [draw(normal, { "fill-opacity": 0.08, ...edge })] : []),
		...(band ? [draw(band, { "fill-opacity": 0.15 })] : []),
	];
}

/** @param {PlotLine} line */
export const dashOf = ({ isDashed, isMeasured }) => (isMeasured ? "1 3" : isDashed ? "6 4" : undefined);

/**
 * Draws dots for all values if there is enough space and next to a curve; otherwise only for values that no line would
 * show. Dots of the second layer are hollow.
 * @param {Board} board
 * @param {PlotLine} line
 */
function drawLine({ xs, ys, colourOf, hasRoom }, line) {
	const { isRight, isStepped, isMeasured = false, isDashed } = line;
	const colour = colourOf(line.colour);
	const values = ys(line.values, isRight);
	const path = makeSvg("path", {
		d: pathOf(xs, line.smooth ? ys(line.smooth, isRight) : values, isStepped),
		...{ fill: "none", stroke: colour, "stroke-width": isMeasured ? 1 : 1.5, "stroke-linejoin": "round" },
		"stroke-dasharray": dashOf(line),
	});
	const hasAll = hasRoom || isMeasured || Boolean(line.smooth);
	const which = hasAll ? values.flatMap((y, at) => (typeof y === "number" ? [at] : [])) : aloneIn(values);
	const dots = makeSvg("path", { d: dotsPath(xs, values, which, isDashed || isMeasured ? 2.5 : 2) });
	const isHollow = isDashed && !line.smooth;
	const look = {
		...{ fill: isHollow ? colourOf("--page") : colour, opacity: line.smooth ? 0.55 : undefined },
		...(isHollow ? { stroke: colour, "stroke-width": 1.25 } : {}),
	};
	return [path, makeSvg("g", look, dots)];
}

/** Draws the starts of years, months or days. @param {Board} board */
function drawDates({ seconds, left, right, top, bottom, period, isOnStrip, xOf, colourOf }) {
	const [from, to] = period.map((second) => second * 1000);
	const instants = seconds.map((second) => ({ text: "", ms: second * 1000, end: 0 }));
	const line = colourOf("--line");
	const ticks = ticksOf(instants, { from, to }, ((right - left) / (to - from)) * DAY_MS, locale());
	const drawn = ticks.flatMap(({ ms, text, isMajor }) => {
		const x = xOf(ms / 1000);
		if (x < left || x > right - (isOnStrip ? 0 : 20)) return [];
		const grid = rule([x, isMajor || isOnStrip ? top : bottom, x, bottom + (isOnStrip ? 0 : 6)], line);
		return isOnStrip ? [grid] : [grid, label(x + 3, bottom + 16, colourOf(isMajor ? "--text" : "--text-soft"), text)];
	});
	return [rule([left, bottom, right, bottom], line), ...drawn];
}

/** Draws an axis; two axes have the colours of their quantities. @param {Board} board @param {boolean} isRight */
function drawAxis({ classes, titles, writeValue, hasRight, ranges, left, right, top, bottom, yOf, colourOf }, isRight) {
	const [low, high] = ranges[Number(isRight)];
	const most = Math.max(2, Math.floor((bottom - top) / TICK_PX));
	const ticks =
		!isRight && classes.length > 0
			? classes.filter(({ value }) => value >= low && value <= high)
			: roundValues({ low, high, isLog: false }, most).map((value) => ({ value, label: writeValue(value) }));
	const fill = colourOf((hasRight && titles.find((title) => title.isRight === isRight)?.colour) || "--text-soft");
	return ticks.flatMap(({ value, label: words }) => {
		const y = yOf(value, isRight);
		const { characters } = CLASS_AXIS;
		const fitting = words.length > characters ? `${words.slice(0, characters - 1)}…` : words;
		if (isRight) return [label(right + 6, y + 4, fill, fitting)];
		return [
			rule([left, y, right, y], colourOf("--line")),
			label(left - 6, y + 4, fill, fitting, { "text-anchor": "end" }),
		];
	});
}

/** Draws the quantity of each axis above it. @param {Board} board */
function drawTitles({ titles, width, colourOf }) {
	return [false, true].map((isRight) => {
		const at = isRight ? { x: width - 4, "text-anchor": "end" } : { x: 4 };
		const sideTitles = titles.filter((title) => title.isRight === isRight);
		const words = sideTitles.map(({ words, colour }, index) =>
			makeSvg("tspan", { fill: colourOf(colour), dx: index > 0 ? 14 : 0 }, words),
		);
		return makeSvg("text", { ...at, y: TITLE_PX / 2 + 4, "font-weight": 600 }, ...words);
	});
}

/** Draws the numbers of the places at the ends of their lines, if there is space for all. @param {Board} board */
function drawLabels({ lines, seconds, period, hasRight, right, top, bottom, ys, colourOf }) {
	if (new Set(lines.map((line) => line.label)).size < 2) return [];
	const ends = lines.flatMap((line) => {
		const heights = ys(line.smooth ?? line.values, line.isRight);
		const y = heights.findLast((each, index) => typeof each === "number" && isIn(period, seconds[index]));
		return typeof y === "number" ? [{ ...line, y }] : [];
	});
	const wished = ends.map(({ y }) => y);
	const heights = stackLabels(wished, LABEL_HEIGHT_PX, top, bottom);
	const look = { "font-weight": 600, "text-anchor": hasRight ? "end" : "start" };
	return (heights ?? []).map((y, index) =>
		label(right + (hasRight ? -4 : 5), y + 4, colourOf(ends[index].colour), ends[index].label ?? "", look),
	);
}

/**
 * Draws the date of side A as a line and that of B as a dashed one, with the values of the lines of each side.
 * @param {Board} board
 * @param {number[]} seconds
 */
export const drawMarks = (board, seconds) =>
	seconds.flatMap((second, at) => {
		const look = { class: "plot-mark", "stroke-width": 1.5, "stroke-dasharray": at > 0 ? "5 4" : undefined };
		const lines = board.lines.filter(({ isDashed = false }) => isDashed === at > 0);
		return drawMoment(board, second, lines, at > 0 ? "--text-soft" : "--text", look);
	});

/**
 * A moment with the values of lines.
 * @param {Board} board
 * @param {number} second
 * @param {PlotLine[]} lines
 * @param {string} colour
 * @param {Record<string, string | number | undefined>} [look]
 */
export function drawMoment({ seconds, left, right, top, bottom, xOf, yOf, colourOf }, second, lines, colour, look) {
	const [x, at] = [xOf(second), seconds.indexOf(second)];
	if (!(x >= left && x <= right)) return [];
	const dots = lines.flatMap(({ values, smooth, colour: fill, isRight }) => {
		const value = values[at] ?? smooth?.[at];
		const y = typeof value === "number" ? yOf(value, isRight) : Number.NaN;
		if (!(y >= top - 1 && y <= bottom + 1)) return [];
		const ring = { stroke: colourOf("--page"), "stroke-width": 2 };
		return [makeSvg("circle", { class: "plot-dot", cx: x, cy: y, r: 4, fill: colourOf(fill), ...ring })];
	});
	return [rule([x, top, x, bottom], colourOf(colour), look), ...dots];
}
