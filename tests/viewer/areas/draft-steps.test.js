import assert from "node:assert/strict";
import { test } from "node:test";
import { formatGeoJson } from "../../../viewer/areas/formats/write-files.js";
import {
	addCorner,
	cornersOf,
	middleAfter,
	moveAll,
	moveCorner,
	removeCorner,
	tidyGeometry,
} from "../../../viewer/areas/shapes/corners.js";
import {
	beginHistory,
	canFinish,
	doStep,
	isEnough,
	measuresOf,
	radiusEnd,
	redoStep,
	shapeOf,
	undoStep,
} from "../../../viewer/areas/shapes/drafts.js";
import { distance } from "../../../viewer/areas/shapes/earth.js";
import { parseStored } from "../../../viewer/areas/storage.js";
import { makeRandom } from "../random.js";
import { SQUARE } from "../rings.js";

/** @typedef {import("../../../viewer/base/state.js").Geometry} Geometry */

const HOLE = [
	[4.2, 51.2],
	[4.2, 51.4],
	[4.4, 51.4],
	[4.2, 51.2],
];
const RING = /** @type {Geometry} */ ({ type: "Polygon", coordinates: [SQUARE, HOLE] });
const BOTH = /** @type {Geometry} */ ({ type: "MultiPolygon", coordinates: [[SQUARE, HOLE], [SQUARE]] });
const POINT = /** @type {Geometry} */ ({ type: "Point", coordinates: [4, 51] });
const OUTER = { polygon: 0, ring: 0, index: 1 };

test("two corners make a rectangle, whichever they are", () => {
	for (const corners of [
		[
			[4, 51],
			[5, 52],
		],
		[
			[5, 51],
			[4, 52],
		],
	]) {
		const shape = shapeOf("rectangle", corners);

		assert.deepEqual(new Set(shape?.coordinates.flat().map(String)), new Set(SQUARE.map(String)));
	}
});

test("a drawn polygon is closed, turned and written with the decimals of a link", () => {
	const shape = shapeOf("polygon", [
		[4.123456789, 51],
		[4, 52],
		[5, 52],
	]);

	assert.deepEqual(shape, {
		type: "Polygon",
		coordinates: [
			[
				[4.12346, 51],
				[5, 52],
				[4, 52],
				[4.12346, 51],
			],
		],
	});
});

test("what is drawn on another turn of the globe is brought back", () => {
	assert.deepEqual(shapeOf("point", [[364, 51]]), POINT);
	const across = /** @type {any} */ (
		shapeOf("rectangle", [
			[-181, 51],
			[-179, 52],
		])
	);
	assert.equal(across.coordinates[0][0][0], 179);
});

test("what holds nothing is no shape, nor is a circle over a pole", () => {
	const line = [
		[4, 51],
		[5, 51],
		[6, 51],
	];
	assert.equal(shapeOf("polygon", line), null);
	assert.equal(shapeOf("rectangle", line.slice(0, 2)), null);
	assert.equal(shapeOf("polygon", line.slice(0, 2)), null);
	assert.equal(shapeOf("circle", [[4, 85], radiusEnd([4, 85], 1_000_000)]), null);
	assert.equal(shapeOf("measure", line), null);
});

test("all corners of a circle are as far from its centre", () => {
	const centre = [179.99, -60];
	const shape = /** @type {any} */ (shapeOf("circle", [centre, radiusEnd(centre, 5000)]));

	const radii = shape.coordinates[0].map((/** @type {number[]} */ corner) => distance(centre, corner));
	assert.ok(
		radii.every((/** @type {number} */ radius) => Math.abs(radius - 5000) < 1),
		`${radii}`,
	);
});

test("a tool knows when it has enough", () => {
	const two = SQUARE.slice(0, 2);

	assert.deepEqual(
		[isEnough("point", two.slice(1)), isEnough("rectangle", two), isEnough("polygon", SQUARE)],
		[true, true, false],
	);
	assert.deepEqual(
		[canFinish("polygon", two), canFinish("measure", two), canFinish("polygon", SQUARE)],
		[false, true, true],
	);
});

test("a circle's measures are those of its radius", () => {
	const { radius, area } = measuresOf("circle", [[4, 51], radiusEnd([4, 51], 1000)]);

	assert.ok(Math.abs(radius - 1000) < 0.01);
	assert.ok(Math.abs(area / (Math.PI * 1e6) - 1) < 0.002);
});

test("steps are undone and redone, until another step is taken", () => {
	const steps = doStep(doStep(beginHistory(0), 1), 2);

	assert.deepEqual(redoStep(undoStep(steps)), steps);
	assert.equal(undoStep(undoStep(undoStep(steps))).now, 0);
	assert.equal(redoStep(doStep(undoStep(steps), 3)).now, 3);
});

test("any walk through steps comes back", () => {
	const random = makeRandom(8);
	let steps = beginHistory(0);
	for (let round = 1; round < 300; round++)
		steps = random.pick([doStep(steps, round), undoStep(steps), redoStep(steps)]);
	const all = [...steps.past, steps.now, ...steps.future];
	let first = steps;
	for (let round = 0; round < 300; round++) first = undoStep(first);

	assert.deepEqual([first.now, ...first.future], all);
});

test("a corner is moved, and with the first one the position that closes the ring", () => {
	const moved = moveCorner(RING, { ...OUTER, index: 0 }, [3.5, 50.5]);

	assert.deepEqual(moved.coordinates[0], [[3.5, 50.5], ...SQUARE.slice(1, 4), [3.5, 50.5]]);
	assert.equal(moved.coordinates[1], HOLE);
	assert.deepEqual(moveCorner(POINT, OUTER, [1, 2]).coordinates, [1, 2]);
});

test("a corner is added after another, where the middle to the next is", () => {
	const [last] = cornersOf(BOTH).filter(({ polygon, index }) => polygon === 1 && index === 3);
	const added = addCorner(BOTH, last, middleAfter(last));

	assert.deepEqual(added.coordinates[1], [[...SQUARE.slice(0, 4), [4, 51.5], SQUARE[0]]]);
});

test("three corners are the fewest; a hole goes with its third", () => {
	const three = removeCorner(RING, OUTER) ?? POINT;

	assert.deepEqual(three.coordinates[0], [SQUARE[0], SQUARE[2], SQUARE[3], SQUARE[0]]);
	assert.equal(removeCorner(three, OUTER), null);
	assert.deepEqual(removeCorner(BOTH, { polygon: 0, ring: 1, index: 0 })?.coordinates, [[SQUARE], [SQUARE]]);
	assert.equal(removeCorner(POINT, OUTER), null);
});

test("all of it is moved by degrees, and put right afterwards", () => {
	const moved = /** @type {any} */ (moveAll(BOTH, [1, -1]));

	assert.deepEqual(moved.coordinates[1][0][0], [5, 50]);
	assert.equal(cornersOf(moved).length, 11);
	const turned = /** @type {Geometry} */ ({ type: "Polygon", coordinates: [SQUARE.toReversed()] });
	assert.deepEqual(tidyGeometry(turned)?.coordinates, [SQUARE]);
	const small = /** @type {Geometry} */ ({ type: "Polygon", coordinates: [HOLE] });
	const flat = moveCorner(moveCorner(small, { ...OUTER, index: 0 }, [0, 0]), { ...OUTER, index: 1 }, [0, 0]);
	assert.equal(tidyGeometry(flat), null);
});

test("what is stored is read back", () => {
	const areas = [
		{ id: "area-1", name: "Veld 1", geometry: RING },
		{ id: "area-12", name: "", geometry: POINT },
	];

	assert.deepEqual(parseStored(formatGeoJson(areas)), areas);
});

test("damage to what is stored costs what is damaged", () => {
	const good = { type: "Feature", id: "area-1", properties: { name: "A" }, geometry: POINT };
	const features = [
		good,
		good,
		null,
		7,
		{ ...good, id: "x" },
		{ ...good, id: "area-2", geometry: { type: "Polygon" } },
	];

	assert.deepEqual(parseStored(JSON.stringify({ features })), [{ id: "area-1", name: "A", geometry: POINT }]);
	for (const source of [null, "", "{", "[]", "7", '{"features": 3}']) assert.deepEqual(parseStored(source), []);
});
