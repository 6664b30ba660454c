import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { readText } from "../../../viewer/areas/formats/read-files.js";
import { useTexts } from "../../../viewer/base/text.js";

before(async () =>
	useTexts("en", JSON.parse(await readFile(new URL("../../../viewer/i18n/en.json", import.meta.url), "utf8"))),
);

const POINT = { type: "Point", coordinates: [4.5, 51.25] };

for (const table of [
	"name,lat,lon\nA,51.25,4.5\n",
	"Longitude;Latitude;Nom\n4,5;51,25;A\n",
	"Naam\tBreedtegraad\tLengtegraad\nA\t51,25\t4,5\n",
	'Ort;"Geogr. Breite (°)";"Geogr. Länge (°)"\nA;51,25;4,5\n',
	"Nombre;Latitud;Longitud\nA;51.25;4.50\n",
	'"id","LAT_WGS84","LON_WGS84"\n"A","51,25","4,5"\n',
	"place,lat,lng,date\nA,51.25,4.5,2024-01-01\nA,51.25,4.5,2024-01-11\n",
]) {
	test(`positions are read from ${JSON.stringify(table.split("\n")[0])}`, async () => {
		assert.deepEqual((await readText(table)).areas, [{ name: "A", geometry: POINT }]);
	});
}

test("rows without a position are left out, and one that is none is told with its line", async () => {
	const { areas, leftOut } = await readText("name;lat;lon\nA;51,25;4,5\nB;;\n");

	assert.deepEqual([areas.length, leftOut], [1, ["Line 3 has no point and no polygon."]]);
	await assert.rejects(readText("lat,lon\n51,4\nnorth,4\n"), {
		key: "areas.fault.offEarth",
		message: /Line 3: north 4/,
	});
	await assert.rejects(readText("lat,lon\n210000,150000\n"), { key: "areas.fault.offEarth" });
});

test("width and length are no positions, nor are x and y of an unknown system", async () => {
	for (const table of ["Breite;Länge\n51;4\n", "x,y\n4,51\n"]) {
		await assert.rejects(readText(table), { key: "areas.fault.unknown" });
	}
});

const [FIRST, SECOND] = [Date.UTC(2024, 5, 1), Date.UTC(2024, 5, 11)];

for (const [dates, table] of [
	["ISO", "date,value\n2024-06-11,0.5\n2024-06-01,0.25\n"],
	["without signs", "Datum;Wert\n20240611;0,5\n20240601;0,25\n"],
	["with points", "Datum;NDVI\n11.06.2024;0,5\n1.6.2024;0,25\n"],
	["with slashes, the day first", "date,value\n01/06/2024,0.25\n11/06/2024,0.5\n13/06/2024,\n"],
	["with slashes, the month first", "date,value\n6/1/2024,0.25\n6/11/2024,0.5\n6/13/2024,NA\n"],
	["instants", "time,value\n2024-06-01T00:00:00Z,0.25\n2024-06-11T02:00:00+02:00,0.5\n"],
]) {
	test(`a measured series is read with dates ${dates}`, async () => {
		const { areas, measured = [] } = await readText(table);

		assert.deepEqual(areas, []);
		assert.equal(measured.length, 1);
		assert.deepEqual(measured[0].times, [FIRST, SECOND]);
		assert.deepEqual(measured[0].values, [0.25, 0.5]);
	});
}

test("each place and each column of numbers is a series, with its unit", async () => {
	const table = "plot;date;LAI (m2/m2);Moisture [%];remark\nA;2024;1,5;20;dry\nB;2024;2,5;;wet\nA;2025;;30;\n";
	const { measured = [] } = await readText(table);

	assert.deepEqual(
		measured.map(({ name, unit, times, values }) => [name, unit, times.length, ...values]),
		[
			["A: LAI", "m2/m2", 1, 1.5],
			["A: Moisture", "%", 2, 20, 30],
			["B: LAI", "m2/m2", 1, 2.5],
		],
	);
});

for (const [key, table] of [
	["areas.fault.dateOrder", "date,value\n06/01/2024,1\n06/11/2024,2\n"],
	["areas.fault.date", "date,value\n2024-02-31,1\n"],
	["areas.fault.date", "date,value\nyesterday,1\n"],
	["areas.fault.noNumbers", "date,remark\n2024-02-01,dry\n"],
	["areas.fault.unknown", "value,remark\n1,dry\n"],
]) {
	test(`${JSON.stringify(table)} is refused with ${key}`, () => assert.rejects(readText(table), { key }));
}
