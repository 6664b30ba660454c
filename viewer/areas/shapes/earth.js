/**
 * Ways on the ellipsoid WGS 84, the shortest; pure. Positions are longitude and latitude in degrees, longitudes may go
 * on beyond 180.
 *
 * @typedef {number[]} Position longitude, latitude
 */
import { Geodesic } from "../../vendor/geographiclib.js";

const { WGS84, LONG_UNROLL, STANDARD } = Geodesic;

/** In metres. @param {Position} from @param {Position} to @returns {number} */
export const distance = ([lon, lat], [toLon, toLat]) => WGS84.Inverse(lat, lon, toLat, toLon).s12 ?? 0;

/**
 * Returns the destination of a path on the ellipsoid; its longitude is continuous with that of the start.
 * @param {Position} from
 * @param {number} bearing degrees, from north to the east
 * @param {number} metres
 * @returns {Position}
 */
export function destinationOf([lon, lat], bearing, metres) {
	const { lon2 = lon, lat2 = lat } = WGS84.Direct(lat, lon, bearing, metres, STANDARD | LONG_UNROLL);
	return [lon2, lat2];
}

/** @param {Position[]} line */
export function lineLength(line) {
	let sum = 0;
	for (let index = 1; index < line.length; index++) sum += distance(line[index - 1], line[index]);
	return sum;
}

/**
 * The ends of equal parts of the shortest way, without its start; longitudes go on from it.
 * @param {Position} from
 * @param {Position} to
 * @param {number} count of parts
 * @returns {Position[]}
 */
export function partsOfWay([lon, lat], to, count) {
	const way = WGS84.InverseLine(lat, lon, to[1], to[0]);
	const length = distance([lon, lat], to);
	const inside = Array.from({ length: Math.max(0, count - 1) }, (_, at) => {
		const { lon2 = lon, lat2 = lat } = way.Position((length * (at + 1)) / count, STANDARD | LONG_UNROLL);
		return [lon2, lat2];
	});
	return [...inside, to];
}

/**
 * Inserts positions into a line, so that it is drawn along the shortest path.
 * @param {Position[]} line
 * @param {number} stepM
 */
export const alongTheEarth = (line, stepM = 100_000) =>
	line.flatMap((to, index) => {
		if (index === 0) return [to];
		const from = line[index - 1];
		return partsOfWay(from, to, Math.min(200, Math.ceil(distance(from, to) / stepM)));
	});
