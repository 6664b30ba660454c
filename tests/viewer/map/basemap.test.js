import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { decodeLines, thin } from "../../../viewer/map/basemap.js";

/** @param {string} path */
const readLines = async (path) =>
	decodeLines(JSON.parse(await readFile(new URL(`../../../viewer/${path}`, import.meta.url), "utf8")));

/** @param {import("../../../viewer/map/basemap.js").Lines} lines @param {number} lon @param {number} lat */
function isInside({ size, lines }, lon, lat) {
	const x = ((lon + 180) / 360) * size;
	const y = (0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * Math.PI) / 360)) / (2 * Math.PI)) * size;
	let crossings = 0;
	for (const { xs, ys } of lines) {
		for (let at = 0, before = xs.length - 1; at < xs.length; before = at++) {
			const spans = ys[at] > y !== ys[before] > y;
			const crossing = xs[at] + ((y - ys[at]) / (ys[before] - ys[at])) * (xs[before] - xs[at]);
			// A ring that extends beyond 180 degrees crosses both edges of the world.
			if (spans) crossings += [x - size, x, x + size].filter((place) => place < crossing).length;
		}
	}
	return crossings % 2 === 1;
}

test("points are decoded from their distances", () => {
	const { lines } = decodeLines({ size: 100, lines: [[10, 20, 5, -5, -10, 0]] });

	assert.deepEqual(
		[[...lines[0].xs], [...lines[0].ys]],
		[
			[10, 15, 5],
			[20, 15, 15],
		],
	);
	assert.deepEqual([lines[0].xmin, lines[0].ymin, lines[0].xmax, lines[0].ymax], [5, 15, 15, 20]);
});

for (const { name, lon, lat, isLand } of [
	{ name: "Brussels", lon: 4.35, lat: 50.85, isLand: true },
	{ name: "Canberra", lon: 149.13, lat: -35.28, isLand: true },
	{ name: "the south pole's plateau", lon: 0, lat: -80, isLand: true },
	{ name: "Chukotka, west of 180 degrees", lon: -178, lat: 67, isLand: true },
	{ name: "the North Sea", lon: 3, lat: 56, isLand: false },
	{ name: "the Caspian Sea", lon: 51, lat: 42, isLand: false },
	{ name: "the Pacific", lon: -150, lat: 0, isLand: false },
]) {
	for (const path of ["data/land.json", "data/land-coarse.json"]) {
		test(`${name} is ${isLand ? "land" : "water"} in ${path}`, async () => {
			assert.equal(isInside(await readLines(path), lon, lat), isLand);
		});
	}
}

test("the coarse land has few bytes, which the first view waits for", async () => {
	const file = await readFile(new URL("../../../viewer/data/land-coarse.json", import.meta.url));

	assert.ok(gzipSync(file).length < 15_000);
});

test("thinning keeps what is inside and the ends of what is not", () => {
	const outside = Array.from({ length: 50 }, (_, index) => [-100, index * 2]).flat();
	const { lines } = decodeLines({ size: 1, lines: [toDeltas([5, 5, ...outside, 5, 95, 50, 50])] });
	const box = { xmin: 0, ymin: 0, xmax: 100, ymax: 100 };

	assert.deepEqual(thin(lines[0], box, 1), [0, 1, 50, 51, 52]);
});

test("thinning drops points closer than a step", () => {
	const { lines } = decodeLines({ size: 1, lines: [toDeltas([0, 0, 1, 0, 2, 0, 3, 0, 3, 3])] });

	assert.deepEqual(thin(lines[0], { xmin: 0, ymin: 0, xmax: 9, ymax: 9 }, 2), [0, 2, 4]);
});

/** @param {number[]} points */
const toDeltas = (points) => points.map((value, index) => value - (index < 2 ? 0 : points[index - 2]));
