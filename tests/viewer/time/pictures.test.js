import assert from "node:assert/strict";
import { test } from "node:test";
import { cellLength, formatLength, pixelLength } from "../../../viewer/time/resolution.js";
import { tilesAround } from "../../../viewer/time/thumbnails.js";

test("a picture around the middle of a tile is that tile", () => {
	const [lon, lat] = [(2.5 / 4 - 0.5) * 360, (Math.atan(Math.sinh(Math.PI * 0.25)) * 180) / Math.PI];

	assert.deepEqual(tilesAround({ lon, lat }, 2, { width: 100, height: 60 }), [
		{ z: 2, x: 2, y: 1, left: -78, top: -98 },
	]);
});

test("a picture on a corner of tiles has the four around it", () => {
	assert.deepEqual(tilesAround({ lon: 0, lat: 0 }, 3, { width: 100, height: 60 }), [
		{ z: 3, x: 3, y: 3, left: -206, top: -226 },
		{ z: 3, x: 4, y: 3, left: 50, top: -226 },
		{ z: 3, x: 3, y: 4, left: -206, top: 30 },
		{ z: 3, x: 4, y: 4, left: 50, top: 30 },
	]);
});

test("beyond 180 degrees are the tiles of the other side, and none beyond the poles", () => {
	const columns = tilesAround({ lon: 180, lat: 0 }, 3, { width: 100, height: 10 }).map(({ x }) => x);

	assert.deepEqual(columns, [7, 0, 7, 0]);
	assert.equal(tilesAround({ lon: 10, lat: 85.05 }, 0, { width: 100, height: 100 }).length, 1);
});

test("a pixel of zoom 0 at the equator is a 256th of it", () => {
	assert.ok(Math.abs(pixelLength(0, 0) - 156_543.034) < 0.001);
	assert.ok(Math.abs(pixelLength(10, 60) - 156_543.034 / 1024 / 2) < 0.001);
});

for (const [name, layer, lat, metres] of /** @type {const} */ ([
	["UTM", { bbox: [4, 50, 4.2, 50.09], resolution: [10, 10], crs: "EPSG:32631", size: [1000, 1000] }, 50, 10],
	["degrees", { bbox: [4, 50, 5, 51], resolution: [0.01, 0.01], crs: "EPSG:4326", size: [100, 100] }, 50, 1113.2],
	["Web Mercator", { bbox: [4, 59, 5, 61], resolution: [100, 100], crs: "EPSG:3857", size: [9, 9] }, 60, 50],
])) {
	test(`cells of ${name} are told in metres of ground`, () => {
		assert.ok(Math.abs(cellLength(layer, lat) - metres) / metres < 0.001, `${cellLength(layer, lat)}`);
	});
}

test("lengths are written with two digits", () => {
	assert.equal(formatLength(10, "en-GB"), "10 m");
	assert.equal(formatLength(38.218, "en-GB"), "38 m");
	assert.equal(formatLength(1113.2, "en-GB"), "1.1 km");
	assert.equal(formatLength(1113.2, "nl-BE"), "1,1 km");
	assert.equal(formatLength(0.25, "en-GB"), "0.25 m");
});
