/** What the chart says, in words. */
import { layer } from "../base/state.js";
import { locale, text } from "../base/text.js";
import { analysisState } from "./series/analysis.js";
import { placeName } from "./series/line-labels.js";
import { classesOf, lines, reducer } from "./series/lines.js";
import { formatNumber, summarise } from "./series/series.js";
import { valuesOf } from "./series/tables.js";

/** @typedef {import("./plot-content.js").Drawn} Drawn */

const write = (/** @type {number} */ value) => formatNumber(value, locale());

/** What is to be known, and whether that is more than the values come to. @param {Drawn[]} drawn @returns {{ words: string, kind: "summary" | "note" }} */
export function describeDrawn(drawn) {
	const of = layer.value;
	if (of && of.variable === null) return { words: text("chart.coloursOnly", { layer: of.title }), kind: "note" };
	const { isLoading, why } = analysisState(drawn);
	const added = isLoading ? text("chart.analysing") : why && text("chart.analysisFailed", { why });
	const found = summaryOf(drawn);
	const words = [found || emptyOf(drawn), added].filter((each) => each !== "").join(" ");
	return { words, kind: found !== "" && added === "" ? "summary" : "note" };
}

/** @param {Drawn[]} drawn */
function summaryOf(drawn) {
	const found = drawn.flatMap(({ place, side, table }) => {
		const isScale = side.id === "a" && table.times.length > 1 && classesOf(side).length === 0;
		const summary = isScale ? summarise(valuesOf(table, reducer.value)) : null;
		return summary ? [{ name: placeName(place), ...summary }] : [];
	});
	if (found.length === 1) {
		const [{ valid, total, mean, low, high }] = found;
		return text("chart.summary", { valid, count: total, mean: write(mean), low: write(low), high: write(high) });
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
