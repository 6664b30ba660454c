/**
 * The report of a place as one drawing of an A4 page, which is printed and saved as shown: the map with its legend, the
 * values of the place over time, a table of its years, and the sources.
 *
 * @typedef
 *   {{ title: string, about: string, map: string, chart: SVGElement[], rows: string[][], notes: string[],
 *   source: string,
 *   link: string }} Report `map` is the address of a picture, the first of `rows` has the names of the columns
 */
import { makeSvg } from "../chart/series/figure.js";
import { wrapLines } from "../export/page/page-layout.js";

/** Size of A4 at 96 pixels per inch. */
export const PAGE = { width: 794, height: 1123 };
export const MAP = { width: 698, height: 400 };
export const CHART = { width: 698, height: 250 };
const MARGIN = 48;
const [INK, SOFT, LINE] = ["#18231f", "#52625c", "#c9d2ce"];
const FONT = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';
const ROW_PX = 18;
/** Letters of an address in a line. */
const ADDRESS = /.{1,105}/g;

/**
 * @param {string} words
 * @param {number} x
 * @param {number} y of the base line
 * @param {{ px?: number, weight?: number, fill?: string, anchor?: "start" | "end" }} [form]
 */
const line = (words, x, y, { px = 11.5, weight = 400, fill = INK, anchor = "start" } = {}) =>
	makeSvg("text", { x, y, "font-size": px, "font-weight": weight, fill, "text-anchor": anchor }, words);

/** @param {string} words @param {number} px */
function wrap(words, px) {
	const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
	context.font = `${px}px ${FONT}`;
	return wrapLines(words, MAP.width, (each) => context.measureText(each).width);
}

/** @param {Report} report @returns {SVGElement} */
export function drawReport({ title, about, map, chart, rows, notes, source, link }) {
	const { width, height } = PAGE;
	const page = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": FONT });
	page.append(makeSvg("rect", { width, height, fill: "#ffffff" }));
	let y = MARGIN + 20;
	page.append(
		line(wrap(title, 24)[0], MARGIN, y, { px: 24, weight: 700 }),
		line(about, MARGIN, y + 21, { px: 13, fill: SOFT }),
	);
	y += 34;
	page.append(makeSvg("image", { href: map, x: MARGIN, y, ...MAP }));
	page.append(makeSvg("rect", { x: MARGIN, y, ...MAP, fill: "none", stroke: LINE }));
	y += MAP.height + 16;
	if (chart.length > 0) {
		page.append(makeSvg("g", { transform: `translate(${MARGIN} ${y})`, "font-size": 11 }, ...chart));
		y += CHART.height + 12;
	}
	y = drawTable(page, rows, y);
	for (const words of notes.flatMap((note) => wrap(note, 10))) {
		page.append(line(words, MARGIN, y, { px: 10, fill: SOFT }));
		y += 14;
	}
	const foot = [...wrap(source, 10), ...(link.match(ADDRESS) ?? [])];
	const lines = foot.map((words, row) =>
		line(words, MARGIN, height - MARGIN - 13 * (foot.length - 1 - row), { px: 10, fill: SOFT }),
	);
	page.append(makeSvg("a", { href: link }, ...lines));
	return page;
}

/** @param {SVGElement} page @param {string[][]} rows @param {number} top @returns {number} lower edge of the table */
function drawTable(page, rows, top) {
	const across = MAP.width / (rows[0]?.length ?? 1);
	for (const [index, row] of rows.entries()) {
		const y = top + (index + 1) * ROW_PX;
		for (const [column, words] of row.entries()) {
			const [x, anchor] = column === 0 ? [MARGIN, "start"] : [MARGIN + (column + 1) * across, "end"];
			const form = { weight: index === 0 || column === 0 ? 600 : 400, anchor: /** @type {"start" | "end"} */ (anchor) };
			page.append(line(words, /** @type {number} */ (x), y - 5, form));
		}
		page.append(makeSvg("path", { d: `M${MARGIN} ${y}h${MAP.width}`, stroke: LINE }));
	}
	return top + rows.length * ROW_PX + 18;
}
