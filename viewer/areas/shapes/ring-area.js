/**
 * The area inside a ring on the ellipsoid WGS 84; pure.
 *
 * @typedef {import("./earth.js").Position} Position
 */
const EQUATOR_M = 6378137;
const FLATTENING = 1 / 298.257223563;
const POLE_M = EQUATOR_M * (1 - FLATTENING);
const E2 = FLATTENING * (2 - FLATTENING);
const E = Math.sqrt(E2);
/** Nodes and weights of Gauss and Legendre for five points on 0 to 1. */
const NODES = [0.046910077, 0.2307653449, 0.5, 0.7692346551, 0.953089923];
const WEIGHTS = [0.1184634425, 0.2393143352, 0.2844444444, 0.2393143352, 0.1184634425];
/** An edge that reaches over more latitude is added up in pieces. */
const PIECE_DEGREES = 4;

const toRadians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;

/** Square metres from the equator to a latitude, for each radian of longitude. @param {number} lat degrees */
function stripArea(lat) {
	const sine = Math.sin(toRadians(lat));
	const whole = sine / (1 - E2 * sine * sine) + Math.log((1 + E * sine) / (1 - E * sine)) / (2 * E);
	return (POLE_M * POLE_M * whole) / 2;
}

/**
 * Returns the area inside a ring in square metres: positive if anticlockwise. Its edges are straight in longitude and
 * latitude, as in GeoJSON.
 * @param {Position[]} ring closed or open
 */
export function ringArea(ring) {
	let sum = 0;
	const ground = stripArea(ring[0]?.[1] ?? 0);
	for (const [index, [lon, lat]] of ring.entries()) {
		const [nextLon, nextLat] = ring[(index + 1) % ring.length];
		const pieces = Math.max(1, Math.ceil(Math.abs(nextLat - lat) / PIECE_DEGREES));
		let mean = 0;
		for (let piece = 0; piece < pieces; piece++) {
			for (const [at, node] of NODES.entries()) {
				mean += WEIGHTS[at] * (stripArea(lat + ((nextLat - lat) * (piece + node)) / pieces) - ground);
			}
		}
		sum -= (toRadians(nextLon - lon) * mean) / pieces;
	}
	return sum;
}
