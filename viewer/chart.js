/**
 * The values of the layer at one place over time: a chart, the same as a table, and as a file. Loaded at the first
 * place that is chosen, and the chart library with it.
 *
 * @typedef {import("./api.js").Layer} Layer
 * @typedef {import("./permalink.js").Point} Point
 * @typedef {import("./api.js").Series} Series
 */
import { fetchSeries, seriesCsvUrl } from "./api.js";
import { formatDate } from "./dates.js";
import { unitText } from "./legend.js";
import { formatNumber, formatPlace, summarise, valueRange, withoutNoise } from "./series.js";
import { choosePoint, chooseTime, instant, layer, point, shownDate, timeDomain } from "./state.js";
import { text } from "./text.js";
import { effect, signal } from "./vendor/signals-core.js";
import uPlot from "./vendor/uplot.js";

const HEIGHT_PX = 170;

/** The series shown, once it is there. */
const series = signal(/** @type {Series | null} */ (null));

/** @param {string | null} reason a reason or a flag's name, as the server writes it */
const reasonText = (reason) => (reason === null || reason === "nodata" ? text.noData : reason.replaceAll("_", " "));

/** A value with its unit, or why there is none. @param {Series} of @param {number} index @param {(value: number) => number} [write] */
function valueText({ values, reasons, units }, index, write = (value) => value) {
	const value = values[index] ?? null;
	return value === null ? reasonText(reasons[index] ?? null) : `${write(value)} ${unitText(units)}`.trim();
}

/** @param {HTMLElement} root */
export async function startChart(root) {
	const find = (/** @type {string} */ part) => /** @type {HTMLElement} */ (root.querySelector(`[data-part=${part}]`));
	find("close").addEventListener("click", () => {
		choosePoint(null);
		document.getElementById("map")?.focus();
	});
	// What scrolls must be reachable by keyboard.
	find("table-frame").tabIndex = 0;
	await loadStyles();
	loadSeries((place, of) => {
		root.hidden = !place;
		if (!place || !of) return;
		find("title").textContent = text.seriesTitle(of.title, formatPlace(place));
		/** @type {HTMLAnchorElement} */ (find("download")).href = seriesCsvUrl(of, place);
	}, find("message"));
	effect(() => {
		find("more").hidden = series.value === null;
		find("table").replaceChildren(...(series.value ? tableRows(series.value) : []));
	});
	effect(() => {
		find("now").textContent = series.value ? valueNow(series.value) : "";
	});
	showPlot(find("plot"));
}

/** The value at the date that the map shows; of a layer without time, its value. @param {Series} of */
function valueNow(of) {
	if (!instant.value) return of.values.length === 1 ? valueText(of, 0, withoutNoise) : "";
	const index = of.times.indexOf(instant.value.text);
	return index < 0 ? "" : text.valueAt(shownDate.value, valueText(of, index, withoutNoise));
}

/**
 * Keeps the series that of the chosen place and layer, and says how that goes.
 * @param {(place: Point | null, of: Layer | null) => void} announce @param {HTMLElement} message
 */
function loadSeries(announce, message) {
	effect(() => {
		const [place, of] = [layer.value && point.value, layer.value];
		series.value = null;
		announce(place, of);
		if (!place || !of) return;
		if (of.variable === null) {
			message.textContent = text.coloursOnly(of.title);
			return;
		}
		message.textContent = text.loadingSeries;
		const stopping = new AbortController();
		fetchSeries(of, place, stopping.signal).then(
			(answer) => {
				message.textContent = summaryText(answer);
				series.value = answer;
			},
			(error) => {
				if (!stopping.signal.aborted) message.textContent = text.seriesFailed(error.message);
			},
		);
		return () => stopping.abort();
	});
}

/** @returns {Promise<unknown>} */
function loadStyles() {
	const sheet = document.createElement("link");
	sheet.rel = "stylesheet";
	sheet.href = new URL("vendor/uplot.css", import.meta.url).href;
	const done = new Promise((resolve) => {
		sheet.onload = sheet.onerror = resolve;
	});
	document.head.prepend(sheet);
	return done;
}

/** @param {Series} of */
function summaryText({ values }) {
	if (values.length === 1) return "";
	const summary = summarise(values);
	if (!summary) return text.seriesEmpty(values.length);
	const write = (/** @type {number} */ value) => formatNumber(value, text.locale);
	const { valid, total, mean, low, high } = summary;
	return text.seriesSummary({ valid, total, mean: write(mean), low: write(low), high: write(high) });
}

/** @param {Series} of */
function tableRows(of) {
	return of.times.map((time, index) => {
		const row = document.createElement("tr");
		const head = document.createElement("th");
		head.scope = "row";
		head.textContent = time ? formatDate(Date.parse(time), text.locale) : text.undated;
		const cell = document.createElement("td");
		cell.textContent = valueText(of, index);
		row.append(head, cell);
		return row;
	});
}

/** Draws the series, and again when its place in the page or the colours change. @param {HTMLElement} element */
function showPlot(element) {
	/** @type {uPlot | null} */
	let plot = null;
	const draw = () => {
		plot?.destroy();
		plot = null;
		const now = series.peek();
		const summary = now && summarise(now.values);
		element.hidden = !now || !summary || now.times.length < 2;
		if (now && summary && !element.hidden) plot = makePlot(element, now, valueRange(summary.low, summary.high));
	};
	effect(() => {
		series.value;
		draw();
	});
	effect(() => {
		instant.value;
		plot?.redraw(false);
	});
	new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT_PX })).observe(element);
	window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** @param {HTMLElement} element @param {Series} of @param {[number, number]} range */
function makePlot(element, { times, values, units }, range) {
	const colours = getComputedStyle(element);
	const colour = (/** @type {string} */ name) => colours.getPropertyValue(name);
	const axis = { stroke: colour("--text-soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
	const seconds = times.map((time) => Date.parse(time ?? "") / 1000);
	const plot = new uPlot(
		{
			width: element.clientWidth,
			height: HEIGHT_PX,
			legend: { show: false },
			// With whole pixels in one place and fractions in another, uPlot takes some clicks for drags and swallows them.
			cursor: { y: false, drag: { x: false, y: false, click: () => {} } },
			tzDate: (second) => uPlot.tzDate(new Date(second * 1000), "Etc/UTC"),
			scales: { y: { range } },
			axes: [
				{
					...axis,
					size: 30,
					space: 90,
					values: (_plot, splits, _axis, _space, step) => splits.map((at) => axisDate(at, step)),
				},
				{ ...axis, size: 56 },
			],
			series: [{}, { label: unitText(units), stroke: colour("--accent"), width: 1.5, points: { show: true, size: 4 } }],
			hooks: { draw: [(self) => markTime(self, colour("--text"))] },
		},
		[seconds, values],
		element,
	);
	plot.over.addEventListener("click", () => {
		const index = timeDomain.peek().instants.findIndex(({ text: time }) => time === times[plot.cursor.idx ?? -1]);
		if (index >= 0) chooseTime(index);
	});
	return plot;
}

/** @param {number} second @param {number} step between two labels, in seconds */
function axisDate(second, step) {
	/** @type {Intl.DateTimeFormatOptions} */
	const parts =
		step >= 360 * 86_400
			? { year: "numeric" }
			: step >= 27 * 86_400
				? { month: "short", year: "numeric" }
				: { day: "numeric", month: "short" };
	return new Intl.DateTimeFormat(text.locale, { ...parts, timeZone: "UTC" }).format(second * 1000);
}

/** Draws a line at the date that the map shows. @param {uPlot} plot @param {string} colour */
function markTime(plot, colour) {
	const shown = instant.peek();
	if (!shown) return;
	const x = Math.round(plot.valToPos(shown.ms / 1000, "x", true));
	const { left, top, width, height } = plot.bbox;
	if (x < left || x > left + width) return;
	const { ctx } = plot;
	ctx.save();
	ctx.strokeStyle = colour;
	ctx.lineWidth = window.devicePixelRatio || 1;
	ctx.setLineDash([4, 3]);
	ctx.beginPath();
	ctx.moveTo(x, top);
	ctx.lineTo(x, top + height);
	ctx.stroke();
	ctx.restore();
}
