/**
 * The content of a tab of the chart as a complete drawing: SVG, from which a PNG is made.
 *
 * @typedef {import("../../areas/formats/csv.js").Cell} Cell
 * @typedef
 *   {{ rows: () => Cell[][], svg: () => SVGSVGElement | null, span: () => [from: number, to: number] | null }} Sheet
 *   the visible content: as a table, with the names of its columns in the first row; as a picture; and its period in
 *     milliseconds since 1970
 * @typedef {{ words: string, colour: string, dash?: string }} Entry of the legend
 */
import { colourReader } from "../../base/elements.js";

const SVG = "http://www.w3.org/2000/svg";
const [MARGIN_PX, TITLE_PX, ENTRY_PX, SWATCH_PX] = [12, 24, 18, 24];
/** Approximate width of a letter: the legend has no automatic layout. */
const LETTER_PX = 6.6;

/**
 * @param {Element} element
 * @param {Record<string, string | number | undefined>} attributes undefined ones are not changed
 */
export function setAttributes(element, attributes) {
	for (const [name, value] of Object.entries(attributes))
		if (value !== undefined) element.setAttribute(name, String(value));
}

/**
 * @param {string} tag
 * @param {Record<string, string | number | undefined>} [attributes]
 * @param {...(Node | string)} children
 */
export function makeSvg(tag, attributes = {}, ...children) {
	const element = document.createElementNS(SVG, tag);
	setAttributes(element, attributes);
	element.append(...children);
	return element;
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} fill
 * @param {string} words
 * @param {Record<string, string | number>} [more]
 */
export const label = (x, y, fill, words, more) => makeSvg("text", { x, y, fill, ...more }, words);

/**
 * @param {[x1: number, y1: number, x2: number, y2: number]} ends
 * @param {string} stroke
 * @param {Record<string, string | number | undefined>} [more]
 */
export const rule = ([x1, y1, x2, y2], stroke, more) => makeSvg("line", { x1, y1, x2, y2, stroke, ...more });

/**
 * Returns the path through points of a drawing. It is interrupted where there is no value, and continues over moments
 * that are undefined.
 * @param {number[]} xs
 * @param {(number | null | undefined)[]} ys
 * @param {boolean} [isStepped] whether each value holds until the next
 */
export function pathOf(xs, ys, isStepped = false) {
	let [path, isOn] = ["", false];
	for (const [index, y] of ys.entries()) {
		const [across, down] = [xs[index].toFixed(1), y?.toFixed(1)];
		if (down !== undefined)
			path += !isOn ? `M${across} ${down}` : isStepped ? `H${across}V${down}` : `L${across} ${down}`;
		if (y !== undefined) isOn = y !== null;
	}
	return path;
}

/**
 * Returns dots at points of a line.
 * @param {number[]} xs
 * @param {(number | null | undefined)[]} ys
 * @param {number[]} which indexes of points with a value
 * @param {number} radius
 */
export const dotsPath = (xs, ys, which, radius) =>
	which
		.map((at) => {
			const [start, arc] = [xs[at] - radius, `a${radius} ${radius} 0 1 0`];
			return `M${start.toFixed(1)} ${Number(ys[at]).toFixed(1)}${arc} ${2 * radius} 0${arc} ${-2 * radius} 0Z`;
		})
		.join("");

/**
 * Returns the area between two lines where both have values.
 * @param {number[]} xs
 * @param {(number | null | undefined)[]} lows
 * @param {(number | null | undefined)[]} highs
 */
export function bandOf(xs, lows, highs) {
	const write = (/** @type {number} */ index, /** @type {number} */ y) => `${xs[index].toFixed(1)} ${y.toFixed(1)}`;
	/** @type {number[][]} */
	const parts = [[]];
	for (const index of xs.keys()) {
		const ends = [lows[index], highs[index]];
		if (ends.includes(null)) parts.push([]);
		else if (!ends.includes(undefined)) parts[parts.length - 1].push(index);
	}
	return parts
		.filter(({ length }) => length > 0)
		.map((part) => {
			const over = part.map((index) => write(index, Number(highs[index])));
			const under = part.map((index) => write(index, Number(lows[index])));
			return `M${[...over, ...under.reverse()].join("L")}Z`;
		})
		.join("");
}

/**
 * Returns a picture with its title and legend above the content.
 * @param {{ root: Element, width: number, height: number, title: string, key: Entry[], content: SVGElement[] }} of
 *   CSS pixels; `root` defines fonts and colours; `content` starts at 0, 0
 * @returns {SVGSVGElement}
 */
export function makeFigure({ root, width, height, title, key, content }) {
	const colourOf = colourReader(root);
	let [x, y] = [MARGIN_PX, MARGIN_PX + TITLE_PX];
	const entries = key.map(({ words, colour, dash }) => {
		const room = SWATCH_PX + 6 + words.length * LETTER_PX + 14;
		if (x > MARGIN_PX && x + room > width + MARGIN_PX) [x, y] = [MARGIN_PX, y + ENTRY_PX];
		const [at, middle] = [x, y + ENTRY_PX / 2];
		x += room;
		const look = { "stroke-width": 2, "stroke-dasharray": dash };
		const line = rule([at, middle, at + SWATCH_PX, middle], colour, look);
		return makeSvg("g", {}, line, label(at + SWATCH_PX + 6, middle + 4, colourOf("--text"), words));
	});
	const top = y + (key.length > 0 ? ENTRY_PX : 0) + 6;
	const size = { width: width + 2 * MARGIN_PX, height: top + height + MARGIN_PX };
	const letters = { "font-family": getComputedStyle(root).fontFamily, "font-size": 12 };
	const large = { "font-size": 15, "font-weight": 600 };
	return /** @type {SVGSVGElement} */ (
		makeSvg(
			"svg",
			{ xmlns: SVG, ...size, viewBox: `0 0 ${size.width} ${size.height}`, ...letters },
			makeSvg("rect", { ...size, fill: colourOf("--page") }),
			label(MARGIN_PX, MARGIN_PX + 13, colourOf("--text"), title, large),
			...entries,
			makeSvg("g", { transform: `translate(${MARGIN_PX} ${top})` }, ...content),
		)
	);
}
