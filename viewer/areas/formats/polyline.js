/**
 * Outlines as links hold them: encoded polylines of 5 decimals, latitude first; pure.
 *
 * @typedef {import("../shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 */
import { tidyPolygon } from "../shapes/geometry.js";

const UNITS = 1e5;

/** @param {number} value */
function encodeNumber(value) {
	let rest = value < 0 ? -2 * value - 1 : 2 * value;
	let written = "";
	while (rest >= 32) {
		written += String.fromCharCode((rest % 32) + 32 + 63);
		rest = Math.floor(rest / 32);
	}
	return written + String.fromCharCode(rest + 63);
}

/** @param {Position[]} line */
function encodeLine(line) {
	let [lon, lat] = [0, 0];
	return line
		.map((position) => {
			const [nextLon, nextLat] = position.map((degrees) => Math.round(degrees * UNITS));
			const written = encodeNumber(nextLat - lat) + encodeNumber(nextLon - lon);
			[lon, lat] = [nextLon, nextLat];
			return written;
		})
		.join("");
}

/** @param {string} written @returns {Position[] | null} null where it breaks off or leads off the earth */
function decodeLine(written) {
	const numbers = [];
	let [value, weight] = [0, 1];
	for (const character of written) {
		const five = character.charCodeAt(0) - 63;
		value += (five % 32) * weight;
		weight *= 32;
		if (five >= 32) continue;
		numbers.push(value % 2 === 1 ? -(value + 1) / 2 : value / 2);
		[value, weight] = [0, 1];
	}
	if (weight > 1 || numbers.length % 2 === 1) return null;
	let [lon, lat] = [0, 0];
	const line = [];
	for (let index = 0; index < numbers.length; index += 2) {
		lat += numbers[index];
		lon += numbers[index + 1];
		line.push([lon / UNITS, lat / UNITS]);
	}
	return line.every(([x, y]) => Math.abs(x) <= 540 && Math.abs(y) <= 90) ? line : null;
}

/** A geometry as a link holds it; null of one with holes or of several parts, for which a line has no room. @param {Geometry} geometry */
export function encodeGeometry({ type, coordinates }) {
	if (type === "Point") return encodeLine([coordinates]);
	if (type !== "Polygon" || coordinates.length > 1) return null;
	return encodeLine(coordinates[0].slice(0, -1));
}

/** The point or the polygon that a link holds; null where it holds neither. @param {string} written @returns {Geometry | null} */
export function decodeGeometry(written) {
	const line = decodeLine(written);
	if (line?.length === 1) return { type: "Point", coordinates: line[0] };
	const rings = line && tidyPolygon([line]);
	return rings && { type: "Polygon", coordinates: rings };
}
