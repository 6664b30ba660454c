/**
 * The drawings of years as SVG: overlaid on the days of a year, and as rows of a heat map; the same on the page, in a
 * file and in a report.
 *
 * @typedef {import("./year-lines.js").Column} Column
 * @typedef {{
 *   month: number, lines: import("./year-lines.js").YearLines, now: number | null, usual:
 *     import("./year-lines.js").Usual | null,
 *   seasons: import("./year-lines.js").Season[], range: [low: number, high: number], title: string, isBars: boolean,
 * }} YearPicture `now` is the year of the map; `isBars` draws it as bars from zero
 * @typedef {{ width: number, height: number, strong: string, colourOf: (name: string) => string }} Paper in CSS
 *   pixels; `strong` is the colour of the year of the map
 * @typedef {{
 *   ink: string, left: number, right: number, top: number, bottom: number, row: number, xs: number[],
 *   dayAt: (x: number) => number, yOf: (value: number) => number, ys: (column: Column) => Column,
 * }} Room `row` is the height of the bar of seasons of a year
 * @typedef {YearPicture & Paper & Room} Board
 * @typedef {{ rows: import("./dekads.js").DekadRow[], month: number, fill: (value: number) => string }} HeatPicture
 */
import { DAY_MS } from "../../base/dates.js";
import { locale, text } from "../../base/text.js";
import { numberText, roundValues } from "../../base/value-scale.js";
import { bandOf, dotsPath, label, makeSvg, pathOf, rule } from "../series/figure.js";
import { aloneIn, stackLabels } from "../series/scales.js";
import { DEKADS } from "./dekads.js";
import { DAYS, modelStart, msOf, yearName } from "./year-lines.js";

const ROOM = { left: 44, right: 64, top: 20, months: 17, dates: 14, dated: 58, letter: 7, named: 40 };
const LABEL_PX = 13;
/** Heights of the bars of seasons: all together, one of few, one of many. */
const STRIP_PX = { most: 48, row: 7, least: 2 };
/** Maximum share of the height for all bars of seasons. */
const STRIP_SHARE = 0.25;
/** Narrower months have a label of one letter. */
const NARROW_PX = 30;
const HEAT_ROOM = { left: 58, right: 6, top: 20, bottom: 4 };
const ROW_PX = { least: 12, most: 34 };
const HATCH = "years-hatch";
export const SEASON_TEXTS = /** @type {const} */ (["years.start", "years.peak", "years.end"]);

/** @param {number} ms @param {Intl.DateTimeFormatOptions} parts */
const format = (ms, parts) => new Intl.DateTimeFormat(locale(), { ...parts, timeZone: "UTC" }).format(ms);

/** "11 Jun". @param {number} ms */
export const dayText = (ms) => format(ms, { day: "numeric", month: "short" });

/**
 * Returns the months in order, with their first days.
 * @param {number} month the first
 * @param {number} width of a month
 */
function monthsFrom(month, width) {
	const first = new Date(modelStart(month));
	return Array.from({ length: 12 }, (_, index) => {
		const ms = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + index);
		const name = format(ms, { month: width < NARROW_PX ? "narrow" : "short" });
		return { day: (ms - first.getTime()) / DAY_MS, name };
	});
}

/** @param {number} x @param {number} y @param {number} width @param {number} height @param {string} fill */
const box = (x, y, width, height, fill) => makeSvg("rect", { x, y, width, height, fill });

/** @param {YearPicture} picture @param {Paper} paper @returns {Board} */
export function layOut(picture, paper) {
	const { lines, seasons, range } = picture;
	const row = Math.max(
		STRIP_PX.least,
		Math.min(STRIP_PX.row, Math.floor(Math.min(STRIP_PX.most, STRIP_SHARE * paper.height) / Math.max(1, lines.size))),
	);
	const [left, right, top] = [ROOM.left, paper.width - ROOM.right, ROOM.top];
	const below = seasons.length > 0 ? ROOM.dates + row * lines.size + 4 : 0;
	const bottom = paper.height - ROOM.months - below;
	const width = (right - left) / DAYS;
	const yOf = (/** @type {number} */ value) => bottom - ((bottom - top) * (value - range[0])) / (range[1] - range[0]);
	return {
		...{ ...picture, ...paper, left, right, top, bottom, row, yOf, ink: paper.colourOf("--text-soft") },
		xs: Array.from({ length: DAYS }, (_, day) => left + width * (day + 0.5)),
		dayAt: (/** @type {number} */ x) => Math.max(0, Math.min(DAYS - 1, Math.floor((x - left) / width))),
		ys: (/** @type {Column} */ column) => column.map((value) => (typeof value === "number" ? yOf(value) : value)),
	};
}

/** @param {Board} board */
export const drawYears = (board) => [
	...drawAxes(board),
	...drawUsual(board),
	...[...board.lines.keys()].filter((year) => year !== board.now).flatMap((year) => drawYear(board, year)),
	...(board.now === null ? [] : board.isBars ? drawBars(board, board.now) : drawYear(board, board.now)),
	...drawNames(board),
	...drawDates(board),
	...drawStrip(board),
];

/** @param {Board} board */
function drawAxes({ month, range: [low, high], title, colourOf, ink, left, right, top, bottom, xs, yOf }) {
	const line = colourOf("--line");
	const values = roundValues({ low, high, isLog: false }, Math.max(2, Math.floor((bottom - top) / 30)));
	const half = (right - left) / 24;
	return [
		label(2, 12, ink, title),
		...values.flatMap((value) => [
			rule([left, yOf(value), right, yOf(value)], value === 0 && low < 0 ? ink : line),
			label(left - 6, yOf(value) + 4, ink, numberText(value, locale()), { "text-anchor": "end" }),
		]),
		...monthsFrom(month, 2 * half).flatMap(({ day, name }) => [
			rule([xs[day], bottom, xs[day], bottom + 5], line),
			label(xs[day] + half, bottom + 14, ink, name, { "text-anchor": "middle" }),
		]),
	];
}

/** The range that is usual, and its middle as a broken line. @param {Board} board */
function drawUsual({ usual, ink, xs, ys }) {
	if (!usual) return [];
	return [
		makeSvg("path", { d: bandOf(xs, ys(usual.low), ys(usual.high)), fill: ink, "fill-opacity": 0.13 }),
		makeSvg("path", { d: pathOf(xs, ys(usual.middle)), fill: "none", stroke: ink, "stroke-dasharray": "3 3" }),
	];
}

/**
 * Draws a line: thick for the year of the map, otherwise light for old years and dark for new ones.
 * @param {Board} board
 * @param {number} year
 */
function drawYear({ lines, now, strong, ink, xs, ys }, year) {
	const heights = ys(lines.get(year) ?? []);
	const all = [...lines.keys()];
	const isNow = year === now;
	const shade = isNow ? 1 : 0.35 + (0.65 * (year - all[0])) / Math.max(1, all[all.length - 1] - all[0]);
	const [stroke, width] = isNow ? [strong, 2.5] : [ink, 1];
	const look = { stroke, opacity: shade, "stroke-width": width, "stroke-linejoin": "round", fill: "none" };
	const dots = { d: dotsPath(xs, heights, aloneIn(heights), width), fill: stroke, opacity: shade };
	return [makeSvg("path", { d: pathOf(xs, heights), ...look, "data-year": year }), makeSvg("path", dots)];
}

/** @param {Board} board @param {number} year */
function drawBars({ lines, colourOf, xs, yOf }, year) {
	const column = lines.get(year) ?? [];
	const days = column.flatMap((value, day) => (typeof value === "number" ? [day] : []));
	const step = Math.min(...days.slice(1).map((day, index) => day - days[index]), 10);
	const width = Math.max(2, step * (xs[1] - xs[0]) * 0.7);
	return days.map((day) => {
		const ends = [yOf(Number(column[day])), yOf(0)];
		const colour = colourOf(ends[0] > ends[1] ? "--place-2" : "--place-3");
		return box(xs[day] - width / 2, Math.min(...ends), width, Math.abs(ends[0] - ends[1]), colour);
	});
}

/** Draws the years at the ends of their lines; without space for all, the oldest are omitted. @param {Board} board */
function drawNames({ lines, now, month, colourOf, ink, right, top, bottom, xs, ys }) {
	const all = [...lines].reverse().flatMap(([year, column]) => {
		const heights = ys(column);
		const day = heights.findLastIndex((y) => typeof y === "number");
		// Ends that are near to the right edge are named in one column, so that names do not overlap lines.
		const end = xs[day] > right - ROOM.named ? right : xs[day];
		return day < 0 ? [] : [{ year, x: end + 5, y: Number(heights[day]) }];
	});
	all.sort((one, other) => Number(other.year === now) - Number(one.year === now));
	const ends = all.slice(0, Math.floor((bottom - top) / LABEL_PX));
	const wished = ends.map(({ y }) => y);
	const heights = stackLabels(wished, LABEL_PX, top, bottom) ?? [];
	return ends.map(({ year, x }, index) => {
		const [fill, weight] = year === now ? [colourOf("--text"), 700] : [ink, 400];
		return label(x, heights[index] + 4, fill, yearName(year, month), { "font-weight": weight });
	});
}

/**
 * Returns the height of the line on a day, interpolated; null if there is none.
 * @param {Column} heights
 * @param {number} day
 */
function heightOn(heights, day) {
	const drawnPoints = heights.flatMap((y, at) => (typeof y === "number" ? [{ at, y }] : []));
	const [before, after] = [drawnPoints.findLast(({ at }) => at <= day), drawnPoints.find(({ at }) => at >= day)];
	if (!before || !after) return null;
	return before.y + ((after.y - before.y) * (day - before.at)) / Math.max(1, after.at - before.at);
}

/** Start, peak and end on the line of the map's year, and their dates below the months. @param {Board} board */
function drawDates({ lines, seasons, now, month, isBars, colourOf, strong, bottom, xs, ys }) {
	const heights = now === null ? [] : ys(lines.get(now) ?? []);
	const middle = { "text-anchor": "middle" };
	const dates = seasons.flatMap(({ days }) => days.map((at, index) => ({ ...at, key: SEASON_TEXTS[index] })));
	const marks = dates.flatMap(({ year, day, key }) => {
		const y = year === now ? heightOn(heights, day) : null;
		const [word, date] = [text(key), dayText(msOf({ year, day }, month))];
		return y === null ? [] : [{ x: xs[day], y, letter: word.slice(0, 1), date, words: `${word} ${date}` }];
	});
	/** Whether there is room for whole words, and not for their first letters alone. */
	const isWide = marks.every(({ x, words }, index) => {
		const [from, before] = index > 0 ? [marks[index - 1].x, marks[index - 1].words.length] : [0, 0];
		return x - from > ((before + words.length) / 2) * ROOM.letter;
	});
	let free = 0;
	return marks.flatMap(({ x, y, letter, date, words }) => {
		const text_ = colourOf("--text");
		const look = { r: 4.5, fill: colourOf("--page"), stroke: strong, "stroke-width": 2 };
		const dot = makeSvg("circle", { cx: x, cy: y, ...look });
		const below = label(x, bottom + ROOM.months + 11, text_, isWide ? words : `${letter} ${date}`, middle);
		const isFree = x >= free;
		if (isFree) free = x + ROOM.dated;
		const on = [dot, label(x, y - 9, text_, letter, { ...middle, "font-weight": 700 })];
		return [...(isBars ? [] : on), ...(isFree ? [below] : [])];
	});
}

/** A bar a year from the start to the end of each season, with a notch at its peak. @param {Board} board */
function drawStrip({ lines, seasons, now, colourOf, strong, bottom, row, xs }) {
	const years = [...lines.keys()];
	return seasons.flatMap(({ year, days }) => {
		const [from, peak, to] = days.map((at) => xs[at.year < year ? 0 : at.year > year ? DAYS - 1 : at.day]);
		const y = bottom + ROOM.months + ROOM.dates + 2 + years.indexOf(year) * row;
		const bar = box(from, y, Math.max(1, to - from), row - 1, year === now ? strong : colourOf("--control-line"));
		return [bar, box(peak - 1, y, 2, row - 1, colourOf("--page"))];
	});
}

/**
 * Draws the day of the map, the equivalent day of B, and the day at the pointer.
 * @param {Board} board
 * @param {(number | null | undefined)[]} days
 */
export function drawMarks({ xs, top, bottom, colourOf }, days) {
	const inks = ["--text", "--text-soft", "--control-line"];
	return days.flatMap((day, index) => {
		const more = { "stroke-width": 1.5, "stroke-dasharray": index === 1 ? "5 4" : undefined };
		return typeof day === "number" ? [rule([xs[day], top, xs[day], bottom], colourOf(inks[index]), more)] : [];
	});
}

/**
 * Draws the heat map of a series: one row per year and one column per dekad, in the colours of the layer, with hatching
 * for dekads without a value.
 * @param {HeatPicture} picture
 * @param {Paper} paper
 */
export function drawHeatMap({ rows, month, fill }, { width, height, colourOf }) {
	const own = Math.floor((height - HEAT_ROOM.top - HEAT_ROOM.bottom) / Math.max(1, rows.length));
	const tall = Math.max(ROW_PX.least, Math.min(ROW_PX.most, own));
	const wide = (width - HEAT_ROOM.left - HEAT_ROOM.right) / DEKADS;
	const ink = colourOf("--text-soft");
	const size = { width: Math.max(1, wide - 1), height: tall - 1 };
	const boxAt = (/** @type {number} */ row, /** @type {number} */ column) => ({
		x: HEAT_ROOM.left + column * wide,
		y: HEAT_ROOM.top + row * tall,
		...size,
	});
	const hatch = { id: HATCH, width: 5, height: 5, patternUnits: "userSpaceOnUse" };
	const months = monthsFrom(month, wide * 3).map(({ name }, index) =>
		label(HEAT_ROOM.left + (3 * index + 1.5) * wide, 14, ink, name, { "text-anchor": "middle" }),
	);
	const drawn = rows.flatMap(({ year, cells }, row) => [
		label(HEAT_ROOM.left - 6, HEAT_ROOM.top + (row + 0.5) * tall + 4, ink, yearName(year, month), {
			"text-anchor": "end",
		}),
		...cells.flatMap((cell, column) => {
			const colour = cell?.value === null ? `url(#${HATCH})` : fill(cell?.value ?? 0);
			const look = { fill: colour, stroke: cell?.value === null ? colourOf("--line") : undefined };
			return cell ? [makeSvg("rect", { ...boxAt(row, column), ...look })] : [];
		}),
	]);
	const defs = makeSvg("defs", {}, makeSvg("pattern", hatch, makeSvg("path", { d: "M0 5L5 0", stroke: ink })));
	/** A frame around a cell. @param {{ row: number, column: number }} at */
	const frame = ({ row, column }) =>
		makeSvg("rect", { ...boxAt(row, column), fill: "none", stroke: colourOf("--text"), "stroke-width": 2.5 });
	/** Returns the cell at a point of the drawing; null if there is none. @param {{ x: number, y: number }} at */
	const cellAt = ({ x, y }) =>
		rows[Math.floor((y - HEAT_ROOM.top) / tall)]?.cells[Math.floor((x - HEAT_ROOM.left) / wide)] ?? null;
	return {
		content: [defs, ...months, ...drawn],
		height: HEAT_ROOM.top + rows.length * tall + HEAT_ROOM.bottom,
		frame,
		cellAt,
	};
}
