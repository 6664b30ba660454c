/**
 * Sizes of areas and lengths of lines, in words.
 *
 * @typedef {import("../base/state.js").Geometry} Geometry
 */
import { locale, text } from "../base/text.js";
import { areaOf, selfCrossing } from "./shapes/geometry.js";

const HECTARE = 1e4;
const SQUARE_KILOMETRE = 1e6;
/** From here on square kilometres are easier to read. */
const LARGE = 1e5 * HECTARE;
const SMALL = 0.1 * HECTARE;

/** Formats a number with at least three digits, without decimals if the integer has as many. @param {number} value */
const write = (value) =>
	new Intl.NumberFormat(locale(), {
		maximumFractionDigits: value >= 100 ? 0 : value >= 10 ? 1 : 2,
	}).format(value);

/** @param {number} squareMetres */
export function areaText(squareMetres) {
	if (squareMetres < SMALL) return `${write(squareMetres)} m²`;
	if (squareMetres < LARGE) return `${write(squareMetres / HECTARE)} ha`;
	return `${write(squareMetres / SQUARE_KILOMETRE)} km²`;
}

/** @param {number} metres */
export const lengthText = (metres) => (metres < 1000 ? `${write(metres)} m` : `${write(metres / 1000)} km`);

/**
 * Returns the size of an area or the position of a point; empty if the outline crosses itself, since the server
 * repairs it.
 * @param {Geometry} geometry
 */
export function sizeText(geometry) {
	if (geometry.type !== "Point") return selfCrossing(geometry) ? "" : areaText(areaOf(geometry));
	const [lon, lat] = geometry.coordinates;
	return placeText([lon, lat]);
}

/** "51.2194° N, 4.4025° E", in German "51,2194° N, 4,4025° O". @param {number[]} position @param {number} [digits] */
export function placeText([lon, lat], digits = 4) {
	const { format } = new Intl.NumberFormat(locale(), { minimumFractionDigits: digits, maximumFractionDigits: digits });
	const degrees = (/** @type {number} */ value) => `${format(Math.abs(value))}°`;
	const east = ((((lon + 180) % 360) + 360) % 360) - 180;
	return `${degrees(lat)} ${text(lat < 0 ? "areas.south" : "areas.north")}, ${degrees(east)} ${text(east < 0 ? "areas.west" : "areas.east")}`;
}
