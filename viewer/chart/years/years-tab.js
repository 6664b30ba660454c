/**
 * The tab with the years of one place above one another: a season chart of values, anomalies or running sums, or a heat
 * map of dekads; beside it, or below, the years as a table.
 *
 * @typedef {import("../series/figure.js").Sheet} Sheet
 * @typedef {import("./year-state.js").Years} Years
 * @typedef {ReturnType<typeof makeView>} View
 */
import { make } from "../../base/elements.js";
import { locale, text } from "../../base/text.js";
import { numberText, roundValues } from "../../base/value-scale.js";
import { effect } from "../../vendor/signals-core.js";
import { makeFigure, makeSvg } from "../series/figure.js";
import { lineName } from "../series/line-labels.js";
import { dekadEnd } from "./dekads.js";
import { makeControls, messageOf } from "./year-controls.js";
import { rowsOfDekads, rowsOfYears } from "./year-model.js";
import { followPointer } from "./year-pointer.js";
import { compareWith, goTo, goToDay, makeYears, step } from "./year-state.js";
import { dekadText, makeDekadTable, makeYearTable, rankedText } from "./year-table.js";
import { makeView } from "./year-view.js";

/** @param {HTMLElement} element the tab's panel @param {import("./year-state.js").Chart} chart @returns {Sheet} what is saved of it */
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
	followYears(holder, years, view);
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

/** @param {HTMLElement} holder @param {Years} years @param {View} view */
function followYears(holder, years, view) {
	const go = (/** @type {import("./year-pointer.js").Spot} */ at) => {
		const time = view.dekad(at)?.time;
		if (time) goTo(years, Date.parse(time), dekadEnd(time));
		else if (view.board.peek()) goToDay(years, { day: view.board.peek()?.dayAt(at.x) });
	};
	followPointer(holder, {
		go,
		hover: (at) => {
			view.spot.value = at;
		},
		press: (at) => {
			view.spot.value = at;
			const found = view.near.peek();
			if (found === undefined) go(at);
			else compareWith(years, found);
		},
		step: (by) => step(years, by),
		turn: (by) => goToDay(years, { by }),
	});
}

/** @param {HTMLElement} holder @param {SVGElement} svg @param {View} view */
function showDrawing(holder, svg, { size, heat, draw, mark, near }) {
	const marks = makeSvg("g");
	effect(() => {
		svg.setAttribute("width", String(size.value.width));
		svg.setAttribute("height", String(heat.value?.height ?? size.value.height));
		svg.replaceChildren(...draw(), marks);
	});
	effect(() => marks.replaceChildren(...mark()));
	effect(() => {
		holder.classList.toggle("near", near.value !== undefined);
		for (const path of svg.querySelectorAll("[data-year]"))
			path.classList.toggle("near", path.getAttribute("data-year") === String(near.value));
	});
}

/** The table, and what the drawing says of the map's date. @param {HTMLElement} holder @param {HTMLElement} table @param {Years} years @param {View} view */
function showTable(holder, table, years, { hovered }) {
	const { model, rows, show, now, year, month } = years;
	effect(() => {
		const at = { day: hovered.value ?? now.value?.day ?? 0, now: year.value, month: month.value };
		holder.hidden = table.hidden = !model.value && !rows.value;
		table.classList.toggle("unseen", rows.value !== null);
		const compare = (/** @type {number} */ other) => compareWith(years, other);
		if (rows.value) table.replaceChildren(makeDekadTable(rows.value, month.value));
		else if (model.value) table.replaceChildren(makeYearTable(model.value, at, text(`years.${show.value}`), compare));
	});
	effect(() => {
		const at = { day: now.value?.day ?? 0, now: year.value, month: month.value };
		const dekad = rows.value && years.dekad.value;
		const words = model.value ? rankedText(model.value, at) : dekad ? dekadText(dekad) : "";
		const told = { min: 1, max: 366, now: at.day + 1, text: words };
		for (const [name, value] of Object.entries(told)) holder.setAttribute(`aria-value${name}`, String(value));
	});
}

/** What is seen, with its title and key. @param {Element} root @param {Years} years @param {View} view */
function figureOf(root, { line, style }, { board, heat, paper, draw, mark, spot }) {
	const [of, { width, colourOf }, warm] = [line.peek(), paper.peek(), heat.peek()];
	if (!of || (!board.peek() && !warm)) return null;
	spot.value = null;
	const height = warm?.height ?? paper.peek().height;
	const [low, high] = style.peek()?.range ?? [0, 1];
	const ticks = warm ? roundValues({ low, high, isLog: false }) : [];
	const key = ticks.map((value) => ({ words: numberText(value, locale()), colour: warm?.fill(value) ?? "", dash: "" }));
	if (board.peek()?.usual) key.push({ words: text("years.usual"), colour: colourOf("--text-soft"), dash: "3 3" });
	const title = `${lineName(of)}, ${of.layer.title}`;
	return makeFigure({ root, width, height, title, key, content: [...draw(), ...mark()] });
}
