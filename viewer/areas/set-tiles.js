/**
 * Shapes of a set as features of map tiles, for sets whose tiles no server has; pure.
 *
 * @typedef {import("./formats/mvt.js").TileLayer} TileLayer
 * @typedef {import("./place-sets.js").Shape} Shape
 * @typedef
 *   {{ number: number, shape: Shape, rings: [x: number, y: number][][], box: import("../base/permalink.js").BBox,
 *   isPoint: boolean }}
 *   Outline
 *   in widths of the world from 180 degrees west and 85 north
 */
import { downAt } from "../map/extent.js";
import { boxOf, drawnRing, oncePer, polygonsOf } from "./shapes/geometry.js";

/** Units along each side of a tile: four a pixel. */
const EXTENT = 1024;
/** Half the size of the mark of a point. */
const MARK = 20;
const OCTAGON = Array.from({ length: 8 }, (_, at) => [Math.cos((at * Math.PI) / 4), Math.sin((at * Math.PI) / 4)]);

/** @type {(shapes: Shape[]) => Outline[]} */
const outlinesOf = oncePer((shapes) =>
	shapes.map((shape, number) => {
		const { geometry } = shape;
		const isPoint = geometry.type === "Point";
		const lines = isPoint ? [[geometry.coordinates]] : polygonsOf(geometry).flat().map(drawnRing);
		const rings = lines.map((line) =>
			line.map(([lon, lat]) => /** @type {[number, number]} */ ([lon / 360 + 0.5, downAt(lat)])),
		);
		return { number, shape, rings, box: boxOf(rings.flat()), isPoint };
	}),
);

/** @param {Shape[]} shapes @param {{ x: number, y: number, z: number }} tile @returns {TileLayer[]} */
export function tileOfShapes(shapes, { x, y, z }) {
	const scale = 2 ** z * EXTENT;
	const [left, top] = [x * EXTENT, y * EXTENT];
	const features = outlinesOf(shapes).flatMap(({ number, shape, rings, box: [west, north, east, south], isPoint }) =>
		// Shapes beyond 180 degrees are visible from the other side too.
		[-1, 0, 1].flatMap((turn) => {
			const isFar =
				(east + turn) * scale < left - MARK ||
				(west + turn) * scale > left + EXTENT + MARK ||
				south * scale < top - MARK ||
				north * scale > top + EXTENT + MARK;
			if (isFar) return [];
			const place = (/** @type {[number, number]} */ [across, down]) => [
				Math.round((across + turn) * scale) - left,
				Math.round(down * scale) - top,
			];
			const drawn = isPoint ? [markAt(place(rings[0][0]))] : rings.map((ring) => withoutRepeats(ring.map(place)));
			return [{ id: number, properties: { id: shape.id, label: shape.name }, rings: drawn }];
		}),
	);
	return [{ name: "shapes", extent: EXTENT, features }];
}

/** @param {number[]} at */
const markAt = ([x, y]) => Int32Array.from(OCTAGON.flatMap(([right, down]) => [x + MARK * right, y + MARK * down]));

/** @param {number[][]} ring closed */
function withoutRepeats(ring) {
	const distinct = ring.filter(([x, y], at) => at > 0 && (x !== ring[at - 1][0] || y !== ring[at - 1][1]));
	return Int32Array.from(distinct.flat());
}
