import assert from "node:assert/strict";
import { readFile as readDisk } from "node:fs/promises";
import { before, test } from "node:test";
import { readFile } from "../../../viewer/areas/formats/read-files.js";
import { useTexts } from "../../../viewer/base/text.js";
import { zipSync } from "../../../viewer/vendor/fflate.js";
import { dbfOf, PRJ, shpOf } from "../shapefile.js";

before(async () =>
	useTexts("en", JSON.parse(await readDisk(new URL("../../../viewer/i18n/en.json", import.meta.url), "utf8"))),
);

const utf8 = (/** @type {string} */ words) => new TextEncoder().encode(words);
const refuse = () => Promise.reject(new Error("The server says: no."));

/** @param {Record<string, Uint8Array>} files @param {(file: Blob) => Promise<unknown>} [askServer] */
const readZip = (files, askServer = refuse) => readFile(new File([zipSync(files)], "a.zip"), askServer);

/** @param {any} found @param {number[][]} wanted */
function assertAt(found, wanted) {
	assert.equal(found.length, wanted.length);
	for (const [index, [lon, lat]] of wanted.entries()) {
		assert.ok(Math.hypot(found[index][0] - lon, found[index][1] - lat) < 1e-8, `${found[index]} is not ${[lon, lat]}`);
	}
}

/** Clockwise, as outer rings of shapefiles are. */
const SQUARE = [
	[150000, 210000],
	[150000, 211000],
	[151000, 211000],
	[151000, 210000],
	[150000, 210000],
];

test("a shapefile in UTM lies where pyproj says, with its names", async () => {
	const { areas } = await readZip({
		"Fields/PLOTS.SHP": shpOf([SQUARE]),
		"Fields/PLOTS.PRJ": utf8(PRJ.utm31),
		"Fields/PLOTS.DBF": dbfOf("NAME", ["Café"]),
		"Fields/PLOTS.CPG": utf8("UTF-8"),
	});

	assert.equal(areas[0].name, "Café");
	assert.equal(areas[0].geometry.type, "Polygon");
	// Transformer.from_crs(25831, 4326, always_xy=True), anticlockwise from the first corner.
	assertAt(areas[0].geometry.coordinates[0].slice(0, 1), [[-0.145486539000949, 1.8970493184427675]]);
});

test("a shapefile across 180 degrees stays in one piece, with its hole", async () => {
	const ring = (/** @type {number[][]} */ corners) => [...corners, corners[0]];
	const outer = ring([
		[805000, 8000000],
		[805000, 8020000],
		[835000, 8020000],
		[835000, 8000000],
	]);
	const hole = ring([
		[815000, 8005000],
		[822000, 8005000],
		[822000, 8010000],
		[815000, 8010000],
	]);
	const { areas } = await readZip({ "a.shp": shpOf([outer, hole]), "a.prj": utf8(PRJ.utm60s) });

	const lons = /** @type {number[][][]} */ (areas[0].geometry.coordinates).flat().map(([lon]) => lon);
	assert.equal(areas[0].geometry.coordinates.length, 2);
	assert.ok(Math.min(...lons) < 180 && Math.max(...lons) > 180, "it does not cross");
	assert.ok(Math.max(...lons) - Math.min(...lons) < 0.3, "it goes round the world");
});

test("a shapefile in degrees is taken as it is, round the whole world too", async () => {
	const ring = [
		[-180, -90],
		[-180, 90],
		[180, 90],
		[180, -90],
		[-180, -90],
	];
	const { areas } = await readZip({ "a.shp": shpOf([ring]), "a.prj": utf8(PRJ.wgs84) });

	assert.deepEqual(areas[0].geometry, { type: "Polygon", coordinates: [ring.toReversed()] });
});

test("an older datum is the server's to convert, or the shapefile is refused by its name", async () => {
	const files = { "a.shp": shpOf([SQUARE]), "a.prj": utf8(PRJ.lambert72) };
	const geometry = { type: "Point", coordinates: [4.368757468568166, 51.1999722076124] };
	/** @type {string[]} */
	const types = [];
	const { areas } = await readZip(files, async (file) => {
		types.push(file.type);
		return { type: "Feature", properties: { name: "A" }, geometry };
	});

	assert.deepEqual([types, areas], [["application/zip"], [{ name: "A", geometry }]]);
	await assert.rejects(readZip(files), { key: "areas.fault.server", message: /The server says: no\./ });
});

test("a shapefile without a coordinate system, and one that breaks off, are refused", async () => {
	await assert.rejects(readZip({ "a.shp": shpOf([SQUARE]) }), { key: "areas.fault.noPrj" });
	const broken = { "a.shp": shpOf([SQUARE]).slice(0, 60), "a.prj": utf8(PRJ.utm31) };
	await assert.rejects(readZip(broken), { key: "areas.fault.shapefile" });
	const empty = { "a.shp": shpOf([SQUARE]).slice(0, 140), "a.prj": utf8(PRJ.utm31) };
	await assert.rejects(readZip(empty), { key: "areas.fault.none" });
});

test("a GeoPackage is read by the server", async () => {
	const geometry = { type: "Point", coordinates: [4, 51] };
	const file = new File([utf8("SQLite format 3\0 and more")], "a.gpkg");
	const { areas } = await readFile(file, async (sent) => {
		assert.deepEqual([sent.type, sent.size], ["application/geopackage+sqlite3", file.size]);
		return { type: "FeatureCollection", features: [{ type: "Feature", properties: { NAAM: "Heide" }, geometry }] };
	});

	assert.deepEqual(areas, [{ name: "Heide", geometry }]);
});
