import assert from "node:assert/strict";
import { test } from "node:test";
import { simplify } from "../../../viewer/chart/series/simplify.js";

/**
 * Returns a round ring with ripples, around a point.
 * @param {number} corners
 * @param {number} lon
 * @param {number} radius
 */
function roundRing(corners, lon, radius) {
	const ring = Array.from({ length: corners - 1 }, (_, index) => {
		const turn = (2 * Math.PI * index) / (corners - 1);
		const reach = radius * (1 + 0.002 * Math.sin(40 * turn));
		return [lon + reach * Math.cos(turn), 51 + reach * Math.sin(turn)];
	});
	return [...ring, ring[0]];
}

/** @param {number[][]} ring @returns {number} */
const spanOf = (ring) =>
	Math.abs(ring.slice(1).reduce((sum, [x, y], index) => sum + (ring[index][0] * y - x * ring[index][1]) / 2, 0));

test("an outline has as many corners as are allowed, and nearly the same size", () => {
	const geometry = { type: /** @type {const} */ ("Polygon"), coordinates: [roundRing(5000, 4, 1)] };

	const { coordinates } = /** @type {typeof geometry} */ (simplify(geometry, 500));

	assert.ok(coordinates[0].length <= 500 && coordinates[0].length > 200, `${coordinates[0].length} corners`);
	assert.deepEqual(coordinates[0][0], coordinates[0].at(-1));
	assert.ok(Math.abs(spanOf(coordinates[0]) / Math.PI - 1) < 0.01);
});

test("all polygons and holes stay, the smallest with the four corners that a ring needs", () => {
	const coordinates = [[roundRing(900, 4, 1), roundRing(300, 4, 0.2)], [roundRing(300, 9, 0.001)]];

	const simple = simplify({ type: "MultiPolygon", coordinates }, 60);

	const rings = /** @type {number[][][][]} */ (simple.coordinates).flat();
	assert.equal(rings.length, 3);
	assert.ok(
		rings.flat().length <= 60 && rings.every((ring) => ring.length >= 4),
		`${rings.map((ring) => ring.length)}`,
	);
});

test("an outline that is simple enough, and a point, stay as they are", () => {
	const square = { type: /** @type {const} */ ("Polygon"), coordinates: [roundRing(5, 4, 1)] };
	const point = { type: /** @type {const} */ ("Point"), coordinates: [4, 51] };

	assert.deepEqual(simplify(square, 10), square);
	assert.deepEqual(simplify(point, 1), point);
});
