import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePlace } from "../../../viewer/search/coordinates.js";
import { openGazetteer, simplify } from "../../../viewer/search/gazetteer.js";

/** 51.21, 4.42 as people write it. */
for (const text of [
	"51.21, 4.42",
	"51.21,4.42",
	"51.21 4.42",
	"51.21; 4.42",
	"51,21 4,42",
	"51,21; 4,42",
	"51,21, 4,42",
	"  +51.21 ,  +4.42 ",
	"51.21°, 4.42°",
	"51.21N 4.42E",
	"51.21 N, 4.42 E",
	"4.42E 51.21N",
	"4.42° E, 51.21° N",
	"N51.21 E4.42",
	"n 51.21 e 4.42",
	"E 4.42, N 51.21",
	"51°12'36\"N 4°25'12\"E",
	"51° 12′ 36″ N, 4° 25′ 12″ E",
	"51º12’36”N 4º25’12”E",
	"51°12'36''N 4°25'12''E",
	"51 12 36 N 4 25 12 E",
	"N 51 12.6 E 4 25.2",
	"51°12.6'N 4°25.2'E",
	"51°12,6'N 4°25,2'E",
	"51°12'36\" 4°25'12\"",
	"+51°12'36\", +4°25'12\"",
	"geo:51.21,4.42",
]) {
	test(`${text} is a place`, () => {
		const place = parsePlace(text);

		assert.ok(place);
		assert.deepEqual([place.lat.toFixed(6), place.lon.toFixed(6)], ["51.210000", "4.420000"]);
	});
}

for (const [text, lat, lon] of /** @type {[string, number, number][]} */ ([
	["-33.9, 18.4", -33.9, 18.4],
	["−33.9 −70.5", -33.9, -70.5],
	["33.9S 70.5W", -33.9, -70.5],
	["33°54'S 70°30'W", -33.9, -70.5],
	["-33°54', -70°30'", -33.9, -70.5],
	["120.5, 51.2", 51.2, 120.5],
	["0 0", 0, 0],
	["90, 180", 90, 180],
])) {
	test(`${text} is ${lat}, ${lon}`, () => {
		assert.deepEqual(parsePlace(text), { lat, lon });
	});
}

test("O is east in Dutch and German, west in Romance languages, and no letter in English; L is east in Portuguese", () => {
	assert.deepEqual(parsePlace("51N 4O", "de"), { lat: 51, lon: 4 });
	assert.deepEqual(parsePlace("51N 4O", "es"), { lat: 51, lon: -4 });
	assert.deepEqual(parsePlace("51N 4O", "pt"), { lat: 51, lon: -4 });
	assert.deepEqual(parsePlace("51N 4L", "pt"), { lat: 51, lon: 4 });
	assert.deepEqual(parsePlace("51Z 4O", "nl"), { lat: -51, lon: 4 });
	assert.deepEqual(parsePlace("51N 4O", "fr"), { lat: 51, lon: -4 });
	assert.equal(parsePlace("51N 4O", "en"), null);
});

for (const text of [
	"",
	"51.2",
	"Ghent",
	"Ghent 51 4",
	"91, 181",
	"51.2N",
	"51.2N 4.4N",
	"51.2N 4.4",
	"51°60'N 4°0'E",
	"51.5°12'N 4°0'E",
	"1 2 3",
	"NE",
	"N E",
	"51°12'",
	"New York",
	"12 rue E 4",
	"--1, 2",
	"1e3 2",
	"181E 10N",
]) {
	test(`"${text}" is no place in numbers`, () => {
		assert.equal(parsePlace(text), null);
	});
}

const find = openGazetteer({
	names: [
		"London|Londen|Londres",
		"Antwerpen|Antwerp|Anvers",
		"London",
		"Köln",
		"East London",
		"Łódź",
		"'s-Hertogenbosch",
	],
	countries: "GBBECADEZAPLNL",
	lons: [-126, 4402, -81250, 6960, 27900, 19457, 5308],
	lats: [51509, 51220, 42983, 50936, -33000, 51750, 51699],
});

/** @param {ReturnType<typeof find>} places */
const namesOf = (places) => places.map(({ name, country }) => `${name} ${country}`);

for (const [words, ...expected] of [
	["london", "London GB", "London CA", "East London ZA"],
	["  LON ", "London GB", "London CA", "East London ZA"],
	["anvers", "Antwerpen BE"],
	["koln", "Köln DE"],
	["KÖL", "Köln DE"],
	["lodz", "Łódź PL"],
	["s hertogen", "'s-Hertogenbosch NL"],
	["ondon"],
	["nowhere"],
	[""],
	["|"],
	["-"],
]) {
	test(`"${words}" finds ${expected.join(", ") || "nothing"}`, () => {
		assert.deepEqual(namesOf(find(words, 8)), expected);
	});
}

test("places within the box come first among those that are alike", () => {
	assert.deepEqual(namesOf(find("london", 8, [-90, 40, -80, 50])), ["London CA", "London GB", "East London ZA"]);
	assert.deepEqual(namesOf(find("london", 1, [170, -90, -170, 90])), ["London GB"]);
});

test("a place is where it is, seen from near enough", () => {
	assert.deepEqual(find("antwerp", 1), [{ name: "Antwerpen", country: "BE", lon: 4.402, lat: 51.22, zoom: 10 }]);
});

test("any text is searched for without a fault", () => {
	for (const text of ["(", "[a", "\\", "*", "\ud800", "a".repeat(100), "日本", "<img src=x>"]) {
		assert.ok(Array.isArray(find(text, 8)));
		assert.equal(parsePlace(text), null);
	}
	assert.equal(simplify("Saint-Étienne-du-Rouvray"), "saint etienne du rouvray");
});
