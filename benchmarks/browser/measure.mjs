/**
 * Measures the viewer against its goals: `node measure.mjs SETTINGS.json OUT.json [PART…]`. Settings are written by
 * `python -m benchmarks.browser`, which also makes the table. A failed part is reported, and the others continue.
 *
 * @typedef {import("./screens.mjs").Screen} Screen
 * @typedef {{ layer: string, dates: string[], bbox: number[], screens: Screen[], further: Screen[] }} Season
 *   `screens` do not touch each other; `further` are screens of the next zoom
 * @typedef {{ title: string, layer: string, year: string, bbox: number[], z: number }} Archive
 * @typedef {import("./server.mjs").Ground & { season: { layer: string, dates: string[], bbox: number[], z: number }, archives: Archive[] }} Settings
 */
import { readFileSync, writeFileSync } from "node:fs";
import { measureBytes, measureCrowd, measureCubes, measureFilms } from "./asking.mjs";
import { FAR, NEAR } from "./link.mjs";
import { measureClicks, measureLayers, measureMoving } from "./moving.mjs";
import { openBrowser, windowSize } from "./pages.mjs";
import { raceCubes, racePictures } from "./race.mjs";
import { screensIn } from "./screens.mjs";
import { startServer } from "./server.mjs";
import { measureStart } from "./starting.mjs";

/** Number of places that decode to more than 256 MiB in total. */
const FURTHER = 6;

const [settingsFile, outFile, ...chosen] = process.argv.slice(2);
/** @type {Settings} */
const settings = JSON.parse(readFileSync(settingsFile, "utf8"));
const { archives } = settings;
const { z, bbox } = settings.season;
/** @type {Season} */
const season = { ...settings.season, screens: screensIn(bbox, z), further: screensIn(bbox, z + 1).slice(0, FURTHER) };
const demo = archives[0];
const server = await startServer(settings);
const browser = await openBrowser();
const size = await windowSize(browser, server.base);

/** @type {Record<string, () => Promise<unknown>>} */
const PARTS = {
	start: () => measureStart(browser, server, size, season),
	moving: () => measureMoving(browser, server.base, size, season),
	layers: () => measureLayers(browser, server.base, size, demo),
	clicks: () => measureClicks(browser, server.base, size, season),
	"race-near-cubes": () => raceCubes(browser, settings, size, season, NEAR),
	"race-near-pictures": () => racePictures(browser, settings, season, NEAR),
	"race-far-cubes": () => raceCubes(browser, settings, size, season, FAR),
	"race-far-pictures": () => racePictures(browser, settings, season, FAR),
	films: () => measureFilms(server.base, season),
	cubes: () => measureCubes(settings, archives),
	bytes: () => measureBytes(server.base, archives),
	crowd: () => measureCrowd(settings, season, demo),
};

/** @type {Record<string, unknown>} */
const found = { window: size, screens: season.screens.length, chromium: browser.version() };
for (const [name, run] of Object.entries(PARTS)) {
	if (chosen.length > 0 && !chosen.includes(name)) continue;
	const start = performance.now();
	try {
		found[name] = await run();
	} catch (error) {
		found[name] = { failed: String(error) };
	}
	console.error(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s ${JSON.stringify(found[name])}`);
}
writeFileSync(outFile, JSON.stringify(found, null, 1));
await browser.close();
await server.stop();
process.exit(0);
