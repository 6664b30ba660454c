/**
 * Values of all visible layers at a point of the map, as text.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 * @typedef {import("../base/state.js").Side} Side
 * @typedef {import("../map/cube-reader.js").Reading} Reading
 */
import { colours, cssColour, paintedStyle } from "../base/colours.js";
import { formatDate } from "../base/dates.js";
import { make } from "../base/elements.js";
import { PLACE_DIGITS } from "../base/permalink.js";
import { compareMode, places, sideA, sideB, sidesInSight } from "../base/state.js";
import { flagText, locale, text } from "../base/text.js";
import { unitText } from "../base/units.js";
import { formatExact, formatNumber } from "../chart/series/series.js";
import { differenceOf } from "../compare/difference.js";
import { differenceWords } from "../compare/difference-key.js";
import { inOrder } from "../compare/second-side.js";
import { withoutNoise } from "../ctc1/decode.js";
import { cubesOf } from "../map/cubes.js";
import { formatLength, pixelLength } from "../time/resolution.js";
import { computed, signal } from "../vendor/signals-core.js";

const TILE_PX = 256;
/** The last digit of coordinates is at most this fraction of a cell. */
const PARTS_OF_CELL = 100;
const LEAST_DIGITS = 4;

/**
 * Returns the sign before a value that is not exact.
 * @param {number} beyond 1 if the value is this or above, -1 if this or below
 */
const signOf = (beyond) => (beyond === 0 ? "≈" : beyond > 0 ? "≥" : "≤");

/** The series of the places that were chosen; null until one is. */
export const series = signal(/** @type {typeof import("../chart/series/lines.js") | null} */ (null));

/**
 * Returns the value at a point. If that is a mean of cells and the point is in the chart, returns the value of its cell
 * from the chart, if loaded.
 * @param {Side} side @param {Point} at @returns {Reading | null}
 */
function readingAt(side, at) {
	const reading = cubesOf(side)?.numbersAt(at, side.timeIndex.peek()) ?? null;
	if (!reading?.isApproximate || reading.isFilled) return reading;
	const line = series.value?.lines.value.find(({ place, layer, phase }) => {
		const [lon, lat] = place.geometry.coordinates;
		return phase === "ready" && layer === side.layer.peek() && lon === at.lon && lat === at.lat;
	});
	const index = line?.table?.times.indexOf(side.instant.peek()?.text ?? null) ?? -1;
	if (!line?.table || index < 0) return reading;
	const value = line.table.columns.value[index];
	return { ...reading, value, flag: null, beyond: 0, isApproximate: false, isMean: false };
}

/**
 * Returns the value at a point as text, or that it is loading.
 * @param {Side} side
 * @param {Reading | null} reading
 * @param {Point} at
 */
function readingText(side, reading, at) {
	if (!reading) return text("value.loading");
	const { value, beyond, flag, isApproximate, isMean, zoom, isFilled, from, isUnreadable, count } = reading;
	if (isUnreadable) return text("value.unreadable");
	if (value === null) return flag ? flagText(flag) : text("value.noData");
	const legend = side.legend.peek();
	const units = unitText(side.layer.peek()?.units);
	const label = legend?.classes?.find((each) => each.value === value)?.label;
	const isNear = isApproximate || beyond !== 0;
	const number = isNear ? `${signOf(beyond)} ${formatNumber(value, locale())}` : formatExact(value, locale());
	const words = label ?? `${number} ${units}`.trim();
	const { method } = side.timeDomain.peek().periods ?? {};
	if (method && !isFilled) {
		const made = text("value.by", { value: words, method: text(`method.${method}`) });
		const of = method === "usual" ? "value.years" : "value.values";
		return count > 0 ? `${made}, ${text(of, { count })}` : made;
	}
	if (isMean && label === undefined && !isFilled) {
		const length = formatLength(pixelLength(zoom, at.lat), locale());
		return text("value.mean", { value: words, length });
	}
	if (!isFilled || from === null) return words;
	return text("value.filled", { value: words, date: formatDate(Date.parse(from.split("/")[0]), locale()) });
}

/** @param {Side} side @param {Point} at @param {string} name distinguishes it from the other side */
function rowOf(side, at, name) {
	if (!cubesOf(side)) return null;
	const reading = readingAt(side, at);
	const legend = side.legend.peek();
	const swatch = make("span", { class: "reading-colour" });
	if (legend && reading && reading.value !== null) {
		const colour = cssColour(colours(paintedStyle(legend, side.colouring.peek()))(reading.value));
		swatch.style.setProperty("--swatch", colour);
	}
	const words = make("strong", {}, readingText(side, reading, at));
	return makeRow(side.id, reading?.value, swatch, ...(name ? [name, " "] : []), words);
}

/**
 * @param {string} side
 * @param {number | null | undefined} value unformatted, for scripts and tests
 * @param {...(Node | string)} children
 */
const makeRow = (side, value, ...children) =>
	make("span", { class: "reading", "data-side": side, "data-value": value ?? "" }, ...children);

/**
 * Returns the value of the later side minus the earlier one at a point, if both have a value.
 * @param {{ later: Side, earlier: Side }} sides
 * @param {Point} at
 */
function differenceRow({ later, earlier }, at) {
	const [a, b] = [later, earlier].map((side) => cubesOf(side)?.numbersAt(at, side.timeIndex.peek()) ?? null);
	const hasBoth = a !== null && b !== null && a.value !== null && b.value !== null;
	const valueDifference = hasBoth
		? differenceOf({ ...a, value: Number(a.value) }, { ...b, value: Number(b.value) })
		: null;
	const words = make("strong");
	if (hasBoth && !valueDifference) words.textContent = text("value.unknown");
	else if (!valueDifference) words.textContent = a && b ? text("value.noData") : text("value.loading");
	else {
		const isNear = a?.isApproximate || b?.isApproximate;
		// Binary fractions add noise to a difference, which is removed.
		const number = isNear
			? `${signOf(valueDifference.beyond)} ${formatNumber(valueDifference.value, locale())}`
			: formatExact(withoutNoise(valueDifference.value), locale());
		words.textContent = `${number} ${unitText(later.layer.peek()?.units)}`.trim();
	}
	return makeRow("difference", valueDifference?.value, differenceWords.value, " ", words);
}

/** Returns the number of decimals that distinguish the cells of a side's layer. @param {Side} side */
export function digitsOf(side) {
	const cellDegrees = 360 / (TILE_PX * 2 ** (cubesOf(side)?.source.maxZoom ?? Number.POSITIVE_INFINITY));
	const digits = Math.ceil(-Math.log10(cellDegrees / PARTS_OF_CELL));
	return Math.min(PLACE_DIGITS, Math.max(LEAST_DIGITS, digits));
}

/**
 * Returns all visible sides: the main layer, the compared side, and additional layers.
 * @returns {{ side: Side, mark: string, name: string }[]}
 */
export function shownSides() {
	return sidesInSight.value.map((side) => {
		const mark = sideB.value && side === sideA ? "A" : side === sideB.value ? "B" : "";
		return { side, mark, name: [mark, side.layer.value?.title, side.shownDate.value].filter(Boolean).join(" · ") };
	});
}

/** The visible area that was drawn last. */
export const shownArea = computed(() =>
	places.value.findLast(({ geometry, isShown }) => isShown && geometry.type !== "Point"),
);

/** Subscribes an effect to all signals that change a side's values on the map. @param {Side} side */
export const followSide = ({ layer, timeIndex, loadedTimes, tileProgress, colouring, legend }) =>
	void [layer.value, timeIndex.value, loadedTimes.value, tileProgress.value, colouring.value, legend.value];

/** Makes the rows of all visible layers at a point. @param {Point} at @returns {HTMLElement[]} */
export function rowsAt(at) {
	const all = shownSides();
	const rows = all.map(({ side, mark }) => {
		followSide(side);
		return rowOf(side, at, mark || (all.length > 1 ? (side.layer.value?.title ?? "") : ""));
	});
	if (inOrder.value && compareMode.value === "diff") rows.unshift(differenceRow(inOrder.value, at));
	return rows.filter((row) => row !== null);
}
