/**
 * The tab with the overlaid years of one place: a season chart of values, anomalies or running sums, or a heat map of
 * dekads; next to it, or below, the years as a table.
 *
 * @typedef {import("../series/figure.js").Sheet} Sheet
 * @typedef {import("./year-state.js").Years} Years
 * @typedef {{ x: number, y: number }} Spot in pixels of the drawing
 * @typedef {ReturnType<typeof makeView>} View
 */
import { colours, cssColour } from "../../base/colours.js";
import { colourReader, make } from "../../base/elements.js";
import { isDark, isDragged, prepareMoves, setDragged, setMoving, sideB } from "../../base/state.js";
import { locale, text } from "../../base/text.js";
import { unitText } from "../../base/units.js";
import { numberText, roundValues } from "../../base/value-scale.js";
import { computed, effect, signal } from "../../vendor/signals-core.js";
import { makeFigure, makeSvg, setAttributes } from "../series/figure.js";
import { lineName } from "../series/line-labels.js";
import { dekadAt, dekadEnd } from "./dekads.js";
import { makeControls, messageOf } from "./year-controls.js";
import { drawHeatMap, drawMarks, drawYears, layOut } from "./year-drawing.js";
import { valuesAt, yearDayOf } from "./year-lines.js";
import { rangeFor, rowsOfDekads, rowsOfYears } from "./year-model.js";
import { compareWith, goTo, goToDay, makeYears, step } from "./year-state.js";
import { dekadText, makeDekadTable, makeYearTable, rankedText } from "./year-table.js";

/** A pointer that moves less has pressed. */
const DRAG_PX = 5;
/** A press so near a line is on it, and its value so many days away. */
const [NEAR_PX, NEAR_DAYS] = [7, 6];

/**
 * @param {HTMLElement} element panel of the tab
 * @param {import("./year-state.js").Chart} chart
 * @returns {Sheet} content for export
 */
export function startYears(element, chart) {
	const years = makeYears(chart);
	const view = makeView(element, years);
	const svg = makeSvg("svg", { "aria-hidden": "true" });
	const label = text("years.label");
	const holder = make("div", { class: "years-picture", role: "slider", tabindex: 0, "aria-label": label });
	holder.append(svg);
	const table = make("div", { class: "years-table", role: "region", tabindex: 0, "aria-label": text("years.table") });
	const message = make("p", { class: "years-message", role: "status" });
	const head = make("div", { class: "years-head" }, makeControls(years), message);
	element.append(head, make("div", { class: "years-body" }, holder, table));
	new ResizeObserver(([{ contentRect: now }]) => {
		if (now.width > 0 && now.height > 0) view.size.value = { width: now.width, height: now.height };
	}).observe(holder);
	followPointer(holder, years, view);
	showDrawing(holder, svg, view);
	showTable(holder, table, years, view);
	effect(() => {
		const under = view.dekad(view.spot.value);
		message.textContent = under ? dekadText(under) : messageOf(years);
	});
	return {
		rows: () => {
			const model = years.model.peek();
			return model ? rowsOfYears(model, years.month.peek()) : rowsOfDekads(years.rows.peek() ?? []);
		},
		svg: () => figureOf(element, years, view),
		span: () => {
			const times = (years.line.peek()?.table.times ?? []).map((time) => Date.parse(time ?? ""));
			return times.length > 0 ? [times[0], times[times.length - 1]] : null;
		},
	};
}

/** @param {import("../../base/colours.js").Rgba} rgba */
const lightOf = ([red, green, blue]) => 0.3 * red + 0.6 * green + 0.1 * blue;

/** Returns the quantity of the axis: "NDVI (1)". @param {Years} years */
function titleOf({ line, show }) {
	const { title = "", units = null } = line.value?.layer ?? {};
	const name = units === null ? title : `${title} (${unitText(units) || "1"})`;
	return show.value === "value"
		? name
		: text(/** @type {import("../../base/text.js").TextKey} */ (`years.${show.value}Of`), { name });
}

/** @param {Element} root whose colours and letters are drawn in @param {Years} years */
function makeView(root, years) {
	const { show, month, model, rows, now, year, moment, style, isFit } = years;
	const size = signal({ width: 0, height: 0 });
	/** Position of the pointer. */
	const spot = signal(/** @type {Spot | null} */ (null));
	const paper = computed(() => {
		const colourOf = colourReader(root);
		const stops = (style.value?.stops ?? []).map(({ rgba }) => rgba);
		// The colour of the palette that is seen best on the page.
		const strong = stops.sort((one, other) => lightOf(one) - lightOf(other)).at(isDark.value ? -1 : 0);
		return { ...size.value, colourOf, strong: strong ? cssColour(strong) : colourOf("--accent") };
	});
	const board = computed(() => {
		const [of, kind] = [model.value, show.value];
		if (!of || kind === "dekads" || size.value.width === 0) return null;
		const range = rangeFor(of, kind, isFit.value ? null : (style.value?.range ?? null));
		const told = { title: titleOf(years), isBars: kind === "anomaly" };
		return layOut({ ...of, month: month.value, now: year.value, range, ...told }, paper.value);
	});
	const heat = computed(() => {
		if (!rows.value || !style.value || size.value.width === 0) return null;
		const paint = colours(style.value);
		const fill = (/** @type {number} */ value) => cssColour(paint(value));
		return { ...drawHeatMap({ rows: rows.value, month: month.value, fill }, paper.value), fill };
	});
	/** @returns {SVGElement[]} */
	const draw = () => (board.value ? drawYears(board.value) : (heat.value?.content ?? []));
	/** The day under the pointer. */
	const hovered = computed(() => (spot.value && board.value ? board.value.dayAt(spot.value.x) : null));
	/** The year of the line at the pointer, unless it is that of the map; undefined if there is none. */
	const near = computed(() => {
		const [of, day, y] = [board.value, hovered.value, spot.value?.y ?? 0];
		if (!of || day === null) return undefined;
		const otherYears = valuesAt(of.lines, day, NEAR_DAYS).filter((each) => each.year !== of.now);
		const away = otherYears.map((each) => ({ ...each, px: Math.abs(of.yOf(each.value) - y) }));
		return away.sort((one, other) => one.px - other.px).find(({ px }) => px <= NEAR_PX)?.year;
	});
	const dekad = (/** @type {Spot | null} */ at) => (at && heat.value ? heat.value.cellAt(at) : null);
	/** @returns {SVGElement[]} the dates of the map and of B, and the day under the pointer */
	const mark = () => {
		const other = sideB.value?.instant.value;
		const days = [now.value?.day, other && yearDayOf(other.ms, month.value).day, hovered.value];
		if (board.value) return drawMarks(board.value, days);
		const cell = rows.value && moment.value !== null ? dekadAt(rows.value, moment.value, month.value) : null;
		return heat.value && cell && cell.row >= 0 ? [heat.value.frame(cell)] : [];
	};
	return { size, spot, paper, board, heat, draw, mark, hovered, near, dekad };
}

/**
 * Dragging the drawing moves the map; a click selects a date or year; keys move through dates and years.
 * @param {HTMLElement} holder
 * @param {Years} years
 * @param {View} view
 */
function followPointer(holder, years, { spot, board, dekad, near }) {
	/** Start of the press. @type {number | null} */
	let start = null;
	const spotOf = (/** @type {PointerEvent} */ { clientX, clientY }) => {
		const { left, top } = holder.getBoundingClientRect();
		return { x: clientX - left, y: clientY - top };
	};
	const go = (/** @type {Spot} */ at) => {
		const time = dekad(at)?.time;
		if (time) goTo(years, Date.parse(time), dekadEnd(time));
		else if (board.peek()) goToDay(years, { day: board.peek()?.dayAt(at.x) });
	};
	const end = () => {
		start = null;
		if (!isDragged.peek()) return;
		setMoving(false);
		setDragged(false);
	};
	holder.addEventListener("pointerdown", (event) => {
		if (event.button !== 0) return;
		start = event.clientX;
		holder.setPointerCapture(event.pointerId);
		prepareMoves();
	});
	holder.addEventListener("pointermove", (event) => {
		const isPressed = start !== null;
		if (!isPressed && event.pointerType !== "touch") spot.value = spotOf(event);
		if (!isPressed || (!isDragged.peek() && Math.abs(event.clientX - Number(start)) < DRAG_PX)) return;
		setMoving(true);
		setDragged(true);
		spot.value = null;
		go(spotOf(event));
	});
	holder.addEventListener("pointerup", (event) => {
		if (start !== null && !isDragged.peek()) {
			spot.value = spotOf(event);
			const year = near.peek();
			if (year === undefined) go(spotOf(event));
			else compareWith(years, year);
		}
		end();
	});
	holder.addEventListener("pointercancel", end);
	holder.addEventListener("pointerleave", () => {
		spot.value = null;
	});
	/** @type {Record<string, () => void>} */
	const keys = {
		ArrowLeft: () => step(years, -1),
		ArrowRight: () => step(years, 1),
		ArrowUp: () => goToDay(years, { by: -1 }),
		ArrowDown: () => goToDay(years, { by: 1 }),
	};
	holder.addEventListener("keydown", (event) => {
		if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(keys, event.key)) return;
		event.preventDefault();
		keys[event.key]();
	});
}

/** @param {HTMLElement} holder @param {SVGElement} svg @param {View} view */
function showDrawing(holder, svg, { size, heat, draw, mark, near }) {
	const marks = makeSvg("g");
	effect(() => {
		setAttributes(svg, { width: size.value.width, height: heat.value?.height ?? size.value.height });
		svg.replaceChildren(...draw(), marks);
	});
	effect(() => marks.replaceChildren(...mark()));
	effect(() => {
		holder.classList.toggle("near", near.value !== undefined);
		for (const path of svg.querySelectorAll("[data-year]"))
			path.classList.toggle("near", path.getAttribute("data-year") === String(near.value));
	});
}

/**
 * Shows the table, and describes the date of the map.
 * @param {HTMLElement} holder
 * @param {HTMLElement} table
 * @param {Years} years
 * @param {View} view
 */
function showTable(holder, table, years, { hovered }) {
	const { model, rows, show, now, year, month } = years;
	effect(() => {
		const at = { day: hovered.value ?? now.value?.day ?? 0, now: year.value, month: month.value };
		holder.hidden = table.hidden = !model.value && !rows.value;
		table.classList.toggle("unseen", rows.value !== null);
		const compare = (/** @type {number} */ other) => compareWith(years, other);
		if (rows.value) table.replaceChildren(makeDekadTable(rows.value, month.value));
		else if (model.value) {
			const hint = model.value.seasons.length > 0 ? [make("p", {}, text("years.seasonHint"))] : [];
			table.replaceChildren(makeYearTable(model.value, at, text(`years.${show.value}`), compare), ...hint);
		}
	});
	effect(() => {
		const at = { day: now.value?.day ?? 0, now: year.value, month: month.value };
		const dekad = rows.value && years.dekad.value;
		const words = model.value ? rankedText(model.value, at) : dekad ? dekadText(dekad) : "";
		Object.assign(holder, { ariaValueMin: 1, ariaValueMax: 366, ariaValueNow: at.day + 1, ariaValueText: words });
	});
}

/** Returns the visible drawing with title and legend. @param {Element} root @param {Years} years @param {View} view */
function figureOf(root, { line, style }, { board, heat, paper, draw, mark, spot }) {
	const [of, { width, colourOf }, warm] = [line.peek(), paper.peek(), heat.peek()];
	if (!of || (!board.peek() && !warm)) return null;
	spot.value = null;
	const height = warm?.height ?? paper.peek().height;
	const [low, high] = style.peek()?.range ?? [0, 1];
	const ticks = warm ? roundValues({ low, high, isLog: false }) : [];
	const key = ticks.map((value) => ({ words: numberText(value, locale()), colour: warm?.fill(value) ?? "", dash: "" }));
	if (board.peek()?.usual) {
		key.push({ words: text("years.usualBand"), colour: colourOf("--line"), dash: "" });
		key.push({ words: text("years.usualMedian"), colour: colourOf("--text-soft"), dash: "3 3" });
	}
	const title = `${lineName(of)}, ${of.layer.title}`;
	return makeFigure({ root, width, height, title, key, content: [...draw(), ...mark()] });
}
