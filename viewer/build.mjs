/**
 * Makes viewer/vendor/: the libraries the viewer imports, one minified ES module each, and the base map. Its towns and
 * the finer ground are made by tools/viewer_data, in Python.
 *
 * Our own modules are never bundled: what runs is what is written. The libraries are, because the browser should not
 * load ten files for one of them. Beside each stand its licence and the types of what we use of it.
 */
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { feature, mesh } from "topojson-client";
import { downAt } from "./map/extent.js";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(HERE, "..", "node_modules");
const VENDOR = join(HERE, "vendor");

/** Units across the world in the base map's files: 0.0055 degrees, 380 m in Belgium, finer than the source. */
const WORLD_SIZE = 65536;

/** As much of the coarse land, which is shown until the fine one is there: 1.5 km, finer than its source too. */
const COARSE_SIZE = 16384;

/** Where Web Mercator ends, in degrees. */
const SOUTH_EDGE = -85.0511;

/** @typedef {{ name: string, package: string, module: string, exports: string[], css?: string, licence?: string, within?: string[] }} Library
 * `within` are licences of what it brings along */

/** @type {Library[]} */
const LIBRARIES = [
	{
		name: "leaflet",
		package: "leaflet",
		module: "leaflet/dist/leaflet-src.esm.js",
		exports: [
			"CircleMarker",
			"Control",
			"DomUtil",
			"GridLayer",
			"LatLngBounds",
			"Layer",
			"LayerGroup",
			"Map",
			"Marker",
			"DivIcon",
			"Point",
			"Polygon",
			"Polyline",
			"TileLayer",
		],
		css: "leaflet/dist/leaflet.css",
	},
	{
		name: "signals-core",
		package: "@preact/signals-core",
		module: "@preact/signals-core",
		exports: ["batch", "computed", "effect", "signal", "untracked"],
	},
	{ name: "gifenc", package: "gifenc", module: "gifenc", exports: ["GIFEncoder"], licence: "LICENSE.md" },
	{
		name: "mediabunny",
		package: "mediabunny",
		module: "mediabunny",
		exports: [
			"BufferTarget",
			"CanvasSource",
			"Mp4OutputFormat",
			"Output",
			"QUALITY_HIGH",
			"WebMOutputFormat",
			"canEncodeVideo",
		],
	},
	{ name: "togeojson", package: "@tmcw/togeojson", module: "@tmcw/togeojson", exports: ["gpx", "kml"] },
	{ name: "fflate", package: "fflate", module: "fflate", exports: ["unzipSync", "zipSync"] },
	{
		name: "polyline-codec",
		package: "@googlemaps/polyline-codec",
		module: "@googlemaps/polyline-codec",
		exports: ["decode", "encode"],
	},
	{ name: "pbf", package: "pbf", module: "pbf", exports: ["PbfReader"] },
	{
		name: "vector-tile",
		package: "@mapbox/vector-tile",
		module: "@mapbox/vector-tile",
		exports: ["VectorTile"],
		licence: "LICENSE.txt",
		within: ["@mapbox/point-geometry/LICENSE"],
	},
	{
		name: "protomaps-leaflet",
		package: "protomaps-leaflet",
		module: "protomaps-leaflet",
		exports: ["leafletLayer"],
		within: ["color2k/LICENSE", "@mapbox/point-geometry/LICENSE"],
	},
	{ name: "mgrs", package: "mgrs", module: "mgrs", exports: ["toPoint"], licence: "license.md" },
	{
		name: "swagger-ui",
		package: "swagger-ui-dist",
		module: "swagger-ui-dist/swagger-ui-es-bundle.js",
		exports: ["default"],
		css: "swagger-ui-dist/swagger-ui.css",
		within: ["swagger-ui-dist/NOTICE", "swagger-ui-dist/swagger-ui-es-bundle.js.LICENSE.txt"],
	},
];

/** @param {Library} library */
async function buildLibrary({ name, package: owner, module, exports, css, licence = "LICENSE", within = [] }) {
	const names = exports.join(", ");
	await build({
		stdin: { contents: `export { ${names} } from ${JSON.stringify(module)};`, resolveDir: HERE },
		outfile: join(VENDOR, `${name}.js`),
		bundle: true,
		format: "esm",
		legalComments: "inline",
		minify: true,
		target: "es2022",
	});
	await writeFile(join(VENDOR, `${name}.d.ts`), `export { ${names} } from ${JSON.stringify(owner)};\n`);
	const licences = [join(owner, licence), ...within].map((path) => readFile(join(PACKAGES, path), "utf8"));
	await writeFile(join(VENDOR, `${name}.LICENSE.txt`), (await Promise.all(licences)).join("\n"));
	if (css) {
		const source = await readFile(join(PACKAGES, css), "utf8");
		const { code } = await transform(source, { loader: "css", minify: true });
		await writeFile(join(VENDOR, `${name}.css`), code);
	}
}

/** @param {string} name @returns {Promise<any>} a TopoJSON topology */
const readAtlas = async (name) => JSON.parse(await readFile(join(PACKAGES, "world-atlas", name), "utf8"));

/** Web Mercator in units of which the world is `size` wide, row 0 in the north. @param {number[]} position degrees @param {number} size */
function project([lon, lat], size) {
	const down = Math.max(0, Math.min(1, downAt(lat)));
	return [Math.round(((lon + 180) / 360) * size), Math.round(down * size)];
}

/** Whether two neighbouring points lie on either side of 180 degrees. @param {number[]} one @param {number[]} other */
const isJump = ([one], [other]) => Math.abs(one - other) > 180;

/** The line without jumps at 180 degrees: it goes on beyond. @param {number[][]} line */
function unwrap(line) {
	let turn = 0;
	return line.map((position, index) => {
		const before = line[index - 1] ?? position;
		if (isJump(before, position)) turn += position[0] < before[0] ? 360 : -360;
		return [position[0] + turn, position[1]];
	});
}

/** A ring that goes round the south pole, from 180 degrees west to east and back below the map's edge. @param {number[][]} ring */
function openAtPole(ring) {
	const start = ring.findIndex((position, index) => index > 0 && isJump(ring[index - 1], position));
	const [lon, lat] = ring[start];
	return [
		...unwrap([...ring.slice(start, -1), ...ring.slice(0, start)]),
		[lon + 360, lat],
		[lon + 360, -90],
		[lon, -90],
	];
}

/** @param {number[][]} ring */
function flatten(ring) {
	const jumps = ring.filter((position, index) => index > 0 && isJump(ring[index - 1], position));
	return jumps.length % 2 === 0 ? unwrap(ring) : openAtPole(ring);
}

/** Projected, rounded, without repeats, each point as its distance from the one before. @param {number[][]} line @param {number} size */
function encodeLine(line, size) {
	/** @type {number[]} */
	const encoded = [];
	let [lastX, lastY] = [0, 0];
	for (const position of line) {
		const [x, y] = project(position, size);
		if (encoded.length > 0 && x === lastX && y === lastY) continue;
		encoded.push(x - lastX, y - lastY);
		[lastX, lastY] = [x, y];
	}
	return encoded;
}

/** @param {string} name @param {number[][][]} lines @param {number} minPoints @param {number} [size] */
async function writeLines(name, lines, minPoints, size = WORLD_SIZE) {
	const encoded = lines.map((line) => encodeLine(line, size)).filter((line) => line.length >= 2 * minPoints);
	await writeFile(join(VENDOR, name), `${JSON.stringify({ size, lines: encoded })}\n`);
}

/** Outlines of the land of an atlas. @param {string} name @returns {Promise<number[][][]>} */
async function readLand(name) {
	const land = await readAtlas(name);
	/** @type {any} */
	const shapes = feature(land, land.objects.land);
	return shapes.features
		.flatMap((/** @type {any} */ { geometry }) => geometry.coordinates.flat())
		.filter((/** @type {number[][]} */ ring) => ring.some(([, lat]) => lat > SOUTH_EDGE))
		.map(flatten);
}

async function buildBaseMap() {
	await writeLines("land.json", await readLand("land-50m.json"), 4);
	await writeLines("land-coarse.json", await readLand("land-110m.json"), 4, COARSE_SIZE);

	const world = await readAtlas("countries-50m.json");
	const between = mesh(world, world.objects.countries, (one, other) => one !== other);
	await writeLines("borders.json", between.coordinates.map(unwrap), 2);
	await cp(join(PACKAGES, "world-atlas", "LICENSE"), join(VENDOR, "world-atlas.LICENSE.txt"));
}

await rm(VENDOR, { recursive: true, force: true });
await mkdir(VENDOR, { recursive: true });
await Promise.all([...LIBRARIES.map(buildLibrary), buildBaseMap()]);
