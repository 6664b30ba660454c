/**
 * Describes the drawing of visible lines and measured series.
 *
 * @typedef {import("./series/lines.js").Line} Line
 * @typedef {import("./series/tables.js").Table} Table
 * @typedef {import("./series/tables.js").Column} Column
 * @typedef {import("../areas/measured-series.js").Measured} Measured
 * @typedef {import("./plot-drawing.js").Picture} Picture
 * @typedef {import("./plot-drawing.js").PlotLine} PlotLine
 * @typedef {Line & { table: Table }} Drawn
 */
import { placeNumber } from "../base/state.js";
import { language } from "../base/text.js";
import { titled } from "../base/units.js";
import { foundOf } from "./series/analysis.js";
import { lineName, measuredLabel } from "./series/line-labels.js";
import { classesOf } from "./series/lines.js";
import { joinTimes, spread, valuesOf } from "./series/tables.js";

/** Whether two layers are drawn, so that colours distinguish layers instead of places. @param {Drawn[]} of */
const isOfTwo = (of) => new Set(of.map(({ side }) => side.id)).size > 1;

/**
 * @param {Drawn[]} of @param {Measured[]} measured @param {string} kind statistic of areas
 * @returns {Picture | null} null if there is nothing to draw over time
 */
export function describePicture(of, measured, kind) {
	const own = measured.map(({ times }) => times.map((ms) => new Date(ms).toISOString()));
	const { seconds, places } = joinTimes([...of.map(({ table }) => table.times), ...own]);
	const hasValue = of.some(({ table }) => table.counts.some((count) => count > 0));
	if (seconds.length < 2 || !hasValue) return null;
	const [{ layer, side }] = of;
	const onAxis = (/** @type {number} */ at) => (/** @type {Column} */ column) =>
		spread(column, places[at], seconds.length);
	/** Whether a line uses the right axis, because its quantity differs. @param {Drawn} line */
	const isRight = (line) => line.layer.units !== layer.units || line.layer.variable !== layer.variable;
	const isTwo = isOfTwo(of);
	const lines = [
		...of.map((line, at) => describeLine(line, kind, isTwo, isRight(line), onAxis(at))),
		...measured.map((each, at) => describeMeasured(each, at, layer.units, onAxis(of.length + at))),
	];
	const ofLayers = of.map((line) => {
		const words = titled(line.layer.title, line.layer.units);
		return { words, colour: isTwo ? layerColour(line) : "--text", isRight: isRight(line) };
	});
	const ofMeasured = lines
		.slice(of.length)
		.map(({ name = "", colour, isRight: isOther = false }) => ({ words: name, colour, isRight: isOther }));
	return {
		seconds,
		lines,
		titles: [...new Map(ofLayers.map((title, at) => [of[at].side.id, title])).values(), ...ofMeasured],
		writeValue: (value) => value.toLocaleString(language(), { maximumFractionDigits: 6, useGrouping: false }),
		classes: classesOf(side),
	};
}

/** @param {Drawn} line */
const layerColour = ({ side }) => (side.id === "a" ? "--layer-a" : "--layer-b");

/**
 * @param {Drawn} line
 * @param {string} kind
 * @param {boolean} isOne of two layers
 * @param {boolean} isRight
 * @param {(column: Column) => (number | null | undefined)[]} onAxis
 * @returns {PlotLine}
 */
function describeLine(line, kind, isOne, isRight, onAxis) {
	const { place, side, table } = line;
	const { p10, p90 } = table.columns;
	const { smooth, normal } = foundOf(line);
	return {
		label: String(placeNumber(place)),
		name: lineName(line),
		colour: isOne ? layerColour(line) : place.colour,
		isDashed: side.id === "b",
		isStepped: classesOf(side).length > 0,
		isRight,
		values: onAxis(valuesOf(table, kind)),
		smooth: smooth && onAxis(smooth),
		band: p10 && p90 && side.id === "a" ? [onAxis(p10), onAxis(p90)] : null,
		normal: normal && [onAxis(normal[0]), onAxis(normal[1])],
	};
}

/**
 * @param {Measured} measured
 * @param {number} at
 * @param {string | null} units of the axis on the left
 * @param {(column: Column) => (number | null | undefined)[]} onAxis
 * @returns {PlotLine}
 */
const describeMeasured = ({ name, unit, values }, at, units, onAxis) => ({
	label: measuredLabel(at),
	name: titled(name, unit),
	colour: "--measured",
	isRight: unit !== "" && unit !== (units ?? "1"),
	isMeasured: true,
	values: onAxis(values),
});
