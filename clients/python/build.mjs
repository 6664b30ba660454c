/**
 * Makes the JavaScript and the style sheet of the client's `Map` from the viewer's own modules:
 * `node clients/python/build.mjs [FOLDER]`; without FOLDER, into the folder of the Python module.
 */
import { cp, mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { COMMON, REPOSITORY } from "../js/bundling.mjs";

const FOLDER = resolve(process.argv[2] ?? join(REPOSITORY, "clients/python/src/chronotile_client/widget"));

await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER, { recursive: true });
const entryPoints = [join(REPOSITORY, "clients/python/widget/map.js")];
// The npm package states side effects for its dist/ only.
await build({ ...COMMON, entryPoints, ignoreAnnotations: true, outdir: FOLDER });
await build({
	bundle: true,
	entryPoints: [join(REPOSITORY, "clients/python/widget/map.css")],
	loader: { ".png": "dataurl" },
	minify: true,
	outdir: FOLDER,
});
await cp(join(REPOSITORY, "node_modules/leaflet/LICENSE"), join(FOLDER, "leaflet.LICENSE.txt"));
