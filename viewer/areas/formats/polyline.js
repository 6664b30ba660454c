/**
 * Outlines as links hold them: encoded polylines of 5 decimals, latitude first; pure.
 *
 * @typedef {import("../shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 */
import { decode, encode } from "../../vendor/polyline-codec.js";
import { tidyPolygon } from "../shapes/geometry.js";

/** Pairs of whole numbers of at most 30 bits, which is more than any degrees need. The library checks neither. */
const PAIRS = /^(?:(?:[_-~]{0,5}[?-^]){2})+$/;

/** Latitude first, or longitude again. @param {Position} position @returns {[number, number]} */
const flip = ([one, other]) => [other, one];

/** @param {string} written @returns {Position[] | null} null if it is incomplete or leaves the earth */
function decodeLine(written) {
	if (!PAIRS.test(written)) return null;
	const line = decode(written).map(flip);
	return line.every(([lon, lat]) => Math.abs(lon) <= 540 && Math.abs(lat) <= 90) ? line : null;
}

/**
 * Encodes a geometry for a link; null for polygons with holes and for several parts, which a line cannot express.
 * @param {Geometry} geometry
 */
export function encodeGeometry({ type, coordinates }) {
	if (type === "Point") return encode([flip(coordinates)]);
	if (type !== "Polygon" || coordinates.length > 1) return null;
	return encode(coordinates[0].slice(0, -1).map(flip));
}

/**
 * Decodes a point or polygon of a link; null if invalid.
 * @param {string} written
 * @returns {Geometry | null}
 */
export function decodeGeometry(written) {
	const line = decodeLine(written);
	if (line?.length === 1) return { type: "Point", coordinates: line[0] };
	const rings = line && tidyPolygon([line]);
	return rings && { type: "Polygon", coordinates: rings };
}
