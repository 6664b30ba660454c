/**
 * Vertices of an edited geometry: moved, added, removed; pure. Each function returns a new geometry.
 *
 * @typedef {import("./earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ polygon: number, ring: number, index: number }} At index of a vertex, without the closing position of
 *   the ring
 * @typedef {At & { position: Position, next: Position }} Corner with the next vertex; a point is its own next one
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
 * Removes a vertex, or a whole hole of three vertices; null if the outer ring has only three.
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
 * Returns the stored form of an edited geometry: rings oriented; null if a ring has no area.
 * @param {Geometry} geometry
 * @returns {Geometry | null}
 */
export function tidyGeometry(geometry) {
	if (geometry.type === "Point") return geometry;
	const polygons = polygonsOf(geometry).map(tidyPolygon);
	return polygons.includes(null) ? null : geometryOf(/** @type {Position[][][]} */ (polygons));
}
