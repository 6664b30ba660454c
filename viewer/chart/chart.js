/**
 * The drawer with the values of places over time: a chart, the same as a table and as a file, statistics, and the list
 * of the places. Loaded at the first place that is chosen, and the chart library with it.
 *
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./scales.js").Range} Range
 * @typedef {import("./plot.js").Picture} Picture
 */

import { make, makeIconButton } from "../base/elements.js";
import { chooseTime, isDark, joinLink, layer, places, sideA, sideB, timeDomain } from "../base/state.js";
import { makeTabs } from "../base/tabs.js";
import { locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { computed, effect, signal } from "../vendor/signals-core.js";
import { followAnalyses } from "./analysis.js";
import { placeName } from "./line-labels.js";
import { followPlaces, lines, reducer, sides } from "./lines.js";
import { startList } from "./list.js";
import { hasDecimalComma, makeOptions } from "./options.js";
import { Plot } from "./plot.js";
import { describePicture } from "./plot-content.js";
import { startHandle } from "./resize.js";
import { nearestSecond } from "./scales.js";
import { seriesCsv } from "./series-csv.js";
import { startStatistics } from "./statistics.js";
import { summaryText } from "./summary.js";
import { startTable } from "./table.js";
import { LINE_REDUCERS, lineReducer } from "./tables.js";

const USUAL_HEIGHT_PX = 250;

/** @typedef {"plot" | "statistics" | "table"} ViewName */

/** Seconds since 1970 of the moment under the pointer; null while it is elsewhere. */
const hovered = signal(/** @type {number | null} */ (null));
/** What the chart is zoomed to; null for all. */
const period = signal(/** @type {Range | null} */ (null));
const isFolded = signal(false);
const view = signal(/** @type {ViewName} */ ("plot"));

const drawn = computed(() =>
	lines.value.flatMap((line) => (line.place.isShown && line.table ? [{ ...line, table: line.table }] : [])),
);

const picture = computed(() => describePicture(drawn.value, reducer.value, period.value));

/** Whether there are no lines to draw and none to come, so that the list is all that the chart has to show. */
const isPlain = computed(
	() => view.value === "plot" && picture.value === null && lines.value.every(({ phase }) => phase !== "loading"),
);

/**
 * Which of a line's dates its values are told of: that under the pointer, else that of its map; in comparisons of one
 * layer that of the other side as well.
 */
const momentsOf = computed(() => {
	const second = hovered.value;
	const other = sideB.value;
	const isOneLayer = sides.value.length === 1;
	return (/** @type {Line} */ { table, side }) => {
		if (!table) return [];
		const name = other ? side.id.toUpperCase() : "";
		if (second !== null) {
			const index = table.times.findIndex((time) => Date.parse(time ?? "") / 1000 === second);
			return [{ name: isOneLayer ? "" : name, index }];
		}
		if (side.timeDomain.value.instants.length === 0) return table.times.length === 1 ? [{ name, index: 0 }] : [];
		const shown = [side, ...(other && isOneLayer ? [other] : [])];
		return shown.map(({ id, instant }) => ({
			name: other ? id.toUpperCase() : "",
			index: table.times.indexOf(instant.value?.text ?? null),
		}));
	};
});

/** @param {HTMLElement} root */
export function startChart(root) {
	joinLink({
		write: () => ({
			chart: isFolded.value && places.value.length > 0 ? false : undefined,
			agg: reducer.value === LINE_REDUCERS[0] ? undefined : reducer.value,
		}),
		read: ({ chart, agg }) => {
			isFolded.value = chart === false;
			reducer.value = lineReducer(agg);
		},
	});
	followPlaces();
	followAnalyses(drawn);
	buildDrawer(root);
	effect(() => {
		root.hidden = places.value.length === 0;
	});
}

/** @param {HTMLElement} root */
function buildDrawer(root) {
	const plot = make("div", { class: "chart-plot", role: "img", "aria-label": text("chart.label") });
	const statistics = make("div", { class: "chart-statistics" });
	const table = make("div", { class: "chart-table" });
	const list = make("ul", { class: "place-list", "aria-label": text("chart.places") });
	const date = make("p", { class: "place-date" });
	const body = make(
		"div",
		{ class: "chart-body" },
		make("div", { class: "chart-places" }, date, list),
		make("div", { class: "chart-views" }, plot, statistics, table),
	);
	const handle = make("div", {
		class: "chart-handle",
		role: "separator",
		tabindex: 0,
		"aria-label": text("chart.height"),
		"aria-orientation": "horizontal",
	});
	const message = make("p", { class: "chart-message", role: "status" });
	const tabs = makeTabs(
		text("chart.views"),
		[
			{ id: "plot", label: text("chart.chart"), panel: plot },
			{ id: "statistics", label: text("chart.statistics"), panel: statistics },
			{ id: "table", label: text("chart.table"), panel: table },
		],
		(id) => {
			view.value = /** @type {ViewName} */ (id);
		},
	);
	root.replaceChildren(handle, makeHead(tabs), message, body);
	startHandle(handle, body, USUAL_HEIGHT_PX);
	startList(list, momentsOf);
	const isOpen = (/** @type {ViewName} */ name) => computed(() => view.value === name && !isFolded.value);
	startStatistics(statistics, drawn, period, isOpen("statistics"));
	startTable(table, isOpen("table"));
	showPlot(plot);
	effect(() => {
		message.textContent = summaryText(drawn.value);
	});
	effect(() => {
		const second = hovered.value;
		const shown = [sideA, ...(sideB.value ? [sideB.value] : [])].map(({ shownDate }) => shownDate.value);
		date.textContent = second === null ? [...new Set(shown)].join(" · ") : dateText(second);
	});
	effect(() => {
		for (const element of [message, body]) element.hidden = isFolded.value;
		handle.hidden = isFolded.value || isPlain.value;
		Object.assign(root.dataset, { folded: isFolded.value, plain: isPlain.value });
	});
	effect(() => {
		// The period was chosen of this layer's dates.
		layer.value?.id;
		period.value = null;
	});
}

/** @param {number} second */
const dateText = (second) =>
	new Intl.DateTimeFormat(locale(), { dateStyle: "long", timeZone: "UTC" }).format(second * 1000);

/** @param {HTMLElement} tabs */
function makeHead(tabs) {
	const title = make("h2", { id: "chart-title" });
	const csv = text("chart.csvHint");
	const download = makeIconButton("download", csv, saveCsv);
	const toggle = () => {
		isFolded.value = !isFolded.value;
	};
	const fold = makeIconButton("chevron-down", text("chart.fold"), toggle, { class: "quiet icon plain chart-fold" });
	const close = makeIconButton("close", text("chart.close"), () => {
		places.value = [];
		document.getElementById("map")?.focus();
	});
	effect(() => {
		const titles = sides.value.flatMap(({ id, layer: of }) => {
			const units = unitText(of.value?.units ?? null);
			const words = of.value ? `${of.value.title}${units ? ` (${units})` : ""}` : "";
			return make("span", { class: "chart-layer", "data-side": id }, words);
		});
		title.replaceChildren(...titles);
		title.dataset.count = String(titles.length);
	});
	effect(() => {
		download.disabled = drawn.value.length === 0;
	});
	effect(() => {
		fold.setAttribute("aria-expanded", String(!isFolded.value));
	});
	const tools = make("div", { class: "chart-tools" }, tabs, ...makeOptions(period));
	return make("div", { class: "chart-head" }, title, tools, download, fold, close);
}

function saveCsv() {
	const dialect = hasDecimalComma.peek() ? "semicolon" : "comma";
	const csv = seriesCsv(drawn.peek(), reducer.peek(), ({ place }) => placeName(place), dialect);
	const url = URL.createObjectURL(new Blob([csv], { type: "text/csv" }));
	make("a", { href: url, download: `${layer.peek()?.id ?? "series"}.csv` }).click();
	setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** @param {HTMLElement} element */
function showPlot(element) {
	const plot = new Plot(element, {
		onHover: (second) => {
			hovered.value = second;
		},
		onPick: (second) => {
			const instants = timeDomain.peek().instants.map(({ ms }) => ms / 1000);
			const index = nearestSecond(instants, second);
			if (index >= 0) chooseTime(index);
		},
		onSelect: (chosen) => {
			period.value = chosen;
		},
	});
	effect(() => {
		isDark.value;
		plot.redraw();
	});
	effect(() => {
		if (view.value === "plot" && !isFolded.value) plot.show(picture.value);
	});
	effect(() => {
		const shown = [sideA, sideB.value].flatMap((side) => side?.instant.value ?? []);
		plot.mark(shown.map(({ ms }) => ms / 1000));
		// A date that was chosen elsewhere is what people look at, wherever the pointer rests.
		hovered.value = null;
	});
}
