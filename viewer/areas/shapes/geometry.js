/**
 * Parts of areas: rings, boxes, sizes and faults; pure.
 *
 * @typedef {import("./earth.js").Position} Position
 * @typedef {import("../../base/permalink.js").BBox} BBox
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ from: Position, to: Position, ring: number, index: number, last: number }} Edge
 */
import { ringArea } from "./ring-area.js";

/**
 * Returns the polygons of a geometry, each a list of rings with the outer one first; empty for a point.
 * @param {Geometry} geometry
 * @returns {Position[][][]}
 */
export function polygonsOf({ type, coordinates }) {
	if (type === "Polygon") return [coordinates];
	return type === "MultiPolygon" ? coordinates : [];
}

/** @param {Position[][][]} polygons @returns {Geometry} */
export const geometryOf = (polygons) =>
	polygons.length === 1
		? { type: "Polygon", coordinates: polygons[0] }
		: { type: "MultiPolygon", coordinates: polygons };

/** All positions of a geometry. @param {Geometry} geometry @returns {Position[]} */
export const positionsOf = (geometry) =>
	geometry.type === "Point" ? [geometry.coordinates] : polygonsOf(geometry).flat(2);

/** Counts the vertices of a geometry, without closing positions of rings. @param {Geometry} geometry */
export const countCorners = (geometry) =>
	geometry.type === "Point" ? 1 : polygonsOf(geometry).reduce((sum, rings) => sum + corners(rings), 0);

/** @param {Position[][]} rings */
const corners = (rings) => rings.reduce((sum, ring) => sum + ring.length - 1, 0);

/**
 * Returns a function that caches its result for each object; objects must never change.
 * @template {object} K, V
 * @param {(of: K) => V} find
 * @returns {(of: K) => V}
 */
export function oncePer(find) {
	const known = new WeakMap();
	return (of) => {
		if (!known.has(of)) known.set(of, find(of));
		return known.get(of);
	};
}

/** Square metres on the ellipsoid WGS 84, with edges that are straight in longitude and latitude. */
export const areaOf = oncePer((/** @type {Geometry} */ geometry) => {
	let sum = 0;
	for (const [outer, ...holes] of polygonsOf(geometry)) {
		sum += Math.abs(ringArea(outer));
		for (const hole of holes) sum -= Math.abs(ringArea(hole));
	}
	return Math.max(0, sum);
});

/** West, south, east, north of positions. @param {Position[]} positions @returns {BBox} */
export function boxOf(positions) {
	/** @type {BBox} */
	const box = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
	for (const [lon, lat] of positions) {
		box[0] = Math.min(box[0], lon);
		box[1] = Math.min(box[1], lat);
		box[2] = Math.max(box[2], lon);
		box[3] = Math.max(box[3], lat);
	}
	return box;
}

/** @param {Position} a @param {Position} b */
const isSame = (a, b) => a[0] === b[0] && a[1] === b[1];

/** A ring without positions that repeat the one before, closed. @param {Position[]} ring */
export function closeRing(ring) {
	const distinct = ring.filter((position, index) => index === 0 || !isSame(position, ring[index - 1]));
	const isClosed = distinct.length > 1 && isSame(distinct[0], distinct[distinct.length - 1]);
	return isClosed || distinct.length === 0 ? distinct : [...distinct, distinct[0]];
}

/** Returns twice the area of a closed ring in square degrees: positive if anticlockwise. @param {Position[]} ring */
function turnOf(ring) {
	const [lon0, lat0] = ring[0];
	let sum = 0;
	for (let index = 1; index < ring.length; index++) {
		const [from, to] = [ring[index - 1], ring[index]];
		sum += (from[0] - lon0) * (to[1] - lat0) - (to[0] - lon0) * (from[1] - lat0);
	}
	return sum;
}

/**
 * Returns a polygon as RFC 7946 requires; null if a ring has fewer than three vertices or no area.
 * @param {Position[][]} rings closed or open, in either direction
 */
export function tidyPolygon(rings) {
	const closed = rings.map(closeRing);
	const turns = closed.map((ring) => (ring.length > 3 ? turnOf(ring) : 0));
	if (closed.length === 0 || turns.includes(0)) return null;
	// RFC 7946 §3.1.6: an outer ring runs anticlockwise, a hole clockwise.
	return closed.map((ring, index) => (turns[index] < 0 === index > 0 ? ring : ring.toReversed()));
}

/**
 * Shifts a polygon by turns of the globe until its first vertex is between -180 and 180.
 * @param {Position[][]} rings
 */
export function toFirstTurn(rings) {
	const turn = 360 * Math.floor((rings[0][0][0] + 180) / 360);
	return turn === 0 ? rings : rings.map((ring) => ring.map(([lon, lat]) => [lon - turn, lat]));
}

/**
 * The same place on the turn of the globe that is nearest to another position.
 * @param {Position} position
 * @param {Position | undefined} other
 * @returns {Position}
 */
export const nearestTurn = ([lon, lat], other) =>
	other ? [lon + 360 * Math.round((other[0] - lon) / 360), lat] : [lon, lat];

/** Returns the first self-intersection of a geometry from the west; null if there is none. */
export const selfCrossing = oncePer((/** @type {Geometry} */ geometry) => {
	for (const rings of polygonsOf(geometry)) {
		const found = crossingOf(rings);
		if (found) return found;
	}
	return null;
});

/** Its hectares; null of a point, and of an outline that crosses itself. @param {Geometry} geometry */
export const hectaresOf = (geometry) =>
	geometry.type === "Point" || selfCrossing(geometry) ? null : areaOf(geometry) / 1e4;

/** @param {Position[][]} rings closed @returns {Position | null} */
function crossingOf(rings) {
	/** @type {Edge[]} */
	const edges = rings.flatMap((ring, number) =>
		ring.slice(1).map((to, index) => ({ from: ring[index], to, ring: number, index, last: ring.length - 2 })),
	);
	edges.sort((a, b) => westOf(a) - westOf(b));
	/** @type {Edge[]} */
	let open = [];
	for (const edge of edges) {
		const west = westOf(edge);
		open = open.filter(({ from, to }) => Math.max(from[0], to[0]) >= west);
		for (const other of open) {
			const at = isNextTo(edge, other) ? null : meeting(edge, other);
			if (at) return at;
		}
		open.push(edge);
	}
	return null;
}

/** @param {Edge} edge */
const westOf = ({ from, to }) => Math.min(from[0], to[0]);

/** @param {Edge} a @param {Edge} b */
function isNextTo(a, b) {
	if (a.ring !== b.ring) return false;
	const steps = Math.abs(a.index - b.index);
	return steps <= 1 || steps === a.last;
}

/** Returns the side of a line on which a position is, as a sign. @param {Edge} line @param {Position} at */
const side = ({ from, to }, at) => (to[0] - from[0]) * (at[1] - from[1]) - (to[1] - from[1]) * (at[0] - from[0]);

/**
 * Returns the intersection of two edges; null if they only touch.
 * @param {Edge} a
 * @param {Edge} b
 * @returns {Position | null}
 */
function meeting(a, b) {
	const [start, end] = [side(b, a.from), side(b, a.to)];
	if (start * end >= 0 || side(a, b.from) * side(a, b.to) >= 0) return null;
	const share = start / (start - end);
	return [a.from[0] + share * (a.to[0] - a.from[0]), a.from[1] + share * (a.to[1] - a.from[1])];
}

/**
 * Returns a ring for a Mercator map: long edges are divided at every degree, because they are straight in longitude and
 * latitude.
 * @param {Position[]} ring closed
 */
export function drawnRing(ring) {
	const drawn = ring.slice(0, 1);
	for (let index = 1; index < ring.length; index++) {
		const [from, to] = [ring[index - 1], ring[index]];
		const [east, north] = [to[0] - from[0], to[1] - from[1]];
		const pieces = Math.ceil(Math.min(Math.abs(east), Math.abs(north)));
		for (let piece = 1; piece < pieces; piece++) {
			drawn.push([from[0] + (piece / pieces) * east, from[1] + (piece / pieces) * north]);
		}
		drawn.push(to);
	}
	return drawn;
}
