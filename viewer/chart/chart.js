/**
 * The drawer with the values of places over time: a chart, the same as a table and as a file, statistics, and the list
 * of the places. Loaded at the first place that is chosen, and the chart library with it.
 *
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("./series/lines.js").Line} Line
 * @typedef {import("./series/scales.js").Range} Range
 */

import { measured } from "../areas/measured-series.js";
import { formatShortDate, nearestIndex } from "../base/dates.js";
import { until } from "../base/delays.js";
import { make, makeIconButton } from "../base/elements.js";
import { bind } from "../base/live.js";
import { startPart } from "../base/parts.js";
import {
	chooseTime,
	isDark,
	joinLink,
	places,
	replacePlaces,
	setDragged,
	setMoving,
	sideA,
	sideB,
	timeDomain,
} from "../base/state.js";
import { makeTabs } from "../base/tabs.js";
import { locale, text } from "../base/text.js";
import { titled } from "../base/units.js";
import { pause } from "../time/playback.js";
import { shownSpan, showSpan, turnWheel } from "../time/strip/axis.js";
import { SIDE_PX } from "../time/strip/strip-painter.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { startChips } from "./chips.js";
import { makeDownload } from "./download.js";
import { makeOptions } from "./options.js";
import { Plot } from "./plot.js";
import { describePicture } from "./plot-content.js";
import { makeHandle } from "./resize.js";
import { curve, followAnalyses, hasNormal } from "./series/analysis.js";
import { placeName } from "./series/line-labels.js";
import { followPlaces, lines, reducer, sides } from "./series/lines.js";
import { isIn } from "./series/scales.js";
import { LINE_REDUCERS, lineReducer } from "./series/tables.js";
import { seriesRows } from "./series-csv.js";
import { startStatistics } from "./statistics.js";
import { describeDrawn } from "./summary.js";
import { startTable } from "./table.js";

/** @typedef {"time" | "years" | "statistics" | "table"} ViewName */
/** @typedef {import("./series/figure.js").Sheet} Sheet */

/** Height of the content of the drawer, as a share of the window; the time chart uses the dates of the strip below. */
const SHARES = { time: 0.13, years: 0.3, statistics: 0.21, table: 0.21 };

/** As in chart.css: in other windows the chart is directly above the strip. */
const NARROW = window.matchMedia("(max-width: 47.99rem) and (min-height: 31.25rem)");

/** Seconds since 1970 at the pointer; null if it is not over the chart. */
const hovered = signal(/** @type {number | null} */ (null));
const isFolded = signal(false);
const view = signal(/** @type {ViewName} */ ("time"));

/**
 * The visible period, without a date exactly at its end; null for all.
 * @type {import("@preact/signals-core").ReadonlySignal<Range | null>}
 */
const period = computed(() => {
	const span = shownSpan.value;
	return span && [span[0] / 1000, (span[1] - 1) / 1000];
});

/** The dates of the maps, in seconds since 1970. */
const shownSeconds = computed(() =>
	[sideA, sideB.value].flatMap((side) => side?.instant.value ?? []).map(({ ms }) => ms / 1000),
);

const drawn = computed(() =>
	lines.value.flatMap((line) => (line.place.isShown && line.table ? [{ ...line, table: line.table }] : [])),
);

const picture = computed(() => describePicture(drawn.value, measured.value, reducer.value));

/** Whether there are no lines and none are loading, so that the chart only lists the places. */
const isPlain = computed(
	() => view.value === "time" && picture.value === null && lines.value.every(({ phase }) => phase !== "loading"),
);

/**
 * Dates at which the values of a line are shown: that under the pointer, otherwise that of its map; in comparisons of
 * one layer also that of the other side.
 */
const momentsOf = computed(() => {
	const second = hovered.value;
	const other = sideB.value;
	const isOneLayer = sides.value.length === 1;
	const nameOf = (/** @type {Side} */ { id }) => (other ? id.toUpperCase() : "");
	return (/** @type {Line} */ { table, side }) => {
		if (!table) return [];
		if (second !== null) {
			const index = table.times.findIndex((time) => Date.parse(time ?? "") / 1000 === second);
			return [{ name: isOneLayer ? "" : nameOf(side), index }];
		}
		if (side.timeDomain.value.instants.length === 0)
			return table.times.length === 1 ? [{ name: nameOf(side), index: 0 }] : [];
		const shown = other && isOneLayer ? [side, other] : [side];
		return shown.map((each) => ({ name: nameOf(each), index: table.times.indexOf(each.instant.value?.text ?? null) }));
	};
});

/** @param {HTMLElement} root */
export function startChart(root) {
	joinLink({
		write: () => ({
			chart:
				places.value.length === 0 ? undefined : isFolded.value ? "0" : view.value === "time" ? undefined : view.value,
			curve: curve.value === "" ? undefined : curve.value,
			normal: hasNormal.value || undefined,
			agg: reducer.value === LINE_REDUCERS[0] ? undefined : reducer.value,
		}),
		read: (asked) => {
			isFolded.value = asked.chart === "0";
			view.value = asked.chart === "0" || asked.chart === "1" ? "time" : (asked.chart ?? "time");
			curve.value = asked.curve ?? "";
			hasNormal.value = asked.normal ?? false;
			reducer.value = lineReducer(asked.agg);
		},
	});
	followPlaces();
	followAnalyses(drawn);
	buildDrawer(root);
	effect(() => {
		root.hidden = places.value.length === 0;
		root.parentElement?.toggleAttribute("data-chart", !root.hidden);
	});
}

/** @param {HTMLElement} root */
function buildDrawer(root) {
	const element = make("div", { class: "chart-plot", role: "img", "aria-label": text("chart.label") });
	const years = make("div", { class: "chart-years" });
	const statistics = make("div", { class: "chart-statistics" });
	const table = make("div", { class: "chart-table" });
	const date = make("p", { class: "place-date" });
	const body = make("div", { class: "chart-body" }, date, element, years, statistics, table);
	const message = make("p", { class: "chart-message", role: "status" });
	const views = Object.entries({ time: element, years, statistics, table }).map(([name, panel]) => {
		const id = /** @type {ViewName} */ (name);
		return { id, label: text(`chart.${id}`), panel };
	});
	const show = (/** @type {ViewName} */ id) => {
		view.value = id;
	};
	const { list, choose } = makeTabs(text("chart.views"), views, show, view.peek());
	const plot = makePlot(element);
	const ofTime = sheetOfTime(plot);
	/** @type {Sheet | null} */
	let ofYears = null;
	const head = makeHead(root, list, () => (view.peek() === "years" && ofYears) || ofTime);
	root.append(head, message, body);
	const handle = makeHandle(body, () => SHARES[view.value] * window.innerHeight);
	root.prepend(handle);
	const isOpen = (/** @type {ViewName} */ name) => computed(() => view.value === name && !isFolded.value);
	startStatistics(statistics, drawn, period, isOpen("statistics"));
	startTable(table, drawn, isOpen("table"));
	const areYearsOpen = isOpen("years");
	const openYears = async () => {
		const { startYears } = await import("./years/years-tab.js");
		ofYears = startYears(years, { lines: drawn, reducer, isOpen: areYearsOpen });
	};
	void until(() => areYearsOpen.value).then(() => startPart("years", openYears));
	effect(() => {
		const second = hovered.value;
		const shownMoments = second === null ? shownSeconds.value : [second];
		date.textContent = [...new Set(shownMoments.map((each) => formatShortDate(each * 1000, locale())))].join(" · ");
	});
	effect(() => choose(view.value));
	effect(() => {
		const { words, kind } = describeDrawn(drawn.value, view.value === "time");
		message.textContent = words;
		message.dataset.kind = kind;
	});
	effect(() => {
		for (const each of [message, body]) each.hidden = isFolded.value;
		handle.hidden = isFolded.value || isPlain.value;
		Object.assign(root.dataset, { folded: isFolded.value, plain: isPlain.value, view: view.value });
	});
}

/** Returns the subject of the lines. */
const titleText = () =>
	sides.value.flatMap(({ layer: of }) => (of.value ? [titled(of.value.title, of.value.units)] : [])).join(", ");

/**
 * Returns the list of places and the options of the chart.
 * @param {HTMLElement} root
 * @param {HTMLElement} tabs
 * @param {() => Sheet} sheetOf
 */
function makeHead(root, tabs, sheetOf) {
	const title = make("h2", { id: "chart-title", class: "unseen" });
	const chips = make("ul", { class: "place-list", "aria-label": text("chart.places") });
	const download = makeDownload(sheetOf, root);
	const toggle = () => {
		isFolded.value = !isFolded.value;
	};
	const fold = makeIconButton("chevron-down", text("chart.fold"), toggle, { class: "quiet icon plain chart-fold" });
	const close = makeIconButton("close", text("chart.close"), () => {
		replacePlaces([]);
		document.getElementById("map")?.focus();
	});
	startChips(chips, momentsOf, hovered);
	bind(title, () => ({ textContent: titleText() }));
	bind(download, () => ({ disabled: drawn.value.length === 0 }));
	bind(fold, () => ({ ariaExpanded: String(!isFolded.value) }));
	const tools = make("div", { class: "chart-tools" }, tabs, ...makeOptions(root));
	return make("div", { class: "chart-head" }, title, chips, tools, download, fold, close);
}

/** Returns the time chart for export. @param {Plot} plot @returns {Sheet} */
function sheetOfTime(plot) {
	const isShown = (/** @type {number} */ ms) => isIn(period.peek(), ms / 1000);
	return {
		rows: () => seriesRows(drawn.peek(), measured.peek(), reducer.peek(), isShown),
		svg: () => {
			const [{ place }, ...more] = drawn.peek();
			const title = more.length === 0 ? `${titleText()} · ${placeName(place)}` : titleText();
			return plot.figure(title, /** @type {Element} */ (plot.root.closest(".chart")));
		},
		span: () => {
			const shown = (picture.peek()?.seconds ?? []).map((second) => second * 1000).filter(isShown);
			return shown.length > 0 ? [shown[0], shown[shown.length - 1]] : null;
		},
	};
}

/** @param {HTMLElement} element */
function makePlot(element) {
	const sheet = /** @type {HTMLElement} */ (element.ownerDocument.getElementById("sheet"));
	const showNear = (/** @type {number} */ second) => {
		const index = nearestIndex(timeDomain.peek().instants, second * 1000);
		if (index >= 0) chooseTime(index);
	};
	const edges = { left: signal(0), right: signal(0) };
	const plot = new Plot(element, {
		onHover: (second) => {
			hovered.value = second;
		},
		onPick: showNear,
		onDrag: (second) => {
			// As on the strip: nothing is requested during the drag, and Back undoes it in one step.
			pause();
			setDragged(second !== null);
			setMoving(second !== null);
			if (second !== null) showNear(second);
		},
		onSelect: (ends) => showSpan(ends && [ends[0] * 1000, ends[1] * 1000]),
		onWheel: turnWheel,
		isOnStrip: () => shownSpan.peek() !== null && !NARROW.matches,
		onLayout: (left, right) => {
			// The strip leaves space for half a knob next to its dates.
			edges.left.value = left - SIDE_PX;
			edges.right.value = right - SIDE_PX;
		},
	});
	effect(() => {
		isDark.value;
		plot.redraw();
	});
	effect(() => {
		if (view.value === "time" && !isFolded.value) plot.show(picture.value);
	});
	effect(() => plot.zoom(period.value));
	effect(() => {
		plot.mark(shownSeconds.value);
		// After another date is chosen, the user looks at that one, even if the pointer rests on the chart.
		hovered.value = null;
	});
	effect(() => {
		const isSeen = view.value === "time" && !isFolded.value && picture.value !== null && places.value.length > 0;
		for (const [side, px] of Object.entries(edges))
			sheet.style.setProperty(`--axis-${side}`, `${isSeen ? px.value : 0}px`);
	});
	return plot;
}
