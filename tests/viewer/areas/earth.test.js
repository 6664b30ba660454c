import assert from "node:assert/strict";
import { test } from "node:test";
import { alongTheEarth, destinationOf, distance, lineLength } from "../../../viewer/areas/shapes/earth.js";
import { ringArea } from "../../../viewer/areas/shapes/ring-area.js";
import { makeRandom } from "../random.js";

/** @typedef {import("../../../viewer/areas/shapes/earth.js").Position} Position */

/**
 * Square metres from pyproj's Geod(ellps="WGS84") for the ring with 4,000 positions on each edge.
 * @type {[Position[], number][]}
 */
const AREAS = [
	[
		[
			[4.4, 51.2],
			[4.41, 51.2],
			[4.41, 51.21],
			[4.4, 51.21],
		],
		777518.2,
	],
	[
		[
			[-70, -30],
			[-60, -31],
			[-65, 10],
		],
		2353760543830.9,
	],
	[
		[
			[179, 60],
			[181.5, 60],
			[181.5, 61],
			[179, 61],
		],
		15307852196.7,
	],
];

/** Metres from pyproj's Geod(ellps="WGS84").inv. @type {[Position, Position, number][]} */
const DISTANCES = [
	[[4.4, 51.2], [5.1, 50.8], 66292.5],
	[[179.9, 10], [-179.9, 10.2], 31143.292],
	[[0, -89], [90, -80], 1122340.6791],
	[[2, 48], [2, 48], 0],
	[[-74, 40.7], [139.7, 35.7], 10872922.6186],
	[[0, 90], [0, -90], 20003931.4586],
];

for (const [ring, expected] of AREAS) {
	test(`a ring from ${ring[0]} has the area that pyproj gives`, () => {
		assert.ok(Math.abs(ringArea(ring) - expected) <= 1e-6 * expected);
		assert.ok(Math.abs(ringArea(ring.toReversed()) + expected) <= 1e-6 * expected);
	});
}

for (const [from, to, expected] of DISTANCES) {
	test(`from ${from} to ${to} it is as far as pyproj says`, () => {
		assert.ok(Math.abs(distance(from, to) - expected) < 0.001);
	});
}

test("the distance of positions that are nearly opposite is right too", () => {
	assert.ok(Math.abs(distance([0, 0], [179.9, 0.3]) - 19970142.0462) < 0.001);
});

test("one comes to where pyproj's Geod.fwd comes to", () => {
	const [lon, lat] = destinationOf([4.4, 51.2], 77, 12345);

	assert.ok(Math.abs(lon - 4.5721868865) < 1e-9);
	assert.ok(Math.abs(lat - 51.224834831) < 1e-9);
});

test("the longitude of a destination goes on beyond 180", () => {
	assert.ok(Math.abs(destinationOf([179.99, -60], 120, 50_000)[0] - 180.7712669406) < 1e-9);
});

test("what lies so far away in some direction is so far away", () => {
	const random = makeRandom(1);
	for (let round = 0; round < 200; round++) {
		const from = [random.number() * 360 - 180, random.number() * 160 - 80];
		const metres = random.number() * 1_000_000;

		const back = distance(from, destinationOf(from, random.number() * 360, metres));

		assert.ok(Math.abs(back - metres) < 0.001, `${from} ${metres} ${back}`);
	}
});

test("a line is as long as its parts", () => {
	const line = [
		[4, 51],
		[5, 51],
		[5, 52],
	];

	assert.equal(lineLength(line), distance(line[0], line[1]) + distance(line[1], line[2]));
	assert.equal(lineLength([[4, 51]]), 0);
});

test("positions between lie on the shortest way, beyond 180 degrees too", () => {
	const [from, to] = [
		[170, 10],
		[190, -20],
	];
	const drawn = alongTheEarth([from, to]);

	for (const at of drawn) {
		assert.ok(Math.abs(distance(from, at) + distance(at, to) - distance(from, to)) < 0.001);
		assert.ok(at[0] >= 170 && at[0] <= 190);
	}
});

test("a long line is drawn through positions between its own, which stay", () => {
	const drawn = alongTheEarth([
		[-74, 40.7],
		[4.4, 51.2],
	]);

	assert.ok(drawn.length > 50 && drawn.length <= 201);
	assert.deepEqual(
		[drawn[0], drawn.at(-1)],
		[
			[-74, 40.7],
			[4.4, 51.2],
		],
	);
	assert.ok(Math.max(...drawn.map(([, lat]) => lat)) > 52, "it goes over the north");
});
