/**
 * Writes what the viewer's maps of periods have at places: `node periods_of_cubes.mjs FROM TO`.
 *
 * FROM is JSON, `[{ cubes, times, ends, shares, questions: [{ slot, method, start, zoom, places: [{ lon, lat }] }] }, …]`, where
 * `cubes` is the template of a layer's cubes at a server that is up, the next three are its dates, and `start` is the first
 * day of the period. TO gets as many lists of lists, `[value, count, slack]` a place; `slack` is how far the number of a cube
 * may be from the value that it stands for.
 */
import { readFile, writeFile } from "node:fs/promises";
import { toInstant } from "../../viewer/base/dates.js";
import { Cube, decodeCube } from "../../viewer/ctc1/decode.js";
import { partOfYear } from "../../viewer/ctc1/periods.js";
import { orderOf, ownOf, reduceCubes, sourcesOf } from "../../viewer/ctc1/reduce.js";
import { CubeSource } from "../../viewer/ctc1/source.js";
import { clearestOf, periodsOf } from "../../viewer/time/periods/members.js";
import { cubesOfPeriods } from "../../viewer/time/periods/period-cubes.js";

const [, , from, to] = process.argv;

/** Cubes by the addresses that the viewer has for them. @type {Map<string, Cube>} */
const cubes = new Map();

/** @param {string} url as the server has it */
async function fetchCube(url) {
	const answer = await fetch(url);
	if (!answer.ok) throw new Error(`${url}: ${await answer.text()}`);
	if (answer.status !== 204) cubes.set(url, decodeCube(new Uint8Array(await answer.arrayBuffer())));
}

/** @param {string} url as the viewer has it */
async function load(url) {
	for (const source of sourcesOf(url)) if (!cubes.has(source)) await fetchCube(source);
	if (!orderOf(url) || cubes.has(url)) return;
	const parts = sourcesOf(url).flatMap((source) => {
		const cube = cubes.get(source);
		return cube ? [{ url: source, header: cube.header, numbers: cube.numbers }] : [];
	});
	const made = reduceCubes(url, parts);
	if (made) cubes.set(url, new Cube(made.header, made.numbers, made.counts));
}

/** @param {any} layer @param {any} question */
async function answer({ cubes: template, times, ends, shares }, { slot, method, start, zoom, places }) {
	const dates = times.map((/** @type {string} */ time, /** @type {number} */ at) => toInstant(time, ends[at]));
	const { instants, members } = periodsOf(dates, slot);
	const index = instants.findIndex(({ ms }) => ms === Date.parse(start));
	const shown =
		method === "clearest"
			? instants.map((each, at) => ({ ...each, text: dates[clearestOf(members[at], shares)].text }))
			: instants;
	const parts = instants.map(({ ms }) => partOfYear(slot, ms));
	const periods = { slot, method, by: "mean", dates, members, partOfYear: parts, years: "" };
	const made = cubesOfPeriods(/** @type {any} */ (periods), shown);
	if (!made) throw new Error(`no cubes for ${slot} ${method}`);
	const loader = { get: (/** @type {string} */ url) => cubes.get(url), has: () => false, failure: () => undefined };
	const source = new CubeSource({ template, loader: /** @type {any} */ (loader), ...made });
	source.maxZoom = zoom;
	const found = [];
	for (const place of places) {
		const tile = tileOf(place, zoom);
		const [url] = source.urlsOf(tile, index);
		await load(url);
		const sample = source.sampleWindow(place, zoom, index);
		if (!sample || sample.cell < 0 || sample.frame < 0) {
			found.push([null, 0, 0]);
			continue;
		}
		const { cube, frame, cell } = sample;
		const own = cubes.get(ownOf(url))?.header;
		const step = Math.abs(cube.header.scale) / 2;
		const slack = own?.quantised ? Math.abs(own.scale) + step : cube.header.quantised ? step : 0;
		found.push([cube.exactValueOf(cube.numbersAt(frame)[cell]), cube.counts?.[frame * cube.size + cell] ?? 0, slack]);
	}
	return found;
}

/** @param {{ lon: number, lat: number }} place @param {number} z */
function tileOf({ lon, lat }, z) {
	const down = (1 - Math.asinh(Math.tan((lat * Math.PI) / 180)) / Math.PI) / 2;
	return { z, x: Math.floor((lon / 360 + 0.5) * 2 ** z), y: Math.floor(down * 2 ** z) };
}

const all = [];
for (const layer of JSON.parse(await readFile(from, "utf8"))) {
	const answers = [];
	for (const question of layer.questions) answers.push(await answer(layer, question));
	cubes.clear();
	all.push(answers);
}
await writeFile(to, JSON.stringify(all));
