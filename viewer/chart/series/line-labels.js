/** Texts of the chart for places and values. */
import { placeText } from "../../areas/size-labels.js";
import { placeNumber } from "../../base/state.js";
import { flagText, locale, text } from "../../base/text.js";
import { pointOf, sides } from "./lines.js";
import { formatExact, formatNumber } from "./series.js";
import { valuesOf } from "./tables.js";

/**
 * @typedef {import("../../base/state.js").Place} Place
 * @typedef {import("./tables.js").Table} Table
 * @typedef {import("./lines.js").Line} Line
 */

/** Returns the name or the position. @param {Place} place */
export function placeName(place) {
	const point = pointOf(place);
	return (
		place.name ||
		(point ? placeText([point.lon, point.lat]) : text("chart.area.numbered", { number: placeNumber(place) }))
	);
}

/**
 * Returns the label at the end of the line of a measured series, a letter; places have numbers.
 * @param {number} index among the visible ones
 */
export const measuredLabel = (index) => String.fromCharCode("a".charCodeAt(0) + (index % 26));

/** Returns number and name of the place of a line, and its layer if there are several. @param {Line} line */
export function lineName({ place, layer }) {
	const name = `${placeNumber(place)} ${placeName(place)}`;
	return sides.value.length > 1 ? `${name}, ${layer.title}` : name;
}

/**
 * Returns a value without its unit, or the reason why it is missing; values of points are exact.
 * @param {Line} line
 * @param {number} index of the date
 * @param {string} reducer
 */
export function valueText({ table, side }, index, reducer) {
	if (!table || index < 0) return "";
	const value = valuesOf(table, reducer)[index] ?? null;
	if (value === null) return flagText(table.reasons[index] ?? "nodata");
	const named = side.legend.peek()?.classes?.find((each) => each.value === value)?.label;
	const write = table.columns.value ? formatExact : formatNumber;
	return named ?? `${table.isApproximate ? "≈ " : ""}${write(value, locale())}`;
}

/** @param {string} name of a reducer */
export function reducerText(name) {
	const percent = /^p(\d+)$/.exec(name)?.[1];
	if (percent !== undefined) return text("chart.reducers.percentile", { percent: Number(percent) });
	return text(/** @type {import("../../base/text.js").TextKey} */ (`chart.reducers.${name}`));
}
