import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { placeText } from "../../../viewer/areas/size-labels.js";
import { useTexts } from "../../../viewer/base/text.js";
import { parsePlace } from "../../../viewer/search/coordinates.js";

/** @typedef {import("../../../viewer/base/text.js").Language} Language */

const ANTWERP = [4.4025, 51.2194];
const LIMA = [-77.0428, -12.0464];

/** @param {Language} language */
async function speak(language) {
	const file = new URL(`../../../viewer/i18n/${language}.json`, import.meta.url);
	useTexts(language, JSON.parse(await readFile(file, "utf8")));
}

after(() => useTexts("en", {}));

for (const [language, antwerp, lima] of /** @type {[Language, string, string][]} */ ([
	["en", "51.2194° N, 4.4025° E", "12.0464° S, 77.0428° W"],
	["nl", "51,2194° N, 4,4025° O", "12,0464° Z, 77,0428° W"],
	["fr", "51,2194° N, 4,4025° E", "12,0464° S, 77,0428° O"],
	["de", "51,2194° N, 4,4025° O", "12,0464° S, 77,0428° W"],
	["es", "51,2194° N, 4,4025° E", "12,0464° S, 77,0428° O"],
	["pt", "51,2194° N, 4,4025° L", "12,0464° S, 77,0428° O"],
])) {
	test(`places are written in ${language}, as the search reads them`, async () => {
		await speak(language);

		assert.deepEqual([placeText(ANTWERP), placeText(LIMA)], [antwerp, lima]);
		for (const [text, [lon, lat]] of /** @type {[string, number[]][]} */ ([
			[antwerp, ANTWERP],
			[lima, LIMA],
		]))
			assert.deepEqual(parsePlace(text, language), { lon, lat });
	});
}

test("places have the digits that are wanted, and stay on the globe", async () => {
	await speak("de");

	assert.equal(placeText([184.5, 0], 2), "0,00° N, 175,50° W");
});
