/**
 * Lengths and areas on the ellipsoid WGS 84; pure. Positions are longitude and latitude in degrees, longitudes may go on
 * beyond 180.
 *
 * @typedef {number[]} Position longitude, latitude
 */
const EQUATOR_M = 6378137;
const FLATTENING = 1 / 298.257223563;
const POLE_M = EQUATOR_M * (1 - FLATTENING);
const E2 = FLATTENING * (2 - FLATTENING);
const E = Math.sqrt(E2);
/** Past so many rounds two positions are nearly opposite one another. */
const MAX_ROUNDS = 60;
/** Nodes and weights of Gauss and Legendre for five points on 0 to 1. */
const NODES = [0.046910077, 0.2307653449, 0.5, 0.7692346551, 0.953089923];
const WEIGHTS = [0.1184634425, 0.2393143352, 0.2844444444, 0.2393143352, 0.1184634425];
/** An edge that reaches over more latitude is added up in pieces. */
const PIECE_DEGREES = 4;

const toRadians = (/** @type {number} */ degrees) => (degrees * Math.PI) / 180;
const toDegrees = (/** @type {number} */ radians) => (radians * 180) / Math.PI;

/** Square metres from the equator to a latitude, for each radian of longitude. @param {number} lat degrees */
function stripArea(lat) {
	const sine = Math.sin(toRadians(lat));
	const whole = sine / (1 - E2 * sine * sine) + Math.log((1 + E * sine) / (1 - E * sine)) / (2 * E);
	return (POLE_M * POLE_M * whole) / 2;
}

/**
 * What lies inside a ring, in square metres: positive where it runs anticlockwise. Its edges are straight in longitude
 * and latitude, as those of GeoJSON are.
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

/**
 * The shortest way between two positions, in metres, after Vincenty's inverse formula.
 * @param {Position} from @param {Position} to @returns {number}
 */
export function distance(from, to) {
	const [u1, u2] = [from, to].map(([, lat]) => Math.atan((1 - FLATTENING) * Math.tan(toRadians(lat))));
	const [sin1, cos1, sin2, cos2] = [Math.sin(u1), Math.cos(u1), Math.sin(u2), Math.cos(u2)];
	const turn = ((((to[0] - from[0] + 180) % 360) + 360) % 360) - 180;
	let lambda = toRadians(turn);
	for (let round = 0; round < MAX_ROUNDS; round++) {
		const [sinLambda, cosLambda] = [Math.sin(lambda), Math.cos(lambda)];
		const sinSigma = Math.hypot(cos2 * sinLambda, cos1 * sin2 - sin1 * cos2 * cosLambda);
		if (sinSigma === 0) return 0;
		const cosSigma = sin1 * sin2 + cos1 * cos2 * cosLambda;
		const sigma = Math.atan2(sinSigma, cosSigma);
		const sinAlpha = (cos1 * cos2 * sinLambda) / sinSigma;
		const cos2Alpha = 1 - sinAlpha * sinAlpha;
		const middle = cos2Alpha === 0 ? 0 : cosSigma - (2 * sin1 * sin2) / cos2Alpha;
		const c = (FLATTENING / 16) * cos2Alpha * (4 + FLATTENING * (4 - 3 * cos2Alpha));
		const before = lambda;
		const swing = sigma + c * sinSigma * (middle + c * cosSigma * (2 * middle * middle - 1));
		lambda = toRadians(turn) + (1 - c) * FLATTENING * sinAlpha * swing;
		if (Math.abs(lambda - before) > 1e-12) continue;
		return arcLength(sigma, { sinSigma, cosSigma, middle, cos2Alpha });
	}
	const half = between(from, to, 0.5);
	return distance(from, half) + distance(half, to);
}

/** @param {number} sigma @param {{ sinSigma: number, cosSigma: number, middle: number, cos2Alpha: number }} arc */
function arcLength(sigma, { sinSigma, cosSigma, middle, cos2Alpha }) {
	const { scale, b } = seriesOf(cos2Alpha);
	return POLE_M * scale * (sigma - correction(b, { sinSigma, cosSigma, middle }));
}

/** Vincenty's A and B. @param {number} cos2Alpha */
function seriesOf(cos2Alpha) {
	const u2 = cos2Alpha * (E2 / (1 - E2));
	return {
		scale: 1 + (u2 / 16384) * (4096 + u2 * (-768 + u2 * (320 - 175 * u2))),
		b: (u2 / 1024) * (256 + u2 * (-128 + u2 * (74 - 47 * u2))),
	};
}

/** Vincenty's Δσ. @param {number} b @param {{ sinSigma: number, cosSigma: number, middle: number }} arc */
function correction(b, { sinSigma, cosSigma, middle }) {
	const fine = (b / 6) * middle * (4 * sinSigma * sinSigma - 3) * (4 * middle * middle - 3);
	return b * sinSigma * (middle + (b / 4) * (cosSigma * (2 * middle * middle - 1) - fine));
}

/**
 * Where one comes to from a position, after Vincenty's direct formula; the longitude goes on from that of the start.
 * @param {Position} from @param {number} bearing degrees, from north to the east @param {number} metres
 * @returns {Position}
 */
export function destinationOf([lon, lat], bearing, metres) {
	const u1 = Math.atan((1 - FLATTENING) * Math.tan(toRadians(lat)));
	const [sin1, cos1] = [Math.sin(u1), Math.cos(u1)];
	const [sinBearing, cosBearing] = [Math.sin(toRadians(bearing)), Math.cos(toRadians(bearing))];
	const sigma1 = Math.atan2(Math.tan(u1), cosBearing);
	const sinAlpha = cos1 * sinBearing;
	const cos2Alpha = 1 - sinAlpha * sinAlpha;
	const { scale, b } = seriesOf(cos2Alpha);
	let sigma = metres / (POLE_M * scale);
	let middle = 0;
	for (let round = 0; round < MAX_ROUNDS; round++) {
		middle = Math.cos(2 * sigma1 + sigma);
		const before = sigma;
		const arc = { sinSigma: Math.sin(sigma), cosSigma: Math.cos(sigma), middle };
		sigma = metres / (POLE_M * scale) + correction(b, arc);
		if (Math.abs(sigma - before) < 1e-12) break;
	}
	const [sinSigma, cosSigma] = [Math.sin(sigma), Math.cos(sigma)];
	const x = sin1 * sinSigma - cos1 * cosSigma * cosBearing;
	const up = sin1 * cosSigma + cos1 * sinSigma * cosBearing;
	const phi = Math.atan2(up, (1 - FLATTENING) * Math.hypot(sinAlpha, x));
	const lambda = Math.atan2(sinSigma * sinBearing, cos1 * cosSigma - sin1 * sinSigma * cosBearing);
	const c = (FLATTENING / 16) * cos2Alpha * (4 + FLATTENING * (4 - 3 * cos2Alpha));
	const swing = sigma + c * sinSigma * (middle + c * cosSigma * (2 * middle * middle - 1));
	return [lon + toDegrees(lambda - (1 - c) * FLATTENING * sinAlpha * swing), toDegrees(phi)];
}

/** @param {Position[]} line */
export function lineLength(line) {
	let sum = 0;
	for (let index = 1; index < line.length; index++) sum += distance(line[index - 1], line[index]);
	return sum;
}

/** A position on the great circle from one to another; its longitude goes on from that of the first. @param {Position} from @param {Position} to @param {number} share from 0 to 1 @returns {Position} */
export function between(from, to, share) {
	const [a, b] = [from, to].map(([lon, lat]) => {
		const [lambda, phi] = [toRadians(lon), toRadians(lat)];
		return [Math.cos(phi) * Math.cos(lambda), Math.cos(phi) * Math.sin(lambda), Math.sin(phi)];
	});
	const angle = Math.atan2(
		Math.hypot(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]),
		a[0] * b[0] + a[1] * b[1] + a[2] * b[2],
	);
	if (angle === 0) return from;
	const [left, right] = [Math.sin((1 - share) * angle), Math.sin(share * angle)];
	const [x, y, z] = a.map((each, axis) => left * each + right * b[axis]);
	const lon = toDegrees(Math.atan2(y, x));
	return [lon + 360 * Math.round((from[0] - lon) / 360), toDegrees(Math.atan2(z, Math.hypot(x, y)))];
}

/** The same line with positions between, so that it lies where the shortest way is when it is drawn. @param {Position[]} line @param {number} stepM */
export function alongTheEarth(line, stepM = 100_000) {
	return line.flatMap((to, index) => {
		if (index === 0) return [to];
		const from = line[index - 1];
		const steps = Math.min(200, Math.ceil(distance(from, to) / stepM));
		const drawn = Array.from({ length: Math.max(0, steps - 1) }, (_, at) => between(from, to, (at + 1) / steps));
		return [...drawn, to];
	});
}
