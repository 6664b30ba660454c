import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeGeometry, encodeGeometry } from "../../../viewer/areas/formats/polyline.js";
import {
	areaOf,
	boxOf,
	countCorners,
	drawnRing,
	positionsOf,
	selfCrossing,
	tidyPolygon,
	toFirstTurn,
} from "../../../viewer/areas/shapes/geometry.js";
import { makeRandom } from "../random.js";
import { HOLE, SQUARE } from "../rings.js";

/** @typedef {import("../../../viewer/base/state.js").Geometry} Geometry */

const BOW = [
	[4, 51],
	[5, 52],
	[5, 51],
	[4, 52],
	[4, 51],
];

/** @param {number[][][]} rings @returns {Geometry} */
const polygon = (...rings) => ({ type: "Polygon", coordinates: rings });

test("an open ring that runs clockwise and repeats itself is closed and turned", () => {
	const rings = tidyPolygon([
		[
			[4, 51],
			[4, 52],
			[4, 52],
			[5, 52],
			[5, 51],
		],
	]);

	assert.deepEqual(rings, [
		[
			[4, 51],
			[5, 51],
			[5, 52],
			[4, 52],
			[4, 51],
		],
	]);
});

test("a hole runs clockwise", () => {
	assert.deepEqual(tidyPolygon([SQUARE, HOLE.toReversed()]), [SQUARE, HOLE]);
});

test("what holds nothing is no polygon", () => {
	assert.equal(
		tidyPolygon([
			[
				[4, 51],
				[5, 51],
				[4, 51],
			],
		]),
		null,
	);
	assert.equal(
		tidyPolygon([
			[
				[4, 51],
				[5, 51],
				[6, 51],
			],
		]),
		null,
	);
	assert.equal(tidyPolygon([]), null);
});

test("a hole is no part of the area", () => {
	const [whole, hole] = [polygon(SQUARE), polygon(HOLE)].map(areaOf);

	assert.ok(Math.abs(areaOf(polygon(SQUARE, HOLE)) - (whole - hole)) < 1e-3);
	assert.equal(areaOf({ type: "MultiPolygon", coordinates: [[SQUARE], [SQUARE]] }), 2 * whole);
	assert.equal(areaOf({ type: "Point", coordinates: [4, 51] }), 0);
});

test("corners are counted once", () => {
	assert.equal(countCorners(polygon(SQUARE, HOLE)), 8);
	assert.equal(countCorners({ type: "Point", coordinates: [4, 51] }), 1);
});

test("a box holds all positions", () => {
	assert.deepEqual(boxOf(positionsOf(polygon(SQUARE, HOLE))), [4, 51, 5, 52]);
});

test("a bow crosses itself in its middle, a square does not", () => {
	assert.deepEqual(selfCrossing(polygon(BOW)), [4.5, 51.5]);
	assert.equal(selfCrossing(polygon(SQUARE)), null);
	assert.equal(selfCrossing(polygon(SQUARE, HOLE)), null);
});

test("a hole that leaves its polygon crosses it", () => {
	assert.notEqual(
		selfCrossing(
			polygon(
				SQUARE,
				HOLE.map(([lon, lat]) => [lon + 0.7, lat]),
			),
		),
		null,
	);
});

test("a star of 20,000 corners is looked through within a moment, and its one crossing found", () => {
	const star = Array.from({ length: 20_000 }, (_, index) => {
		const [angle, radius] = [(index / 20_000) * 2 * Math.PI, 1 + 0.2 * Math.sin(index)];
		return [10 + radius * Math.cos(angle), 50 + radius * Math.sin(angle)];
	});
	[star[7000], star[7001]] = [star[7001], star[7000]];

	assert.notEqual(selfCrossing(polygon([...star, star[0]])), null);
});

test("a polygon beyond 180 degrees is brought back by whole turns", () => {
	assert.deepEqual(
		toFirstTurn([
			[
				[364, 51],
				[365, 51],
				[365, 52],
				[364, 51],
			],
		])[0][0],
		[4, 51],
	);
	assert.deepEqual(
		toFirstTurn([
			[
				[179, 51],
				[181, 51],
				[181, 52],
				[179, 51],
			],
		])[0][1],
		[181, 51],
	);
});

test("a long edge is drawn straight in longitude and latitude", () => {
	const drawn = drawnRing([
		[0, 0],
		[40, 60],
		[0, 60],
		[0, 0],
	]);

	assert.deepEqual(drawn.filter(([lon]) => lon === 20)[0], [20, 30]);
	assert.deepEqual(
		[drawn[0], drawn.at(-1)],
		[
			[0, 0],
			[0, 0],
		],
	);
});

test("the polyline of the format's own description is written and read", () => {
	const ring = [
		[-120.2, 38.5],
		[-120.95, 40.7],
		[-126.453, 43.252],
		[-120.2, 38.5],
	].toReversed();
	const written = encodeGeometry(polygon([ring[0], ring[2], ring[1], ring[0]]));

	assert.equal(written, "_p~iF~ps|U_ulLnnqC_mqNvxq`@");
});

test("any outline of five decimals comes back from a link", () => {
	const random = makeRandom(3);
	for (let round = 0; round < 300; round++) {
		const [lon, lat] = [random.number() * 340 - 170, random.number() * 160 - 80].map((each) => Math.round(each * 1e5));
		const steps = [
			[0, 0],
			[1 + random.number() * 1e6, 0],
			[random.number() * 9e5, 1 + random.number() * 8e5],
		];
		const ring = steps.map(([x, y]) => [(lon + Math.ceil(x)) / 1e5, (lat + Math.ceil(y)) / 1e5]);
		const geometry = polygon([...ring, ring[0]]);

		assert.deepEqual(decodeGeometry(encodeGeometry(geometry) ?? ""), geometry);
	}
});

test("a point comes back from a link", () => {
	const point = /** @type {Geometry} */ ({ type: "Point", coordinates: [-4.40252, 51.21944] });

	assert.deepEqual(decodeGeometry(encodeGeometry(point) ?? ""), point);
});

test("there is no room in a line for holes and several parts", () => {
	assert.equal(encodeGeometry(polygon(SQUARE, HOLE)), null);
	assert.equal(encodeGeometry({ type: "MultiPolygon", coordinates: [[SQUARE], [SQUARE]] }), null);
});

for (const broken of ["_p~iF", "_p~iF~ps|U_", "_p~iF~ps|U_ulLnnqC", "~~~~~~~~~~~~~~~~?", "~~~~~~~?~~~~~~~?", ""]) {
	test(`a link's ${JSON.stringify(broken)} is no area`, () => {
		assert.equal(decodeGeometry(broken), null);
	});
}
