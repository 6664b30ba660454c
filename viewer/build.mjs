/**
 * Makes viewer/vendor/: the libraries the viewer imports, one minified ES module each. Its towns and its ground are
 * made by tools/viewer_data, in Python.
 *
 * Our own modules are never bundled: what runs is what is written. The libraries are, because the browser should not
 * load ten files for one of them. Beside each stand its licence and the types of what we use of it.
 */
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = join(HERE, "..", "node_modules");
const VENDOR = join(HERE, "vendor");

/** @typedef {{
 *   name: string, package?: string, module?: string, exports: string[], css?: string, licence?: string,
 *   within?: string[] }} Library
 * `package` is its name where there is no other, `module` the package; `within` are licences of what it brings along */

/** @type {Library[]} */
const LIBRARIES = [
	{
		name: "leaflet",
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
	{ name: "geographiclib", package: "geographiclib-geodesic", exports: ["Geodesic"], licence: "LICENSE.txt" },
	{
		name: "signals-core",
		package: "@preact/signals-core",
		exports: ["batch", "computed", "effect", "signal", "untracked"],
	},
	{ name: "gifenc", exports: ["GIFEncoder"], licence: "LICENSE.md" },
	{
		name: "mediabunny",
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
	{ name: "togeojson", package: "@tmcw/togeojson", exports: ["gpx", "kml"] },
	{ name: "fflate", exports: ["unzipSync", "zipSync"] },
	{ name: "polyline-codec", package: "@googlemaps/polyline-codec", exports: ["decode", "encode"] },
	{ name: "pbf", exports: ["PbfReader"] },
	{
		name: "vector-tile",
		package: "@mapbox/vector-tile",
		exports: ["VectorTile"],
		licence: "LICENSE.txt",
		within: ["@mapbox/point-geometry/LICENSE"],
	},
	{
		name: "protomaps-leaflet",
		exports: ["leafletLayer"],
		within: ["color2k/LICENSE", "@mapbox/point-geometry/LICENSE"],
	},
	{ name: "mgrs", exports: ["toPoint"], licence: "license.md" },
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
async function buildLibrary({
	name,
	package: owner = name,
	module = owner,
	exports,
	css,
	licence = "LICENSE",
	within = [],
}) {
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

await rm(VENDOR, { recursive: true, force: true });
await mkdir(VENDOR, { recursive: true });
await Promise.all(LIBRARIES.map(buildLibrary));
