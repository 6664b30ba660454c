/**
 * Places in the grids of maps, in metres: UTM (`31N 600000 5650000`, `600000 5650000 31U`, `EPSG:32631 600000 5650000`)
 * and MGRS (`31U ES 00000 50000`). N and S after a zone are the halves of the Earth, other letters bands of latitude.
 *
 * @typedef {import("../base/permalink.js").Point} Point
 */
import { toPoint } from "../vendor/mgrs.js";

const METRES = String.raw`(\d{5,7}(?:\.\d+)?)\s*(?:M\s*)?E?[\s,;]+(\d{1,8}(?:\.\d+)?)\s*(?:M\s*)?N?`;
const ZONE = String.raw`(\d{1,2})\s*([C-HJ-NP-X])`;
const ZONE_FIRST = new RegExp(`^${ZONE}[\\s,;]+${METRES}$`);
const ZONE_LAST = new RegExp(`^${METRES}[\\s,;]+${ZONE}$`);
const EPSG = new RegExp(`^EPSG:32([67])(\\d\\d)[\\s,;]+${METRES}$`);
const MGRS = /^\d{1,2}[C-HJ-NP-X][A-HJ-NP-Z]{2}(\d\d){0,5}$/;

/** WGS 84: third flattening, and radius of the circle with the length of a meridian. */
const FLATTENING = 1 / 298.257223563;
const n = FLATTENING / (2 - FLATTENING);
const RADIUS_M = (6_378_137 / (1 + n)) * (1 + n ** 2 / 4 + n ** 4 / 64);
const SCALE = 0.9996;
/** Krüger series; the next term is far below a millimetre. */
const BETA = [n / 2 - (2 / 3) * n ** 2 + (37 / 96) * n ** 3, n ** 2 / 48 + n ** 3 / 15, (17 / 480) * n ** 3];
const DELTA = [2 * n - (2 / 3) * n ** 2 - 2 * n ** 3, (7 / 3) * n ** 2 - (8 / 5) * n ** 3, (56 / 15) * n ** 3];

/**
 * @param {number} zone
 * @param {boolean} isSouth
 * @param {number} easting
 * @param {number} northing
 * @returns {Point | null}
 */
function fromUtm(zone, isSouth, easting, northing) {
	if (zone < 1 || zone > 60 || easting < 100_000 || easting > 900_000 || northing > 10_000_000) return null;
	const xi = (northing - (isSouth ? 10_000_000 : 0)) / (SCALE * RADIUS_M);
	const eta = (easting - 500_000) / (SCALE * RADIUS_M);
	let [x, y] = [xi, eta];
	for (const [index, beta] of BETA.entries()) {
		const turn = 2 * (index + 1);
		x -= beta * Math.sin(turn * xi) * Math.cosh(turn * eta);
		y -= beta * Math.cos(turn * xi) * Math.sinh(turn * eta);
	}
	const chi = Math.asin(Math.sin(x) / Math.cosh(y));
	const lat = DELTA.reduce((sum, delta, index) => sum + delta * Math.sin(2 * (index + 1) * chi), chi);
	const lon = Math.atan2(Math.sinh(y), Math.cos(x));
	return { lon: 6 * zone - 183 + (lon * 180) / Math.PI, lat: (lat * 180) / Math.PI };
}

/** @param {string} letter */
const isSouthern = (letter) => letter === "S" || letter < "N";

/**
 * Returns the point for grid coordinates in a text, null if it has none.
 * @param {string} text
 * @returns {Point | null}
 */
export function parseGrid(text) {
	const plain = text
		.trim()
		.toUpperCase()
		.replace(/^UTM\s*/, "");
	const first = plain.match(ZONE_FIRST)?.slice(1);
	const [easting, northing, zone, letter] = plain.match(ZONE_LAST)?.slice(1) ?? [];
	const [half, number, east, north] = plain.match(EPSG)?.slice(1) ?? [];
	if (first) return fromUtm(Number(first[0]), isSouthern(first[1]), Number(first[2]), Number(first[3]));
	if (zone) return fromUtm(Number(zone), isSouthern(letter), Number(easting), Number(northing));
	if (half) return fromUtm(Number(number), half === "7", Number(east), Number(north));
	const square = plain.replace(/\s+/g, "");
	if (!MGRS.test(square)) return null;
	try {
		const [lon, lat] = toPoint(square);
		return { lon, lat };
	} catch {
		return null; // the zone has no such square
	}
}
