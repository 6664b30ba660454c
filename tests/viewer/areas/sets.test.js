import assert from "node:assert/strict";
import { test } from "node:test";
import { asOneDate } from "../../../viewer/areas/place-blocks.js";
import { tileOfShapes } from "../../../viewer/areas/set-tiles.js";
import { csvRows, rowsOf, sortRows } from "../../../viewer/areas/table-rows.js";
import { makeRandom } from "../random.js";

/** @typedef {import("../../../viewer/areas/place-sets.js").Shape} Shape */

const EXTENT = 1024;

/**
 * Returns a position in a tile, by the formula of Web Mercator.
 * @param {number[]} position
 * @param {{ x: number, y: number, z: number }} tile
 */
function unitsOf([lon, lat], { x, y, z }) {
	const phi = (lat * Math.PI) / 180;
	const down = (1 - Math.log(Math.tan(phi) + 1 / Math.cos(phi)) / Math.PI) / 2;
	return [((lon + 180) / 360) * 2 ** z - x, down * 2 ** z - y].map((each) => each * EXTENT);
}

/** @param {string} id @param {number[][]} ring @returns {Shape} */
const polygon = (id, ring) => ({ id, name: `Field ${id}`, geometry: { type: "Polygon", coordinates: [ring] } });

test("shapes are in tiles where Web Mercator has them, and only in those that they touch", () => {
	const random = makeRandom(4);
	for (let round = 0; round < 100; round++) {
		const [west, south] = [random.number() * 340 - 170, random.number() * 160 - 80];
		const ring = [
			[west, south],
			[west + 0.3, south],
			[west + 0.1, south + 0.2],
			[west, south],
		];
		const z = 6 + Math.floor(random.number() * 6);
		const [left, top] = unitsOf(ring[2], { x: 0, y: 0, z }).map((each) => Math.floor(each / EXTENT));
		const tile = { x: left, y: top, z };
		const [{ extent, features }] = tileOfShapes([polygon("7", ring)], tile);

		assert.deepEqual([extent, features[0].id, features[0].properties.label], [EXTENT, 0, "Field 7"]);
		const wanted = unitsOf(ring[2], tile);
		const units = [...features[0].rings[0]];
		const isThere = units.some((x, at) => at % 2 === 0 && Math.hypot(x - wanted[0], units[at + 1] - wanted[1]) < 0.8);
		assert.ok(isThere, `${wanted} is not among ${units}`);
		const [{ features: far }] = tileOfShapes([polygon("7", ring)], { ...tile, x: (left + 2 ** (z - 1)) % 2 ** z });
		assert.deepEqual(far, []);
	}
});

test("a shape beyond 180 degrees is in the tiles of both sides", () => {
	const ring = [
		[179, 10],
		[181, 10],
		[181, 11],
		[179, 10],
	];
	for (const x of [0, 63]) assert.equal(tileOfShapes([polygon("1", ring)], { x, y: 30, z: 6 })[0].features.length, 1);
});

test("a point is a mark around it, in the tile beside it too", () => {
	/** @type {Shape} */
	const shape = { id: "1", name: "", geometry: { type: "Point", coordinates: [0.001, 20] } };
	for (const x of [31, 32]) {
		const tile = { x, y: 28, z: 6 };
		const [{ features }] = tileOfShapes([shape], tile);
		const [ring] = features[0].rings;
		const [across, down] = unitsOf([0.001, 20], tile);
		for (let at = 0; at < ring.length; at += 2) {
			assert.ok(Math.abs(Math.hypot(ring[at] - across, ring[at + 1] - down) - 20) < 1.5);
		}
	}
});

test("the dates of a season are one: means of the values that there are, sums of counts", () => {
	const feature = {
		id: null,
		series: { mean: [0.25, null, 0.75], valid_share: [1, 0, 0.5], p10: [null, null, null] },
		analysis: { mean: { anomaly: [0.5, null, -0.25] } },
		valid: [4, 0, 2],
		total: 4,
	};
	assert.deepEqual(asOneDate(feature), {
		id: null,
		series: { mean: [0.5], valid_share: [0.5], p10: [null] },
		analysis: { mean: { anomaly: [0.125] } },
		valid: [6],
		total: 12,
	});
});

const SHAPES = ["9", "10", "é"].map((id) =>
	polygon(id, [
		[0, 0],
		[0.01, 0],
		[0.01, 0.01],
		[0, 0],
	]),
);
const series = (/** @type {number | null} */ mean) => ({
	...{ id: null, series: { mean: [mean], valid_share: [0.5] }, valid: [2], total: 4 },
	analysis: { mean: { anomaly: [mean === null ? null : mean - 0.4] } },
});

test("rows are sorted by each column, by number in names, and those without a value are last", () => {
	const features = [series(0.5), series(null), series(0.25)];
	const rows = rowsOf(SHAPES, features, features);
	const numbersBy = (/** @type {"name" | "mean" | "anomaly"} */ column, /** @type {boolean} */ isDown) =>
		sortRows(rows, { column, isDown }).map(({ number }) => number);

	assert.deepEqual(numbersBy("anomaly", false), [2, 0, 1]);
	assert.deepEqual(numbersBy("anomaly", true), [0, 2, 1]);
	assert.deepEqual(numbersBy("name", false), [0, 1, 2]);
	// Half of 0.01 by 0.01 degrees at the equator: 1113.19 by 1105.74 m (pyproj.Geod).
	assert.ok(Math.abs((rows[0].hectares ?? 0) - (1113.194908 * 1105.742764) / 2e4) < 0.01);
	const layer = /** @type {any} */ ({ id: "NDVI", units: "1" });
	const [head, first] = csvRows(rows, layer, "2024-06-11");
	assert.equal(head.join(), "id,name,mean,anomaly,p10,p90,valid_share,hectares,unit,layer,time");
	assert.deepEqual(
		[...first.slice(0, 3), ...first.slice(4, 7), ...first.slice(8)],
		["9", "Field 9", 0.5, null, null, 0.5, "1", "NDVI", "2024-06-11"],
	);
});
