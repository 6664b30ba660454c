/** Labels of pictures of the map: title and date, legend, scale, north arrow, and attribution. */

import { BACKGROUNDS, background, compareMode, extras, overlay, sideA, sideB, view } from "../../base/state.js";
import { locale, text } from "../../base/text.js";
import { differenceKey } from "../../compare/difference-key.js";
import { keyOf } from "../../layers/key-content.js";
import { untracked } from "../../vendor/signals-core.js";
import { legendBlock } from "./legend-block.js";
import { metresPerPixel, scaleBar, wrapLines } from "./page-layout.js";

/**
 * @typedef {import("./legend-block.js").Block} Block
 * @typedef {import("../../base/state.js").Side} Side
 * @typedef {CanvasRenderingContext2D} Context
 * @typedef {{ title: boolean, date: boolean, legend: boolean, scale: boolean, north: boolean }} LabelChoice
 *   the attribution is always written
 * @typedef {{ tag: string, title: string, date: string }} Heading
 * @typedef {{ width: number, height: number, px: number }} Page in pixels of the screen; `px` is the size of letters
 */

const INK = "#18231f";
const SOFT = "#52625c";
const MARGIN = 10;
const PAD = 8;
/** Shares of the page that labels may take. */
const LEGEND_WIDTH = 0.4;
const LEGEND_HEIGHT = 0.6;
const LEGEND_PX = [130, 240];
const SCALE_PX = 110;
const NORTH_PX = 34;
/** Minimum width of a line of text next to a legend. */
const LEAST_LINE_PX = 170;

const font = (/** @type {number} */ weight, /** @type {number} */ px) =>
	`${weight} ${px}px system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif`;

/**
 * Returns the compared sides with their letters, or the single one.
 * @returns {{ side: Side, tag: string }[]}
 */
function sidesShown() {
	const all = [sideA, sideB.peek()].filter((side) => side !== null);
	return all.map((side, index) => ({ side, tag: all.length > 1 ? "AB"[index] : "" }));
}

/** @param {string} tag @param {string} title */
const titleWith = (tag, title) => [tag, title].filter(Boolean).join("  ");

/** @returns {Heading[]} */
const headings = () =>
	sidesShown().map(({ side, tag }) => ({ tag, title: side.layer.peek()?.title ?? "", date: side.shownDate.peek() }));

/** Returns the legends on the map: of each side, of each additional layer, or of the difference. */
function keys() {
	if (compareMode.peek() === "diff" && differenceKey.peek()) return [differenceKey.peek()];
	const beside = extras.peek().filter(({ isShown }) => isShown);
	return [...sidesShown(), ...beside.map(({ side }) => ({ side, tag: "" }))].map(({ side, tag }) => {
		const key = keyOf(side);
		return key && { ...key, title: titleWith(tag, key.title) };
	});
}

/** Returns the attributions of data and base maps, each once. */
function credits() {
	const layers = [...sidesShown(), ...extras.peek()].map(({ side }) => side.layer.peek()?.attribution ?? "");
	const ground = BACKGROUNDS.peek().find(({ id }) => id === background.peek());
	const base =
		ground?.baseMap?.attribution ?? (background.peek() === "None" && !overlay.peek() ? "" : text("map.credit"));
	return [...new Set([...layers, base])].filter(Boolean).join(" · ");
}

/**
 * Draws the chosen labels on a picture of the map, as far as there is room.
 * @param {Context} context scaled to pixels of the screen
 * @param {{ width: number, height: number }} size
 * @param {LabelChoice} choice
 */
export function drawLabels(context, size, choice) {
	const page = { ...size, px: size.width < 480 ? 11 : 12.5 };
	context.save();
	const below = choice.title || choice.date ? drawHeadings(context, page, choice) : 0;
	if (choice.north && size.width > 200) drawNorth(context, size.width - MARGIN, MARGIN + below);
	const legend = choice.legend ? legendCard(context, page) : null;
	drawFoot(context, page, legend, choice);
	context.restore();
}

/** @param {Context} context @param {number} x @param {number} y @param {number} width @param {number} height */
function drawCard(context, x, y, width, height) {
	context.beginPath();
	context.roundRect(x, y, width, height, 5);
	context.fillStyle = "#ffffff";
	context.fill();
	context.strokeStyle = "#c9d2ce";
	context.lineWidth = 1;
	context.stroke();
}

/**
 * Writes text that is vertically centred at a height.
 * @param {Context} context
 * @param {string} words
 * @param {number} x
 * @param {number} y
 * @param {{ font: string, colour?: string, align?: CanvasTextAlign }} look
 */
export function write(context, words, x, y, { font, colour = INK, align = "left" }) {
	Object.assign(context, { font, fillStyle: colour, textAlign: align, textBaseline: "middle" });
	context.fillText(words, x, y);
}

/**
 * Draws title and date in the corners at the top.
 * @param {Context} context
 * @param {Page} page
 * @param {LabelChoice} choice
 * @returns {number} the lower edge of the text on the right
 */
function drawHeadings(context, { width, px }, { title, date }) {
	const all = headings();
	const most = (width - (all.length + 1) * MARGIN) / all.length - 2 * PAD;
	let below = 0;
	for (const [index, heading] of all.entries()) {
		const lines = headingLines(context, heading, { title, date, most, px });
		const across = Math.max(...lines.map((line) => line.width)) + 2 * PAD;
		const height = lines.reduce((sum, line) => sum + line.px * 1.3, 0) + 2 * PAD - 2;
		const x = index === 0 ? MARGIN : width - MARGIN - across;
		drawCard(context, x, MARGIN, across, height);
		let y = MARGIN + PAD - 1;
		for (const { words, weight, px, colour } of lines) {
			write(context, words, x + PAD, y + px * 0.65, { font: font(weight, px), colour });
			y += px * 1.3;
		}
		if (index > 0) below = height + MARGIN;
	}
	return below;
}

/**
 * @param {Context} context
 * @param {Heading} heading
 * @param {{ title: boolean, date: boolean, most: number, px: number }} form
 */
function headingLines(context, heading, { title, date, most, px }) {
	const fullTitle = titleWith(heading.tag, heading.title);
	const parts = [
		...(title && fullTitle ? [{ words: fullTitle, weight: 600, px, colour: SOFT }] : []),
		...(date && heading.date ? [{ words: heading.date, weight: 700, px: px * 1.4, colour: INK }] : []),
	];
	const written = parts.length > 0 ? parts : [{ words: fullTitle, weight: 600, px, colour: SOFT }];
	return written.flatMap((part) => {
		context.font = font(part.weight, part.px);
		return wrapLines(part.words, most, (words) => context.measureText(words).width).map((words) => ({
			...part,
			words,
			width: context.measureText(words).width,
		}));
	});
}

/**
 * Draws an arrow: in Web Mercator north is up everywhere.
 * @param {Context} context
 * @param {number} right
 * @param {number} top
 */
function drawNorth(context, right, top) {
	const x = right - NORTH_PX / 2;
	drawCard(context, right - NORTH_PX, top, NORTH_PX, NORTH_PX + 8);
	write(context, text("export.northLetter"), x, top + NORTH_PX, { font: font(700, 11), align: "center" });
	context.fill(new Path2D(`M${x} ${top + 6}l7 20l-7 -5l-7 5Z`));
}

/** @param {Context} context @param {Page} page @returns {Block | null} null if there is no legend or no room */
function legendCard(context, { width, height, px }) {
	const inner = Math.min(LEGEND_PX[1], Math.max(LEGEND_PX[0], Math.round(width * LEGEND_WIDTH))) - 2 * PAD;
	const form = { width: inner, px: px - 0.5, font: (/** @type {number} */ weight) => font(weight, px - 0.5) };
	const shown = untracked(keys).filter((key) => key !== null);
	const blocks = shown.map((key) => legendBlock(context, key, form));
	const whole = blocks.reduce((sum, block) => sum + block.height, 0) + (blocks.length - 1) * PAD + 2 * PAD;
	if (blocks.length === 0 || whole > height * LEGEND_HEIGHT || inner + 2 * PAD + 2 * MARGIN > width) return null;
	const draw = (/** @type {number} */ x, /** @type {number} */ y) => {
		drawCard(context, x, y, inner + 2 * PAD, whole);
		let top = y + PAD;
		for (const block of blocks) {
			block.draw(x + PAD, top);
			top += block.height + PAD;
		}
	};
	return { width: inner + 2 * PAD, height: whole, draw };
}

/**
 * Draws legend, scale and attribution, next to each other or stacked.
 * @param {Context} context
 * @param {Page} page
 * @param {Block | null} legend
 * @param {LabelChoice} choice
 */
function drawFoot(context, { width, height, px }, legend, choice) {
	const beside = width - 2 * MARGIN - (legend ? legend.width + MARGIN : 0) - 2 * PAD;
	const isBeside = beside >= LEAST_LINE_PX;
	const most = isBeside ? beside : width - 2 * (MARGIN + PAD);
	const size = px - 1.5;
	context.font = font(400, size);
	const lines = wrapLines(credits(), most, (words) => context.measureText(words).width);
	const across = Math.max(0, ...lines.map((line) => context.measureText(line).width));
	const deep = lines.length * size * 1.35 + PAD;
	const foot = lines.length === 0 ? 0 : deep + MARGIN;
	if (lines.length > 0) {
		const [x, y] = [width - MARGIN - across - PAD, height - MARGIN - deep];
		drawCard(context, x, y, across + PAD, deep);
		for (const [row, line] of lines.entries()) {
			write(context, line, x + PAD / 2, y + PAD / 2 + (row + 0.5) * size * 1.35, { font: font(400, size) });
		}
	}
	legend?.draw(MARGIN, height - MARGIN - legend.height - (isBeside ? 0 : foot));
	if (choice.scale) drawScale(context, { right: width - MARGIN, bottom: height - MARGIN - foot, px });
}

/** @param {Context} context @param {{ right: number, bottom: number, px: number }} place */
function drawScale(context, { right, bottom, px }) {
	const now = view.peek();
	if (!now) return;
	const { metres, px: long } = scaleBar(metresPerPixel(now.zoom, now.lat), SCALE_PX);
	const words = text(metres >= 1000 ? "export.kilometres" : "export.metres", {
		length: (metres >= 1000 ? metres / 1000 : metres).toLocaleString(locale()),
	});
	const height = px + 20;
	const [left, top] = [right - long - 2 * PAD, bottom - height];
	drawCard(context, left, top, long + 2 * PAD, height);
	write(context, words, left + PAD + long / 2, top + 4 + px / 2, { font: font(400, px - 1), align: "center" });
	context.strokeStyle = INK;
	context.lineWidth = 1.5;
	context.stroke(new Path2D(`M${left + PAD} ${bottom - PAD - 5}v5h${long}v-5`));
}
