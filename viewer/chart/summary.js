/** The content of the chart in words. */
import { measured } from "../areas/measured-series.js";
import { formatDate } from "../base/dates.js";
import { hasAmounts, layer, timeDomain } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { analysisState } from "./series/analysis.js";
import { placeName } from "./series/line-labels.js";
import { lines, reducer } from "./series/lines.js";
import { formatNumber, summarise } from "./series/series.js";
import { valuesOf } from "./series/tables.js";

/** @typedef {import("./plot-content.js").Drawn} Drawn */

const write = (/** @type {number} */ value) => formatNumber(value, locale());

/**
 * Returns a summary, or a note if there is something more important to report than the values.
 * @param {Drawn[]} drawn
 * @param {boolean} isOverTime whether values are shown over the dates of the layer
 * @returns {{ words: string, kind: "summary" | "note" }}
 */
export function describeDrawn(drawn, isOverTime) {
	const of = layer.value;
	if (of && of.variable === null) return { words: text("chart.coloursOnly", { layer: of.title }), kind: "note" };
	const { isLoading, why } = analysisState(drawn);
	const added = isLoading ? text("chart.analysing") : why && text("chart.analysisFailed", { why });
	const found = summaryOf(drawn);
	const more = [added, isOverTime ? outsideOf(drawn) : ""].filter((each) => each !== "");
	const words = [found || emptyOf(drawn), ...more].filter((each) => each !== "").join(" ");
	return { words, kind: found !== "" && more.length === 0 ? "summary" : "note" };
}

/**
 * Counts the values of B and of measured series that are not at dates of the layer, which the axis has.
 * @param {Drawn[]} drawn
 */
function outsideOf(drawn) {
	const { instants } = timeDomain.value;
	if (drawn.length === 0 || instants.length < 2) return "";
	const [{ ms: first }, { ms: last, end }] = [instants[0], instants[instants.length - 1]];
	const all = [
		...drawn.map(({ table }) => ({
			times: table.times.map((time) => Date.parse(time ?? "")),
			values: valuesOf(table, reducer.value),
		})),
		...measured.value,
	];
	const isOutside = (/** @type {number} */ ms) => ms < first || ms >= Math.max(end, last + 1);
	const count = all.reduce(
		(sum, { times, values }) => sum + times.filter((ms, at) => isOutside(ms) && values[at] !== null).length,
		0,
	);
	const ends = { first: formatDate(first, locale()), last: formatDate(last, locale()) };
	return count > 0 ? text("chart.outside", { count, ...ends }) : "";
}

/** @param {Drawn[]} drawn */
function summaryOf(drawn) {
	const found = drawn.flatMap(({ place, side, table }) => {
		const isScale = side.id === "a" && table.times.length > 1 && hasAmounts(side) !== false;
		const summary = isScale ? summarise(valuesOf(table, reducer.value)) : null;
		return summary ? [{ name: placeName(place), ...summary }] : [];
	});
	if (found.length === 1) {
		const [{ valid, total, mean, min, max }] = found;
		return text("chart.summary", { valid, count: total, mean: write(mean), low: write(min), high: write(max) });
	}
	if (found.length > 1) {
		const sorted = found.sort((one, other) => other.mean - one.mean);
		const [most, least] = [sorted[0], sorted[sorted.length - 1]];
		return text("chart.summaryOfMany", {
			count: found.length,
			most: most.name,
			mostMean: write(most.mean),
			least: least.name,
			leastMean: write(least.mean),
		});
	}
	return "";
}

/** @param {Drawn[]} drawn */
function emptyOf(drawn) {
	if (lines.value.some(({ phase }) => phase === "loading")) return text("chart.loading");
	const hasValue = drawn.some(({ table }) => table.counts.some((count) => count > 0));
	const count = Math.max(0, ...drawn.map(({ table }) => table.times.length));
	if (drawn.length === 0 || hasValue || count === 1) return "";
	return count === 0 ? text("chart.noDates") : text("chart.empty", { count });
}
