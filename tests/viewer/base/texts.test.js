import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { knownWord, LOCALES, useTexts } from "../../../viewer/base/text.js";

/** @typedef {Record<string, string | Record<string, string>>} Texts */

const read = (/** @type {string} */ path) => readFile(new URL(`../../../viewer/${path}`, import.meta.url), "utf8");

/** @param {string} language @returns {Promise<Texts>} */
const readTexts = async (language) => JSON.parse(await read(`i18n/${language}.json`));

const LANGUAGES = ["en", "nl", "fr", "de", "es", "pt"];
const [en, ...others] = await Promise.all(LANGUAGES.map(readTexts));

/** Returns the placeholders in all forms of a text. @param {string | Record<string, string>} entry */
const namesIn = (entry) => [...new Set(JSON.stringify(entry).match(/\{\w+\}/g))].sort();

test("the languages that the viewer knows are those that have texts", () => {
	assert.deepEqual(Object.keys(LOCALES), LANGUAGES);
});

for (const [index, texts] of others.entries()) {
	const language = LANGUAGES[index + 1];
	test(`${language} has the same texts as English, and fills in the same`, () => {
		assert.deepEqual(Object.keys(texts).sort(), Object.keys(en).sort());
		for (const [key, entry] of Object.entries(en)) assert.deepEqual(namesIn(texts[key]), namesIn(entry), key);
	});
}

for (const [index, texts] of [en, ...others].entries()) {
	const language = LANGUAGES[index];
	test(`the texts of ${language} are in order, none is empty, and plurals have the forms of the language`, () => {
		assert.deepEqual(Object.keys(texts), Object.keys(texts).sort());
		const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
		for (const [key, entry] of Object.entries(texts)) {
			const forms = typeof entry === "string" ? { other: entry } : entry;
			assert.ok("other" in forms && Object.values(forms).every((form) => form.trim() !== ""), key);
			assert.ok(
				Object.keys(forms).every((form) => pluralCategories.includes(/** @type {Intl.LDMLPluralRule} */ (form))),
				key,
			);
		}
	});
}

test("what the page says before it knows the language is what English says", async () => {
	const page = await read("index.html");
	const elements = [...page.matchAll(/<[a-z0-9]+\b[^>]*\sdata-text="([^"]+)"[^>]*>([^<]*)</g)];

	assert.ok(elements.length > 0);
	for (const [, key, words] of elements) assert.equal(words.replaceAll("&amp;", "&"), en[key], key);
});

for (const [kind, attribute] of [
	["label", "aria-label"],
	["title", "title"],
	["placeholder", "placeholder"],
]) {
	test(`the page names texts that there are for ${attribute}, and says them in English`, async () => {
		for (const [tag, key] of (await read("index.html")).matchAll(
			new RegExp(`<[^>]*\\sdata-text-${kind}="([^"]+)"[^>]*>`, "g"),
		)) {
			assert.ok(key in en, key);
			const [, words] = tag.match(new RegExp(`\\s${attribute}="([^"]*)"`)) ?? [];
			assert.ok(words === undefined || words === en[key], `${key}: ${words}`);
		}
	});
}

/** Titles and classes of the styles that every server has, and flags of the demo and of scenes. */
async function wordsOfServers() {
	const folder = new URL("../../../styles/", import.meta.url);
	const sheets = await Promise.all((await readdir(folder)).map((name) => readFile(new URL(name, folder), "utf8")));
	const words = sheets.flatMap((sheet) =>
		[...sheet.matchAll(/\b(?:title|label): (?:"([^"]+)"|([^",{}\n]+))/g)].map(([, quoted, plain]) => quoted ?? plain),
	);
	return [...new Set([...words, "cloud", "snow", "water", "outside"])];
}

test("titles of styles, classes and flags have words in every language", async () => {
	const words = await wordsOfServers();
	assert.ok(words.length > 30, `${words}`);
	for (const [index, texts] of [en, ...others].entries()) {
		useTexts(/** @type {import("../../../viewer/base/text.js").Language} */ (LANGUAGES[index]), texts);
		const unknown = words.filter((word) => !Object.values(texts).includes(knownWord(word)));
		assert.deepEqual(unknown, [], LANGUAGES[index]);
		assert.equal(knownWord("Mais der Nachbarn"), "Mais der Nachbarn");
	}
});

/** Texts that are the same in English: names, abbreviations and words that languages share. */
const SHARED = new Set(
	`Attribution Collection Cube Curve Data Date Maximum Median Minimum Name Dates Film Format Latitude Lens Licence Link Longitude Menu Messages Notes Options Pause
	Point Python Radius Savitzky-Golay Style areas cirrus exact minus maximum median minimum normal Normal longitude,latitude,zoom pixels water
	Page_Up Page_Down Enter Shift Home End PNG TileJSON MapLibre Leaflet rasterio`.split(/\s+/),
);

for (const [index, texts] of others.entries()) {
	test(`${LANGUAGES[index + 1]} has no text that was left in English`, () => {
		const plain = (/** @type {string | Record<string, string>} */ entry) =>
			(typeof entry === "string" ? entry : entry.other).replace(/\{\w+\}/g, "");
		const same = Object.keys(texts).filter((key) => plain(texts[key]) === plain(en[key]));
		const wordsIn = (/** @type {string} */ key) => plain(en[key]).split(/[\s()+×]+|, /);
		const left = same.filter((key) => wordsIn(key).some((word) => /\p{L}{3}/u.test(word) && !SHARED.has(word)));
		assert.deepEqual(left, []);
	});
}
