/**
 * The drawing of the chart, by uPlot: lines, bands and dots over time, labels at the ends of the lines, and marks at the
 * dates that the maps show, which move without drawing anew. Its axis of time is the strip's, which stands below it.
 *
 * @typedef {import("./series/scales.js").Range} Range
 * @typedef {(number | null | undefined)[]} Column
 * @typedef {{
 *   label: string, name: string, colour: string, isDashed: boolean, isStepped: boolean, isRight: boolean, isMeasured?: boolean,
 *   values: Column, smooth: Column | null, band: [low: Column, high: Column] | null, normal: [low: Column, high: Column] | null,
 * }} PlotLine `colour` names a variable of the style sheet; columns are (moment,), undefined where the line has no such moment; `isRight` of the axis on the right; `label` at its end, `name` in full
 * @typedef {{ words: string, colour: string, isRight: boolean }} AxisTitle
 * @typedef {{ seconds: number[], lines: PlotLine[], titles: AxisTitle[], classes: { value: number, label: string }[],
 *   writeValue: (value: number) => string }} Picture `classes` are named on the axis in place of values
 * @typedef {{ onHover: (second: number | null) => void, onPick: (second: number) => void, onDrag?: (second: number | null) => void,
 *   onSelect: (period: Range | null) => void, onWheel?: (event: WheelEvent, share: number, widthPx: number) => void,
 *   onLayout?: (left: number, right: number) => void, isOnStrip?: () => boolean }} Listeners `onDrag` of the date's line, null at its end;
 *   `onLayout` how far the axis of time is from the edges; `isOnStrip` whether the strip below has its dates
 */
import { colourReader } from "../base/elements.js";
import { locale } from "../base/text.js";
import uPlot from "../vendor/uplot.js";
import { aloneIn, axisDate, nearestSecond, rangeOf, stackLabels, wholePeriod } from "./series/scales.js";

/** Dots on the lines when they are so far apart at least. */
const DOT_SPACE_PX = 9;
/** A pointer that moves less has clicked. */
const DRAG_PX = 6;
/** The date's line is grasped from so far. */
const GRASP_PX = 7;
/** Labels are no more than years then. */
const MANY_YEARS_S = 6 * 365 * 86_400;
const ROOM_SHARE = 0.3;
const CLASS_AXIS = { size: 134, characters: 18 };
const [VALUE_AXIS_PX, TITLE_PX, LABEL_PX, LABEL_HEIGHT_PX] = [48, 20, 20, 12];

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
		/** What is shown of the time; null for all. @type {Range | null} */
		this.period = null;
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
		const range = () => this.period ?? wholePeriod(picture.seconds);
		this.wasOnStrip = this.listeners.isOnStrip?.() ?? false;
		const { options, data } = describe(picture, this.root, range, this.wasOnStrip, (plot) => {
			drawTitles(plot, picture, this.root);
			drawLabels(plot, picture, range(), this.root);
			this.mark(this.marked);
		});
		this.plot = new uPlot(options, data, this.root);
		const { left, width } = this.boxPx(this.plot);
		this.listeners.onLayout?.(left, this.root.clientWidth - left - width);
		this.marks = this.plot.over.appendChild(document.createElement("div"));
		this.listen(this.plot, picture);
	}

	/** Shows a part of the time; null for all of it. @param {Range | null} period */
	zoom(period) {
		this.period = period;
		if (!this.plot || !this.picture) return;
		const [min, max] = period ?? wholePeriod(this.picture.seconds);
		if (this.wasOnStrip !== (this.listeners.isOnStrip?.() ?? false)) this.redraw();
		else this.plot.setScale("x", { min, max });
	}

	/** Where lines are, in CSS pixels, as uPlot knows it: to measure would lay the page out anew at every date that a drag passes. @param {uPlot} plot */
	boxPx({ bbox }) {
		const ratio = window.devicePixelRatio || 1;
		return { left: bbox.left / ratio, width: bbox.width / ratio, height: bbox.height / ratio };
	}

	/** What a drawing of the same needs; null where nothing is seen. @returns {import("./time-figure.js").Frame | null} */
	frame() {
		const { plot, picture } = this;
		if (!plot || !picture) return null;
		const period = this.period ?? wholePeriod(picture.seconds);
		return {
			...this.boxPx(plot),
			period,
			marked: this.marked,
			xOf: (second) => plot.valToPos(second, "x"),
			yOf: (value, isRight) => plot.valToPos(value, isRight ? "right" : "y"),
			rangeOf: (isRight) => rangeOfAxis(picture, isRight, period),
		};
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
		const { width, height } = this.boxPx(plot);
		const nodes = seconds.flatMap((second, index) => {
			const x = plot.valToPos(second, "x");
			if (x < 0 || x > width) return [];
			const lines = picture.lines.filter(({ isDashed }) => isDashed === index > 0);
			return [makeMark(x, index > 0), ...makeDots(plot, lines, picture.seconds.indexOf(second), x, height)];
		});
		marks.replaceChildren(...nodes);
	}

	/** @param {uPlot} plot @param {Picture} picture */
	listen({ over, posToVal, valToPos }, { seconds }) {
		const { onHover, onPick, onDrag, onSelect, onWheel } = this.listeners;
		const secondAt = (/** @type {number} */ clientX) => posToVal(clientX - over.getBoundingClientRect().left, "x");
		const nearest = (/** @type {number} */ clientX) => seconds[nearestSecond(seconds, secondAt(clientX))];
		const shade = over.appendChild(document.createElement("div"));
		shade.className = "plot-shade";
		shade.hidden = true;
		/** @type {number | null} where the drag began */
		let start = null;
		let isDate = false;
		const isOnDate = (/** @type {number} */ clientX) =>
			onDrag !== undefined &&
			Math.abs(clientX - over.getBoundingClientRect().left - valToPos(this.marked[0] ?? Number.NaN, "x")) < GRASP_PX;
		const end = () => {
			start = null;
			shade.hidden = true;
			if (isDate) onDrag?.(null);
			isDate = false;
		};
		over.addEventListener("pointerdown", (event) => {
			if (event.button !== 0) return;
			start = event.clientX;
			isDate = isOnDate(start);
			over.setPointerCapture(event.pointerId);
		});
		over.addEventListener("pointermove", ({ clientX, pointerType }) => {
			if (start === null) over.style.cursor = isOnDate(clientX) ? "ew-resize" : "";
			if (isDate) {
				onDrag?.(secondAt(clientX));
				return;
			}
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
			const [from, wasDate] = [start, isDate];
			end();
			if (wasDate) return;
			if (Math.abs(clientX - from) < DRAG_PX) onPick(nearest(clientX));
			else onSelect([secondAt(Math.min(from, clientX)), secondAt(Math.max(from, clientX))]);
		});
		over.addEventListener("pointercancel", end);
		over.addEventListener("pointerleave", () => onHover(null));
		over.addEventListener("dblclick", () => onSelect(null));
		over.addEventListener(
			"wheel",
			(event) => {
				const { left, width } = over.getBoundingClientRect();
				onWheel?.(event, (event.clientX - left) / width, width);
			},
			{ passive: false },
		);
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

/** @param {Picture} picture @param {HTMLElement} root @param {() => Range} range what is shown of the time @param {boolean} isOnStrip whose dates are those of the chart @param {(plot: uPlot) => void} drawAfter */
function describe(picture, root, range, isOnStrip, drawAfter) {
	const { seconds, lines, titles, writeValue } = picture;
	const { clientWidth: width, clientHeight: height } = root;
	const sheet = getComputedStyle(root);
	const colourOf = colourReader(root);
	const hasRoom = () => width / countWithin(seconds, range()) >= DOT_SPACE_PX;
	const { series, bands, data } = describeLines(lines, colourOf, hasRoom);
	const hasRight = lines.some(({ isRight }) => isRight);
	const rangeFor = (/** @type {boolean} */ isRight) => () => rangeOfAxis(picture, isRight, range());
	/** Two axes have the colours of what they are of. @param {boolean} isRight */
	const strokeOf = (isRight) =>
		colourOf((hasRight && titles.find((title) => title.isRight === isRight)?.colour) || "--text-soft");
	const font = `12px ${sheet.fontFamily}`;
	const axis = { stroke: colourOf("--text-soft"), font, ticks: { show: false }, border: { show: false } };
	const line = { stroke: colourOf("--line"), width: 1 };
	const values = (/** @type {uPlot} */ _plot, /** @type {number[]} */ splits) => splits.map(writeValue);
	const onLeft =
		picture.classes.length > 0 ? axisOfClasses(picture.classes) : { size: VALUE_AXIS_PX, space: 34, values };
	/** @type {uPlot.Options} */
	const options = {
		width,
		height,
		padding: [titles.length > 0 ? TITLE_PX : 6, hasRight ? 0 : LABEL_PX, isOnStrip ? 4 : 0, 0],
		legend: { show: false },
		cursor: {
			y: false,
			drag: { x: false, y: false, setScale: false },
			bind: { dblclick: () => null },
			points: { size: 7 },
		},
		tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Etc/UTC"),
		scales: { x: { range: () => range() }, y: { range: rangeFor(false) }, right: { range: rangeFor(true) } },
		axes: [
			{
				...axis,
				size: isOnStrip ? 0 : 28,
				space: () => (range()[1] - range()[0] > MANY_YEARS_S ? 52 : 96),
				grid: { ...line, show: isOnStrip },
				ticks: { ...line, size: 5, show: !isOnStrip },
				border: { ...line, show: true },
				values: (_plot, splits, _axis, _space, step) =>
					splits.map((at) => (isOnStrip ? "" : axisDate(at, step, locale()))),
			},
			{ ...axis, stroke: strokeOf(false), scale: "y", grid: line, ...onLeft },
			{
				...axis,
				...{ stroke: strokeOf(true), scale: "right", side: 1, size: VALUE_AXIS_PX, space: 34, values },
				...{ grid: { show: false }, show: hasRight },
			},
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

/** Ends of one of the axes. Of two, one has room below and one above: or else lines of the same shape would lie on one another. @param {Picture} picture @param {boolean} isRight @param {Range} period @returns {Range} */
function rangeOfAxis({ lines, seconds }, isRight, period) {
	const columns = lines
		.filter((line) => line.isRight === isRight)
		.flatMap(({ values, smooth, band, normal }) => [values, smooth ?? [], ...(band ?? []), ...(normal ?? [])]);
	const [low, high] = rangeOf(columns, seconds, period);
	if (!lines.some((line) => line.isRight)) return [low, high];
	const room = ROOM_SHARE * (high - low);
	return isRight ? [low, high + room] : [low - room, high];
}

/** Bands first, under all lines. @param {PlotLine[]} lines @param {(name: string) => string} colourOf @param {() => boolean} hasRoom for a dot at each moment */
function describeLines(lines, colourOf, hasRoom) {
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
		const main = {
			scale,
			stroke: tint,
			width: line.isMeasured ? 1 : 1.5,
			dash: line.isMeasured ? [1, 3] : dash,
			paths,
		};
		const dots = dotsOf(line, tint, line.isDashed ? colourOf("--page") : tint, hasRoom);
		if (line.smooth) {
			const raw = { show: true, size: 3.5, stroke: withAlpha(tint, 0.55), fill: withAlpha(tint, 0.55), width: 0 };
			add(line.values, { scale, stroke: tint, paths: () => null, points: raw });
			add(line.smooth, { ...main, points: { show: false } });
		} else add(line.values, { ...main, points: dots });
	}
	return { series, bands, data };
}

/** All values, or only those that no line would show; those of the second layer are hollow. @param {PlotLine} line @param {string} tint @param {string} fill @param {() => boolean} hasRoom @returns {uPlot.Series.Points} */
const dotsOf = ({ values, isDashed, isMeasured }, tint, fill, hasRoom) => ({
	show: true,
	size: isDashed || isMeasured ? 5 : 4,
	width: isDashed ? 1.25 : 0,
	stroke: tint,
	fill,
	filter: () => (isMeasured || hasRoom() ? null : aloneIn(values)),
});

/** Draws words on the canvas, in CSS pixels. @param {uPlot} plot @param {HTMLElement} root @param {(write: (words: string, colour: string, x: number, y: number, align: CanvasTextAlign) => number) => void} draw gives `write`, which returns the width of the words */
function drawWords({ ctx }, root, draw) {
	const ratio = window.devicePixelRatio || 1;
	const colourOf = colourReader(root);
	ctx.save();
	ctx.scale(ratio, ratio);
	ctx.font = `600 11.5px ${getComputedStyle(root).fontFamily}`;
	ctx.textBaseline = "middle";
	draw((words, colour, x, y, align) => {
		ctx.textAlign = align;
		ctx.fillStyle = colourOf(colour);
		ctx.fillText(words, x, y);
		return ctx.measureText(words).width;
	});
	ctx.restore();
}

/** What each axis is of, above it. @param {uPlot} plot @param {Picture} picture @param {HTMLElement} root */
function drawTitles(plot, { titles }, root) {
	drawWords(plot, root, (write) => {
		let [left, right] = [4, root.clientWidth - 4];
		for (const { words, colour, isRight } of titles) {
			const width = write(words, colour, isRight ? right : left, TITLE_PX / 2, isRight ? "right" : "left") + 14;
			if (isRight) right -= width;
			else left += width;
		}
	});
}

/** The numbers of the places at the ends of their lines, where there is room for all. @param {uPlot} plot @param {Picture} picture @param {Range} period @param {HTMLElement} root */
function drawLabels(plot, { lines, seconds }, period, root) {
	if (new Set(lines.map(({ label }) => label)).size < 2) return;
	const ratio = window.devicePixelRatio || 1;
	const { left, top, width, height } = plot.bbox;
	const hasRight = lines.some(({ isRight }) => isRight);
	const ends = lines.flatMap(({ values, smooth, label, colour, isRight }) => {
		const column = smooth ?? values;
		const isThere = (/** @type {number | null | undefined} */ value, /** @type {number} */ index) =>
			seconds[index] >= period[0] && seconds[index] <= period[1] && typeof value === "number";
		const value = column[column.findLastIndex(isThere)];
		const scale = isRight ? "right" : "y";
		return typeof value === "number" ? [{ label, colour, y: plot.valToPos(value, scale, true) / ratio }] : [];
	});
	const wished = ends.map(({ y }) => y);
	const heights = stackLabels(wished, LABEL_HEIGHT_PX, top / ratio, (top + height) / ratio);
	if (!heights) return;
	const x = (left + width) / ratio + (hasRight ? -4 : 5);
	drawWords(plot, root, (write) => {
		for (const [index, { label, colour }] of ends.entries())
			write(label, colour, x, heights[index], hasRight ? "right" : "left");
	});
}
