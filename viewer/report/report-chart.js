/** How a place went through time, as a drawing for paper. */
import { locale } from "../base/text.js";
import { numberText, roundValues } from "../base/value-scale.js";
import { CHART, makeSvg } from "./report-page.js";

const [LEFT, TOP, BOTTOM] = [44, 20, 20];
const [INK, LINE, CURVE] = ["#52625c", "#dfe5e2", "#0b6b57"];

/** @param {string} title @param {(string | null)[]} times @param {(number | null)[]} values @returns {SVGElement | null} null where there is no line */
export function drawSeries(title, times, values) {
	const moments = times.map((time) => Date.parse(time ?? ""));
	const known = values.filter((value) => value !== null);
	if (known.length < 2) return null;
	const [first, last] = [moments[0], moments[moments.length - 1]];
	const ticks = roundValues({ low: Math.min(...known), high: Math.max(...known), isLog: false }, 5);
	const [low, high] = [Math.min(...known, ...ticks), Math.max(...known, ...ticks)];
	const xOf = (/** @type {number} */ ms) => LEFT + ((ms - first) / (last - first || 1)) * (CHART.width - LEFT - 4);
	const yOf = (/** @type {number} */ value) =>
		CHART.height - BOTTOM - ((value - low) / (high - low || 1)) * (CHART.height - TOP - BOTTOM);
	const write = (/** @type {string} */ words, /** @type {number} */ x, /** @type {number} */ y, anchor = "end") =>
		makeSvg("text", { x, y, "font-size": 11, fill: INK, "text-anchor": anchor }, words);
	const rules = ticks.flatMap((tick) => [
		makeSvg("path", { d: `M${LEFT} ${yOf(tick)}H${CHART.width}`, stroke: LINE }),
		write(numberText(tick, locale()), LEFT - 6, yOf(tick) + 4),
	]);
	const years = [];
	for (let year = new Date(first).getUTCFullYear(); Date.UTC(year) <= last; year++) {
		const x = xOf(Math.max(first, Date.UTC(year)));
		years.push(makeSvg("path", { d: `M${x} ${TOP}V${CHART.height - BOTTOM}`, stroke: LINE }));
		years.push(write(String(year), x + 3, CHART.height - 5, "start"));
	}
	// A gap breaks the line.
	const path = values.map((value, at) =>
		value === null ? "" : `${at > 0 && values[at - 1] !== null ? "L" : "M"}${xOf(moments[at])} ${yOf(value)}`,
	);
	const curve = makeSvg("path", {
		d: path.join(""),
		fill: "none",
		stroke: CURVE,
		"stroke-width": 1.4,
		"stroke-linejoin": "round",
	});
	return makeSvg("g", {}, ...rules, ...years, curve, write(title, 0, 11, "start"));
}
