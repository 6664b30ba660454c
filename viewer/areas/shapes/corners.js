/**
 * Corners of a geometry that is being changed: moved, added, taken away; pure. Each gives back a new geometry.
 *
 * @typedef {import("./earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ polygon: number, ring: number, index: number }} At which corner it is; the last position of a ring is
 *   none
 * @typedef {At & { position: Position, next: Position }} Corner with the one that comes after it; of a point itself
 */
import { roundPosition } from "./drafts.js";
import { geometryOf, polygonsOf, tidyPolygon } from "./geometry.js";

const LEAST_CORNERS = 3;

/** All corners, ring after ring. @param {Geometry} geometry @returns {Corner[]} */
export function cornersOf(geometry) {
	if (geometry.type === "Point") {
		return [{ polygon: 0, ring: 0, index: 0, position: geometry.coordinates, next: geometry.coordinates }];
	}
	return polygonsOf(geometry).flatMap((rings, polygon) =>
		rings.flatMap((positions, ring) =>
			positions.slice(0, -1).map((position, index) => ({ polygon, ring, index, position, next: positions[index + 1] })),
		),
	);
}

/** Half way to the next corner. @param {Corner} corner @returns {Position} */
export const middleAfter = ({ position, next }) => [(position[0] + next[0]) / 2, (position[1] + next[1]) / 2];

/**
 * @param {Geometry} geometry @param {At} at
 * @param {(corners: Position[]) => Position[]} change of one ring, without the position that closes it
 * @returns {Geometry}
 */
function changeRing(geometry, { polygon, ring }, change) {
	const polygons = polygonsOf(geometry);
	const rings = polygons[polygon];
	const corners = change(rings[ring].slice(0, -1));
	return geometryOf(polygons.with(polygon, rings.with(ring, [...corners, corners[0]])));
}

/** @param {Geometry} geometry @param {At} at @param {Position} to @returns {Geometry} */
export function moveCorner(geometry, at, to) {
	const position = roundPosition(to);
	if (geometry.type === "Point") return { type: "Point", coordinates: position };
	return changeRing(geometry, at, (corners) => corners.with(at.index, position));
}

/**
 * Adds a corner after another one.
 * @param {Geometry} geometry
 * @param {At} at
 * @param {Position} position
 * @returns {Geometry}
 */
export const addCorner = (geometry, at, position) =>
	changeRing(geometry, at, (corners) => corners.toSpliced(at.index + 1, 0, roundPosition(position)));

/**
 * Takes a corner away, and with it a hole that has no more than three; null where that is the outer ring.
 * @param {Geometry} geometry
 * @param {At} at
 * @returns {Geometry | null}
 */
export function removeCorner(geometry, at) {
	const polygons = polygonsOf(geometry);
	const rings = polygons[at.polygon] ?? [[]];
	const isLarge = rings[at.ring].length - 1 > LEAST_CORNERS;
	if (isLarge) return changeRing(geometry, at, (corners) => corners.toSpliced(at.index, 1));
	return at.ring === 0 ? null : geometryOf(polygons.with(at.polygon, rings.toSpliced(at.ring, 1)));
}

/** Moves the whole of it by degrees. @param {Geometry} geometry @param {Position} by @returns {Geometry} */
export function moveAll(geometry, [east, north]) {
	const move = (/** @type {Position} */ [lon, lat]) => roundPosition([lon + east, lat + north]);
	if (geometry.type === "Point") return { type: "Point", coordinates: move(geometry.coordinates) };
	return geometryOf(polygonsOf(geometry).map((rings) => rings.map((ring) => ring.map(move))));
}

/**
 * As it is kept after it was changed: rings turned the right way; null where one holds nothing.
 * @param {Geometry} geometry
 * @returns {Geometry | null}
 */
export function tidyGeometry(geometry) {
	if (geometry.type === "Point") return geometry;
	const polygons = polygonsOf(geometry).map(tidyPolygon);
	return polygons.includes(null) ? null : geometryOf(/** @type {Position[][][]} */ (polygons));
}
