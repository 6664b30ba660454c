/**
 * The interactive time chart: its drawing in an element, marks at the dates of the maps, which move without a new
 * drawing, and actions of the pointer. Its time axis is that of the strip below it.
 *
 * @typedef {import("./series/scales.js").Range} Range
 * @typedef {import("./plot-drawing.js").Picture} Picture
 * @typedef
 *   {{ onHover: (second: number | null) => void, onPick: (second: number) => void, onDrag?: (second: number | null) =>
 *   void,
 *   onSelect: (period: Range | null) => void, onWheel?: (event: WheelEvent, share: number, widthPx: number) => void,
 *   onLayout?: (left: number, right: number) => void, isOnStrip?: () => boolean
 *     }} Listeners `onDrag` of the line of the date, null at the end; `onLayout` with the distance of the time axis
 *   from the edges; `isOnStrip` whether the strip below shows its dates
 */
import { colourReader } from "../base/elements.js";
import { dashOf, drawMarks, drawMoment, drawPlot, layOut } from "./plot-drawing.js";
import { makeFigure, makeSvg, setAttributes } from "./series/figure.js";
import { nearestSecond, wholePeriod } from "./series/scales.js";

/** A pointer that moves less has clicked. */
const DRAG_PX = 6;
/** Distance within which the line of the date can be dragged. */
const GRASP_PX = 7;
/** Height of the dates below a drawing in a file. */
const DATES_PX = 24;

export class Plot {
	/** @param {HTMLElement} root @param {Listeners} listeners */
	constructor(root, listeners) {
		this.root = root;
		this.listeners = listeners;
		/** @type {Picture | null} */
		this.picture = null;
		/** The visible period; null for all. @type {Range | null} */
		this.period = null;
		/** @type {number[]} */
		this.marked = [];
		/** @type {import("./plot-drawing.js").Board | null} */
		this.board = null;
		this.content = makeSvg("g");
		this.marks = makeSvg("g");
		this.cursor = makeSvg("g");
		this.shade = makeSvg("rect", { class: "plot-shade", visibility: "hidden" });
		this.over = makeSvg("rect", { class: "plot-over", fill: "transparent" });
		this.svg = makeSvg(
			"svg",
			{ class: "plot-drawing", "font-size": 12 },
			this.content,
			this.marks,
			this.cursor,
			this.shade,
			this.over,
		);
		new ResizeObserver(() => this.redraw()).observe(root);
		window.matchMedia("(forced-colors: active)").addEventListener("change", () => this.redraw());
		this.listen();
	}

	/** @param {Picture | null} picture */
	show(picture) {
		this.picture = picture;
		this.redraw();
	}

	/** Shows a period; null for all. @param {Range | null} period */
	zoom(period) {
		this.period = period;
		this.redraw();
	}

	/** Fits the drawing to the available space. @param {number} height @param {boolean} isOnStrip */
	layOut(height, isOnStrip) {
		const picture = /** @type {Picture} */ (this.picture);
		const [width, colourOf] = [this.root.clientWidth, colourReader(this.root)];
		return layOut(picture, { width, height, period: this.period ?? wholePeriod(picture.seconds), isOnStrip, colourOf });
	}

	redraw() {
		const { root, svg, picture } = this;
		const { clientWidth: width, clientHeight: height } = root;
		if (!picture || picture.seconds.length === 0) {
			this.board = null;
			return svg.remove();
		}
		if (width === 0 || height === 0) return;
		if (svg.parentNode !== root) root.append(svg);
		this.board = this.layOut(height, this.listeners.isOnStrip?.() ?? false);
		const { left, right, box } = this.board;
		this.listeners.onLayout?.(left, width - right);
		setAttributes(svg, { width, height });
		setAttributes(this.over, box);
		this.content.replaceChildren(...drawPlot(this.board));
		this.cursor.replaceChildren();
		this.mark(this.marked);
	}

	/** Marks the dates of side A and B. @param {number[]} seconds */
	mark(seconds) {
		this.marked = seconds;
		if (this.board) this.marks.replaceChildren(...drawMarks(this.board, seconds));
	}

	/**
	 * Returns the visible drawing for export, with its dates; null if it is empty.
	 * @param {string} title
	 * @param {Element} root the element with the background colour
	 */
	figure(title, root) {
		if (!this.board) return null;
		const board = this.layOut(this.root.clientHeight + DATES_PX, false);
		const { lines, colourOf } = board;
		const key = lines.map((line) => ({ words: line.name ?? "", colour: colourOf(line.colour), dash: dashOf(line) }));
		const content = [...drawPlot(board), ...drawMarks(board, this.marked)];
		return makeFigure({ ...board, root, title, key, content });
	}

	/** The moment under the pointer, and whether its place is on the date's line. @param {{ clientX: number }} event */
	spotOf({ clientX }) {
		const board = /** @type {import("./plot-drawing.js").Board} */ (this.board);
		const x = clientX - this.svg.getBoundingClientRect().left;
		const second = board.secondAt(x);
		const isOnDate = this.listeners.onDrag !== undefined && Math.abs(x - board.xOf(this.marked[0])) < GRASP_PX;
		return { x, second, nearest: board.seconds[nearestSecond(board.seconds, second)], isOnDate };
	}

	/** @param {number | null} second */
	hover(second) {
		const { board } = this;
		this.cursor.replaceChildren(
			...(board && second !== null ? drawMoment(board, second, board.lines, "--text-soft") : []),
		);
		this.listeners.onHover(second);
	}

	listen() {
		const { over, shade } = this;
		const { onPick, onDrag, onSelect, onWheel } = this.listeners;
		/** Start of the drag. @type {ReturnType<Plot["spotOf"]> | null} */
		let start = null;
		const end = () => {
			if (start?.isOnDate) onDrag?.(null);
			start = null;
			shade.setAttribute("visibility", "hidden");
		};
		over.addEventListener("pointerdown", (event) => {
			if (event.button !== 0) return;
			start = this.spotOf(event);
			over.setPointerCapture(event.pointerId);
		});
		over.addEventListener("pointermove", (event) => {
			const spot = this.spotOf(event);
			if (start === null) over.style.cursor = spot.isOnDate ? "ew-resize" : "";
			if (start?.isOnDate) return onDrag?.(spot.second);
			if (event.pointerType !== "touch" || start !== null) this.hover(spot.nearest);
			if (start === null || !this.board || Math.abs(spot.x - start.x) < DRAG_PX) return;
			const { left, right, box } = this.board;
			const [from, to] = [start.x, spot.x]
				.map((x) => Math.max(left, Math.min(right, x)))
				.sort((one, other) => one - other);
			setAttributes(shade, { ...box, x: from, width: to - from, visibility: "visible" });
		});
		over.addEventListener("pointerup", (event) => {
			if (start === null) return;
			const [from, to] = [start, this.spotOf(event)];
			end();
			if (from.isOnDate) return;
			if (Math.abs(to.x - from.x) < DRAG_PX) onPick(to.nearest);
			else onSelect([Math.min(from.second, to.second), Math.max(from.second, to.second)]);
		});
		over.addEventListener("pointercancel", end);
		over.addEventListener("pointerleave", () => this.hover(null));
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
