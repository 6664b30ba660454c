/**
 * Statistics of the chart: of each area at the date of its map, from the server, with a histogram; and of every place
 * over the visible period.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("./plot-content.js").Drawn} Line
 * @typedef {import("./series/area-histogram.js").Histogram} Histogram
 * @typedef {import("./series/scales.js").Range} Range
 */
import { fetchSeriesOfArea } from "../base/api.js";
import { formatDate } from "../base/dates.js";
import { make } from "../base/elements.js";
import { hasAmounts, isMoving } from "../base/state.js";
import { locale, percent, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { cubesOf } from "../map/cubes.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { Answers } from "./series/answers.js";
import { histogramBetween, histogramsOf } from "./series/area-histogram.js";
import { makeRow, makeTable } from "./series/html-table.js";
import { lineName, placeName, reducerText } from "./series/line-labels.js";
import { classesOf, pointOf, reducer } from "./series/lines.js";
import { isIn } from "./series/scales.js";
import { formatNumber, summarise } from "./series/series.js";
import { valuesOf } from "./series/tables.js";

/** A date that is shown for a shorter time is not requested. */
const REST_MS = 200;

const AT_A_DATE = ["mean", "std", "min", "p10", "median", "p90", "max"];
const OVER_TIME = /** @type {const} */ (["mean", "std", "min", "median", "max"]);

/** @type {Answers<Histogram | null>} */
const answers = new Answers();

const write = (/** @type {number | null | undefined} */ value) =>
	value === null || value === undefined ? "–" : formatNumber(value, locale());

/**
 * @param {HTMLElement} root @param {import("@preact/signals-core").ReadonlySignal<Line[]>} drawn
 * @param {import("@preact/signals-core").ReadonlySignal<Range | null>} period
 * @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen
 */
export function startStatistics(root, drawn, period, isOpen) {
	const now = make("section", { class: "statistics-part" });
	const spread = make("div", { class: "histograms" });
	const overTime = make("section", { class: "statistics-part" });
	root.append(now, spread, overTime);
	// Scrollable elements must be reachable by keyboard.
	root.tabIndex = 0;
	const areas = computed(() => drawn.value.filter(({ place }) => !pointOf(place)));
	effect(() => {
		if (isOpen.value) now.replaceChildren(...describeDate(areas.value));
	});
	effect(() => {
		if (isOpen.value) overTime.replaceChildren(...describePeriod(drawn.value, period.value));
	});
	followHistograms(areas, isOpen);
	/** The last histogram of each place stays until the next one is loaded. @type {Map<string, HTMLElement>} */
	const shown = new Map();
	effect(() => {
		if (!isOpen.value) return;
		const figures = areas.value.flatMap((line) => {
			const id = `${line.side.id} ${line.place.id}`;
			const found = histogramOf(line);
			if (found) shown.set(id, drawHistogram(line, found));
			const figure = shown.get(id);
			if (figure) figure.dataset.stale = String(!found);
			return figure ?? [];
		});
		spread.replaceChildren(...figures);
	});
}

/** Returns the index of the date of its map in a line. @param {Line} line */
const indexOf = ({ table, side }) => table.times.indexOf(side.instant.value?.text ?? null);

/**
 * Returns the difference between two possible values of a layer, from its cubes; null if unknown or continuous.
 * @param {Side} side
 */
function stepOf(side) {
	const { size } = side.loadedTimes.value;
	const header = size > 0 ? cubesOf(side)?.headerAt(side.timeIndex.value) : undefined;
	return header && !header.quantised ? Math.abs(header.scale) : null;
}

/** Returns the request for the histogram of an area; null if it is loaded or there are no values. @param {Line} line */
function questionOf(line) {
	const { table, side, layer } = line;
	const { geometry } = line.asked;
	const at = indexOf(line);
	const [low, high] = [table.columns.min?.[at], table.columns.max?.[at]];
	if (typeof low !== "number" || typeof high !== "number") return null;
	const reducers = histogramBetween(low, high, stepOf(side));
	const parameters = { datetime: side.instant.value?.text ?? null, reducers };
	return { key: JSON.stringify([layer.id, layer.revision, geometry, parameters]), layer, geometry, parameters };
}

/** @param {Line} line @returns {Histogram | null} */
function histogramOf(line) {
	const loadedHistogram = line.table.histograms[indexOf(line)];
	if (loadedHistogram) return loadedHistogram;
	const question = questionOf(line);
	return question && (answers.get(question.key)?.value ?? null);
}

/**
 * Requests the histograms of the areas at the dates of the maps, when these are idle.
 * @param {import("@preact/signals-core").ReadonlySignal<Line[]>} areas
 * @param {import("@preact/signals-core").ReadonlySignal<boolean>} isOpen
 */
function followHistograms(areas, isOpen) {
	const resting = signal(/** @type {NonNullable<ReturnType<typeof questionOf>>[]} */ ([]));
	effect(() => {
		const questions = isOpen.value && !isMoving.value ? areas.value.flatMap((line) => questionOf(line) ?? []) : [];
		const waiting = window.setTimeout(() => {
			resting.value = questions;
		}, REST_MS);
		return () => window.clearTimeout(waiting);
	});
	effect(() =>
		answers.follow(resting.value, async ([{ layer, geometry, parameters }], stopped) => {
			const answer = await fetchSeriesOfArea(layer, geometry, parameters, stopped);
			return [histogramsOf(answer, answer.features[0])[0] ?? null];
		}),
	);
}

/** @param {Line[]} areas @returns {Node[]} */
function describeDate(areas) {
	if (areas.length === 0) return [make("p", { class: "hint" }, text("chart.noAreas"))];
	const dates = areas.map(({ side }) => side.shownDate.value);
	const columns = areas.every(({ side }) => classesOf(side).length > 0) ? [] : AT_A_DATE;
	const head = [text("chart.area.heading"), ...columns.map(reducerText), text("chart.count"), text("chart.share")];
	const rows = areas.map((line, index) => {
		const { table } = line;
		const at = indexOf(line);
		const [count, total] = [table.counts[at] ?? 0, table.total];
		const values = columns.map((column) => write(table.columns[column]?.[at]));
		const name = dates[index] === dates[0] ? lineName(line) : `${lineName(line)}, ${dates[index]}`;
		const share = total > 0 ? percent(count / total) : "–";
		return makeRow([name, ...values, count.toLocaleString(locale()), share]);
	});
	return [makeTable(head, rows, dates[0] || text("time.undated"))];
}

/** @param {Line[]} drawn @param {Range | null} period @returns {Node[]} */
function describePeriod(drawn, period) {
	const dated = drawn.filter(({ table, side }) => table.times.length > 1 && hasAmounts(side) !== false);
	if (dated.length === 0) return [];
	const within = (/** @type {string | null} */ time) => isIn(period, Date.parse(time ?? "") / 1000);
	const rows = dated.map((line) => {
		const values = valuesOf(line.table, reducer.value).filter((_, index) => within(line.table.times[index]));
		const summary = summarise(values);
		const numbers = OVER_TIME.map((name) => write(summary?.[name]));
		return makeRow([lineName(line), ...numbers, `${summary?.valid ?? 0} / ${values.length}`]);
	});
	const head = [text("chart.place"), ...OVER_TIME.map(reducerText), text("chart.datesWithValue")];
	const shown = dated.flatMap(({ table }) => table.times.filter(within)).map((time) => Date.parse(time ?? ""));
	const [first, last] = [Math.min(...shown), Math.max(...shown)];
	const caption = text("chart.overTime", { first: formatDate(first, locale()), last: formatDate(last, locale()) });
	return [makeTable(head, rows, shown.length > 0 ? caption : "")];
}

/** @param {Line} line @param {Histogram} histogram */
function drawHistogram(line, { counts, edges }) {
	const { place, layer, side } = line;
	const classes = classesOf(side);
	const most = Math.max(...counts, 1);
	const valid = counts.reduce((sum, count) => sum + count, 0);
	const bins = counts.map((count, bin) => {
		const namedClass = classes.find(({ value }) => value === (edges[bin] + edges[bin + 1]) / 2);
		return { count, namedClass, range: namedClass?.label ?? `${write(edges[bin])} – ${write(edges[bin + 1])}` };
	});
	const bars = bins.map(({ count, namedClass, range }) => {
		const title = text("chart.bin", { range, count });
		const bar = make("span", { class: "histogram-bar", title, "data-count": count });
		bar.style.setProperty("--share", String(count / most));
		if (namedClass) bar.style.setProperty("--bar-colour", namedClass.color);
		return bar;
	});
	const peak = Math.max(0, counts.indexOf(most));
	const [low, high, from, to] = [edges[0], edges[edges.length - 1], edges[peak], edges[peak + 1]].map(write);
	const words = text("chart.histogram", { name: placeName(place), count: valid, low, high, from, to });
	const ends = [low, unitText(layer.units), high].map((each) => make("span", {}, each));
	// Classes that occur, the most frequent first.
	const usedBins = bins.filter(({ count }) => count > 0).sort((one, other) => other.count - one.count);
	const items = usedBins.map(({ count, namedClass }) =>
		make("li", {}, make("span", {}, namedClass?.label ?? ""), percent(count / valid)),
	);
	const figure = make(
		"figure",
		{ class: "histogram" },
		make("figcaption", {}, lineName(line)),
		make("div", { class: "histogram-bars", role: "img", "aria-label": words }, ...bars),
		classes.length > 0
			? make("ul", { class: "histogram-classes" }, ...items)
			: make("div", { class: "histogram-scale", "aria-hidden": "true" }, ...ends),
	);
	figure.style.setProperty("--place", `var(${place.colour})`);
	return figure;
}
