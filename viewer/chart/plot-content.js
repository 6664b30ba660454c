/**
 * What the chart draws of the lines that are shown.
 *
 * @typedef {import("./lines.js").Line} Line
 * @typedef {import("./tables.js").Table} Table
 * @typedef {import("./tables.js").Column} Column
 * @typedef {import("./plot.js").Picture} Picture
 * @typedef {import("./plot.js").PlotLine} PlotLine
 * @typedef {Line & { table: Table }} Drawn
 */
import { placeNumber } from "../base/state.js";
import { language } from "../base/text.js";
import { foundOf } from "./analysis.js";
import { classesOf } from "./lines.js";
import { joinTimes, spread, valuesOf } from "./tables.js";

/**
 * @param {Drawn[]} of @param {string} kind what is drawn of areas @param {import("./scales.js").Range | null} period
 * @returns {Picture | null} null when there is nothing to draw over time
 */
export function describePicture(of, kind, period) {
	const { seconds, places } = joinTimes(of.map(({ table }) => table.times));
	const hasValue = of.some(({ table }) => table.counts.some((count) => count > 0));
	if (seconds.length < 2 || !hasValue) return null;
	const [{ layer, side }] = of;
	/** Values of another quantity have an axis of their own. @param {Drawn} line */
	const isRight = (line) => line.layer.units !== layer.units || line.layer.variable !== layer.variable;
	return {
		seconds,
		period,
		writeValue: (value) => value.toLocaleString(language(), { maximumFractionDigits: 6, useGrouping: false }),
		classes: classesOf(side),
		lines: of.map((line, index) =>
			describeLine(line, kind, isRight(line), (column) => spread(column, places[index], seconds.length)),
		),
	};
}

/** @param {Drawn} line @param {string} kind @param {boolean} isRight @param {(column: Column) => (number | null | undefined)[]} onAxis @returns {PlotLine} */
function describeLine(line, kind, isRight, onAxis) {
	const { place, side, table } = line;
	const { p10, p90 } = table.columns;
	const { smooth, normal } = foundOf(line);
	return {
		label: `${placeNumber(place)} ${place.name}`.trim(),
		colour: place.colour,
		isDashed: side.id === "b",
		isStepped: classesOf(side).length > 0,
		isRight,
		values: onAxis(valuesOf(table, kind)),
		smooth: smooth && onAxis(smooth),
		band: p10 && p90 && side.id === "a" ? [onAxis(p10), onAxis(p90)] : null,
		normal: normal && [onAxis(normal[0]), onAxis(normal[1])],
	};
}
