/**
 * Corners of a geometry that is being changed: moved, added, taken away; pure. Each gives back a new geometry.
 *
 * @typedef {import("./earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ polygon: number, ring: number, index: number }} At which corner it is; the last position of a ring is none
 * @typedef {At & { position: Position }} Corner
 */
import { roundPosition } from "./drafts.js";
import { geometryOf, polygonsOf, tidyPolygon } from "./geometry.js";

const LEAST_CORNERS = 3;

/** All corners, ring after ring. @param {Geometry} geometry @returns {Corner[]} */
export function cornersOf(geometry) {
	if (geometry.type === "Point") return [{ polygon: 0, ring: 0, index: 0, position: geometry.coordinates }];
	return polygonsOf(geometry).flatMap((rings, polygon) =>
		rings.flatMap((positions, ring) =>
			positions.slice(0, -1).map((position, index) => ({ polygon, ring, index, position })),
		),
	);
}

/** Between each corner and the next, with the corner that comes before it. @param {Geometry} geometry @returns {Corner[]} */
export function middlesOf(geometry) {
	return polygonsOf(geometry).flatMap((rings, polygon) =>
		rings.flatMap((positions, ring) =>
			positions.slice(0, -1).map(([lon, lat], index) => {
				const [nextLon, nextLat] = positions[index + 1];
				return { polygon, ring, index, position: [(lon + nextLon) / 2, (lat + nextLat) / 2] };
			}),
		),
	);
}

/**
 * @param {Geometry} geometry @param {At} at
 * @param {(corners: Position[]) => Position[]} change of one ring, without the position that closes it
 * @returns {Geometry}
 */
function changeRing(geometry, at, change) {
	const polygons = polygonsOf(geometry).map((rings, polygon) =>
		polygon !== at.polygon
			? rings
			: rings.map((positions, ring) => {
					if (ring !== at.ring) return positions;
					const corners = change(positions.slice(0, -1));
					return [...corners, corners[0]];
				}),
	);
	return geometryOf(polygons);
}

/** @param {Geometry} geometry @param {At} at @param {Position} to @returns {Geometry} */
export function moveCorner(geometry, at, to) {
	const position = roundPosition(to);
	if (geometry.type === "Point") return { type: "Point", coordinates: position };
	return changeRing(geometry, at, (corners) => corners.with(at.index, position));
}

/** Adds a corner after another one. @param {Geometry} geometry @param {At} at @param {Position} position @returns {Geometry} */
export const addCorner = (geometry, at, position) =>
	changeRing(geometry, at, (corners) => corners.toSpliced(at.index + 1, 0, roundPosition(position)));

/** Takes a corner away, and with it a hole that has no more than three; null where that is the outer ring. @param {Geometry} geometry @param {At} at @returns {Geometry | null} */
export function removeCorner(geometry, at) {
	const ring = polygonsOf(geometry)[at.polygon]?.[at.ring];
	if (!ring) return null;
	if (ring.length - 1 > LEAST_CORNERS) return changeRing(geometry, at, (corners) => corners.toSpliced(at.index, 1));
	if (at.ring === 0) return null;
	const polygons = polygonsOf(geometry).map((rings, polygon) =>
		polygon === at.polygon ? rings.toSpliced(at.ring, 1) : rings,
	);
	return geometryOf(polygons);
}

/** Moves the whole of it by degrees. @param {Geometry} geometry @param {Position} by @returns {Geometry} */
export function moveAll(geometry, [east, north]) {
	const move = (/** @type {Position} */ [lon, lat]) => roundPosition([lon + east, lat + north]);
	if (geometry.type === "Point") return { type: "Point", coordinates: move(geometry.coordinates) };
	const polygons = polygonsOf(geometry).map((rings) => rings.map((ring) => ring.map(move)));
	return geometryOf(polygons);
}

/** As it is kept after it was changed: rings turned the right way; null where one holds nothing. @param {Geometry} geometry @returns {Geometry | null} */
export function tidyGeometry(geometry) {
	if (geometry.type === "Point") return geometry;
	const polygons = polygonsOf(geometry).map(tidyPolygon);
	if (polygons.some((rings) => rings === null)) return null;
	return geometryOf(/** @type {Position[][][]} */ (polygons));
}
