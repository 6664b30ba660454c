/**
 * Writes which numbers the viewer reads and paints at places: `node numbers_at_places.mjs FROM TO`.
 *
 * FROM is JSON, `{ zoom, tiles: { "z/x/y": file }, places: [{ lon, lat, tile, column, row }] }`, where `tile` is the one that
 * is drawn, at `zoom`, that of the cubes in files, or finer, and `column` and `row` are the pixel of it that the place is in.
 * TO gets `[[read, painted], …]`, each a list by date; null where there is no cell.
 */
import { readFile, writeFile } from "node:fs/promises";
import { decodeCube } from "../../viewer/ctc1/decode.js";
import { CubeSource } from "../../viewer/ctc1/source.js";

const [, , from, to] = process.argv;
const { zoom, tiles, places } = JSON.parse(await readFile(from, "utf8"));
const cubes = new Map();
for (const [tile, file] of Object.entries(tiles)) cubes.set(`${tile}.ctc`, decodeCube(await readFile(file)));
const times = cubes.values().next().value.header.times;
const loader = { get: (/** @type {string} */ url) => cubes.get(url.replace(/\?.*/, "")) };
const source = new CubeSource({ template: "{z}/{x}/{y}.ctc", times, loader: /** @type {any} */ (loader) });
source.maxZoom = zoom;

/** @param {import("../../viewer/ctc1/decode.js").Cube} cube @param {number} cell */
const numbersOf = (cube, cell) =>
	cell < 0 ? null : times.map((/** @type {string} */ _, /** @type {number} */ date) => cube.numbersAt(date)[cell]);

const found = places.map((/** @type {any} */ { lon, lat, tile, column, row }) => {
	const sample = source.sample({ lon, lat }, tile.z, 0);
	const drawn = source.find(source.dataTile(tile), 0);
	if (!sample || !drawn) throw new Error(`no cube for ${JSON.stringify(tile)}`);
	const { cells } = source.layout(tile, drawn.cube, 256);
	return [numbersOf(sample.cube, sample.cell), numbersOf(drawn.cube, cells[row * 256 + column])];
});
await writeFile(to, JSON.stringify(found));
