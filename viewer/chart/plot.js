/**
 * The drawing of the chart, by uPlot: lines, bands and dots over time, labels at the ends of the lines, and marks at the
 * dates that the maps show, which move without drawing anew.
 *
 * @typedef {import("./scales.js").Range} Range
 * @typedef {(number | null | undefined)[]} Column
 * @typedef {{
 *   label: string, colour: string, isDashed: boolean, isStepped: boolean, isRight: boolean,
 *   values: Column, smooth: Column | null, band: [low: Column, high: Column] | null, normal: [low: Column, high: Column] | null,
 * }} PlotLine `colour` names a variable of the style sheet; columns are (moment,), undefined where the line has no such moment; `isRight` of the axis on the right
 * @typedef {{ seconds: number[], lines: PlotLine[], period: Range | null, classes: { value: number, label: string }[],
 *   writeValue: (value: number) => string }} Picture `classes` are named on the axis in place of values; `period` in seconds since 1970; null for all
 * @typedef {{ onHover: (second: number | null) => void, onPick: (second: number) => void, onSelect: (period: Range | null) => void }} Listeners
 */
import { colourReader } from "../base/elements.js";
import { locale } from "../base/text.js";
import uPlot from "../vendor/uplot.js";
import { aloneIn, axisDate, nearestSecond, rangeOf, stackLabels, wholePeriod } from "./scales.js";

/** Dots on the lines when they are so far apart at least. */
const DOT_SPACE_PX = 9;
/** A pointer that moves less has clicked. */
const DRAG_PX = 6;
/** Labels are no more than years then. */
const MANY_YEARS_S = 6 * 365 * 86_400;
const CLASS_AXIS = { size: 134, characters: 18 };
const LABEL_PX = { width: 96, height: 15, leastPlot: 420 };

/** @param {string} colour @param {number} alpha 0 to 1 */
const withAlpha = (colour, alpha) =>
	/^#[0-9a-f]{6}$/i.test(colour)
		? `${colour}${Math.round(alpha * 255)
				.toString(16)
				.padStart(2, "0")}`
		: `color-mix(in srgb, ${colour} ${alpha * 100}%, transparent)`;

export class Plot {
	/** @param {HTMLElement} root @param {Listeners} listeners */
	constructor(root, listeners) {
		this.root = root;
		this.listeners = listeners;
		/** @type {uPlot | null} */
		this.plot = null;
		/** @type {Picture | null} */
		this.picture = null;
		/** @type {number[]} */
		this.marked = [];
		new ResizeObserver(() => this.resize()).observe(root);
		window.matchMedia("(forced-colors: active)").addEventListener("change", () => this.redraw());
	}

	/** Draws the same once more: the colours of the style sheet are others. */
	redraw() {
		if (this.picture) this.show(this.picture);
	}

	/** @param {Picture | null} picture */
	show(picture) {
		this.plot?.destroy();
		this.plot = null;
		this.picture = picture;
		if (!picture || picture.seconds.length === 0) return;
		const { options, data } = describe(picture, this.root, (plot) => {
			drawLabels(plot, picture, this.root);
			this.mark(this.marked);
		});
		this.plot = new uPlot(options, data, this.root);
		this.marks = this.plot.over.appendChild(document.createElement("div"));
		this.listen(this.plot, picture);
	}

	resize() {
		const { clientWidth: width, clientHeight: height } = this.root;
		if (!this.plot || width === 0 || height === 0 || (this.plot.width === width && this.plot.height === height)) return;
		// The room for labels depends on the width.
		this.redraw();
	}

	/** Marks the date of side A with a line, that of B with a broken one, and the values of each side's lines there with dots. @param {number[]} seconds */
	mark(seconds) {
		this.marked = seconds;
		const { plot, picture, marks } = this;
		if (!plot || !picture || !marks) return;
		// As uPlot knows them: to measure would lay the page out anew at every date that a drag passes.
		const [width, height] = [plot.bbox.width, plot.bbox.height].map((size) => size / (window.devicePixelRatio || 1));
		const nodes = seconds.flatMap((second, index) => {
			const x = plot.valToPos(second, "x");
			if (x < 0 || x > width) return [];
			const lines = picture.lines.filter(({ isDashed }) => isDashed === index > 0);
			return [makeMark(x, index > 0), ...makeDots(plot, lines, picture.seconds.indexOf(second), x, height)];
		});
		marks.replaceChildren(...nodes);
	}

	/** @param {uPlot} plot @param {Picture} picture */
	listen({ over, posToVal }, { seconds }) {
		const { onHover, onPick, onSelect } = this.listeners;
		const secondAt = (/** @type {number} */ clientX) => posToVal(clientX - over.getBoundingClientRect().left, "x");
		const nearest = (/** @type {number} */ clientX) => seconds[nearestSecond(seconds, secondAt(clientX))];
		const shade = over.appendChild(document.createElement("div"));
		shade.className = "plot-shade";
		shade.hidden = true;
		/** @type {number | null} where the drag began */
		let start = null;
		const end = () => {
			start = null;
			shade.hidden = true;
		};
		over.addEventListener("pointerdown", (event) => {
			if (event.button !== 0) return;
			start = event.clientX;
			over.setPointerCapture(event.pointerId);
		});
		over.addEventListener("pointermove", ({ clientX, pointerType }) => {
			if (pointerType !== "touch" || start !== null) onHover(nearest(clientX));
			if (start === null || Math.abs(clientX - start) < DRAG_PX) return;
			const { left, width } = over.getBoundingClientRect();
			const ends = [start, clientX]
				.map((x) => Math.max(0, Math.min(width, x - left)))
				.sort((one, other) => one - other);
			shade.hidden = false;
			shade.style.left = `${ends[0]}px`;
			shade.style.width = `${ends[1] - ends[0]}px`;
		});
		over.addEventListener("pointerup", ({ clientX }) => {
			if (start === null) return;
			const from = start;
			end();
			if (Math.abs(clientX - from) < DRAG_PX) onPick(nearest(clientX));
			else onSelect([secondAt(Math.min(from, clientX)), secondAt(Math.max(from, clientX))]);
		});
		over.addEventListener("pointercancel", end);
		over.addEventListener("pointerleave", () => onHover(null));
		over.addEventListener("dblclick", () => onSelect(null));
	}
}

/** @param {number} x @param {boolean} isOther */
function makeMark(x, isOther) {
	const mark = document.createElement("div");
	mark.className = isOther ? "plot-mark other" : "plot-mark";
	mark.style.transform = `translateX(${Math.round(x)}px)`;
	return mark;
}

/** @param {uPlot} plot @param {PlotLine[]} lines @param {number} at which of the moments; -1 of none @param {number} x @param {number} height */
function makeDots(plot, lines, at, x, height) {
	return lines.flatMap(({ values, smooth, colour, isRight }) => {
		const value = at < 0 ? null : (values[at] ?? smooth?.[at] ?? null);
		const y = value === null ? Number.NaN : plot.valToPos(value, isRight ? "right" : "y");
		if (!(y >= -1 && y <= height + 1)) return [];
		const dot = document.createElement("div");
		dot.className = "plot-dot";
		dot.style.transform = `translate(${x}px, ${y}px)`;
		dot.style.setProperty("--dot", `var(${colour})`);
		return [dot];
	});
}

/** @param {Picture} picture @param {HTMLElement} root @param {(plot: uPlot) => void} drawAfter */
function describe(picture, root, drawAfter) {
	const { seconds, lines, writeValue } = picture;
	const period = picture.period ?? wholePeriod(seconds);
	const { clientWidth: width, clientHeight: height } = root;
	const sheet = getComputedStyle(root);
	const colourOf = colourReader(root);
	const { series, bands, data } = describeLines(lines, colourOf, width / countWithin(seconds, period));
	const right = lines.filter(({ isRight }) => isRight);
	const rangeFor = (/** @type {boolean} */ isRight) => rangeOf(columnsOf(lines, isRight), seconds, period);
	const font = `12px ${sheet.fontFamily}`;
	const axis = { stroke: colourOf("--text-soft"), font, ticks: { show: false }, border: { show: false } };
	const line = { stroke: colourOf("--line"), width: 1 };
	const values = (/** @type {uPlot} */ _plot, /** @type {number[]} */ splits) => splits.map(writeValue);
	const onLeft = picture.classes.length > 0 ? axisOfClasses(picture.classes) : { size: 48, space: 34, values };
	/** @type {uPlot.Options} */
	const options = {
		width,
		height,
		padding: [10, right.length > 0 ? 4 : labelRoom(width), 0, 4],
		legend: { show: false },
		cursor: {
			y: false,
			drag: { x: false, y: false, setScale: false },
			bind: { dblclick: () => null },
			points: { size: 7 },
		},
		tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Etc/UTC"),
		scales: { x: { range: period }, y: { range: rangeFor(false) }, right: { range: rangeFor(true) } },
		axes: [
			{
				...axis,
				size: 28,
				space: period[1] - period[0] > MANY_YEARS_S ? 52 : 96,
				grid: { show: false },
				ticks: { ...line, size: 5 },
				border: { ...line, show: true },
				values: (_plot, splits, _axis, _space, step) => splits.map((at) => axisDate(at, step, locale())),
			},
			{ ...axis, scale: "y", grid: line, ...onLeft },
			{ ...axis, scale: "right", side: 1, size: 48, space: 34, grid: { show: false }, show: right.length > 0, values },
		],
		series: [{}, ...series],
		bands,
		hooks: { draw: [drawAfter] },
	};
	return { options, data: /** @type {uPlot.AlignedData} */ ([seconds, ...data]) };
}

/** Names of classes where values stand else. @param {Picture["classes"]} classes @returns {Partial<uPlot.Axis>} */
const axisOfClasses = (classes) => ({
	size: CLASS_AXIS.size,
	splits: (_plot, _axis, low, high) =>
		classes.map(({ value }) => value).filter((value) => value >= low && value <= high),
	values: (_plot, splits) =>
		splits.map((at) => {
			const label = classes.find(({ value }) => value === at)?.label ?? "";
			return label.length > CLASS_AXIS.characters ? `${label.slice(0, CLASS_AXIS.characters - 1)}…` : label;
		}),
});

/** @param {number[]} seconds @param {Range} period */
const countWithin = (seconds, [from, to]) =>
	Math.max(1, seconds.filter((second) => second >= from && second <= to).length);

/** @param {number} width */
const labelRoom = (width) => (width >= LABEL_PX.leastPlot ? LABEL_PX.width : 12);

/** All that is drawn on one of the two axes. @param {PlotLine[]} lines @param {boolean} isRight */
const columnsOf = (lines, isRight) =>
	lines
		.filter((line) => line.isRight === isRight)
		.flatMap(({ values, smooth, band, normal }) => [values, smooth ?? [], ...(band ?? []), ...(normal ?? [])]);

/** Bands first, under all lines. @param {PlotLine[]} lines @param {(name: string) => string} colourOf @param {number} spacePx between two moments */
function describeLines(lines, colourOf, spacePx) {
	/** @type {uPlot.Series[]} */
	const series = [];
	/** @type {uPlot.Band[]} */
	const bands = [];
	/** @type {Column[]} */
	const data = [];
	const add = (/** @type {Column} */ column, /** @type {uPlot.Series} */ how) => {
		data.push(column);
		return series.push(how);
	};
	for (const { band, normal, colour, isRight } of lines) {
		const edge = { scale: isRight ? "right" : "y", points: { show: false } };
		const tint = colourOf(colour);
		for (const [pair, alpha, width] of /** @type {const} */ ([
			[normal, 0.08, 0.75],
			[band, 0.15, 0],
		])) {
			if (!pair) continue;
			const [low, high] = pair.map((column) =>
				add(column, { ...edge, width, stroke: withAlpha(tint, width > 0 ? 0.5 : 0), dash: [2, 3] }),
			);
			bands.push({ series: [high, low], fill: withAlpha(tint, alpha) });
		}
	}
	for (const line of lines) {
		const tint = colourOf(line.colour);
		const scale = line.isRight ? "right" : "y";
		const dash = line.isDashed ? [6, 4] : undefined;
		const paths = line.isStepped ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
		const main = { scale, stroke: tint, width: 1.5, dash, paths };
		if (line.smooth) {
			const dots = { show: true, size: 3.5, stroke: withAlpha(tint, 0.55), fill: withAlpha(tint, 0.55), width: 0 };
			add(line.values, { scale, stroke: tint, paths: () => null, points: dots });
			add(line.smooth, { ...main, points: { show: false } });
		} else add(line.values, { ...main, points: dotsOf(line.values, tint, spacePx >= DOT_SPACE_PX) });
	}
	return { series, bands, data };
}

/** All values, or only those that no line would show. @param {Column} values @param {string} tint @param {boolean} isRoomy @returns {uPlot.Series.Points} */
const dotsOf = (values, tint, isRoomy) => ({
	show: true,
	size: 4,
	width: 0,
	fill: tint,
	filter: () => (isRoomy ? null : aloneIn(values)),
});

/** Names at the ends of the lines, where there is room for all. @param {uPlot} plot @param {Picture} picture @param {HTMLElement} root */
function drawLabels(plot, { lines, seconds, period }, root) {
	if (lines.some(({ isRight }) => isRight) || labelRoom(root.clientWidth) < LABEL_PX.width || lines.length < 2) return;
	const ratio = window.devicePixelRatio || 1;
	const { ctx, bbox } = plot;
	const last = period ? seconds.findLastIndex((second) => second <= period[1]) : seconds.length - 1;
	const ends = lines.flatMap(({ values, smooth, label, colour }) => {
		const column = smooth ?? values;
		const at = column.findLastIndex((value, index) => index <= last && value !== null && value !== undefined);
		return at < 0 ? [] : [{ label, colour, y: plot.valToPos(/** @type {number} */ (column[at]), "y", true) }];
	});
	const heights = stackLabels(
		ends.map(({ y }) => y),
		LABEL_PX.height * ratio,
		bbox.top,
		bbox.top + bbox.height,
	);
	if (!heights) return;
	const colourOf = colourReader(root);
	ctx.save();
	ctx.font = `600 ${11.5 * ratio}px ${getComputedStyle(root).fontFamily}`;
	ctx.textAlign = "left";
	ctx.textBaseline = "middle";
	for (const [index, { label, colour }] of ends.entries()) {
		ctx.fillStyle = colourOf(colour);
		const room = (LABEL_PX.width - 12) * ratio;
		ctx.fillText(shorten(ctx, label, room), bbox.left + bbox.width + 8 * ratio, heights[index]);
	}
	ctx.restore();
}

/** @param {CanvasRenderingContext2D} ctx @param {string} label @param {number} room in pixels of the canvas */
function shorten(ctx, label, room) {
	let length = label.length;
	const short = () => (length < label.length ? `${label.slice(0, length).trimEnd()}…` : label);
	while (length > 1 && ctx.measureText(short()).width > room) length -= 1;
	return short();
}
