/** Bundling of the viewer's modules, for the npm package and for the widget of notebooks. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const REPOSITORY = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const WORKER = join(REPOSITORY, "viewer/ctc1/worker.js");

/** Npm packages of libraries that the viewer has as files. @type {Record<string, string>} */
const PACKAGES = { leaflet: "leaflet/dist/leaflet-src.esm.js", "signals-core": "@preact/signals-core" };

/** Bundles the worker with its imports as text, and takes libraries from npm instead of the viewer's files. @type {import("esbuild").Plugin} */
const fromViewer = {
	name: "from-viewer",
	setup(of) {
		of.onResolve({ filter: /^text:worker$/ }, () => ({ path: WORKER, namespace: "text" }));
		of.onLoad({ filter: /.*/, namespace: "text" }, async () => {
			const { outputFiles } = await build({ ...COMMON, plugins: [], entryPoints: [WORKER], write: false });
			return { contents: outputFiles[0].text, loader: "text", watchFiles: [WORKER] };
		});
		of.onResolve({ filter: /\/vendor\/(leaflet|signals-core)\.js$/ }, ({ path }) => {
			const name = /([a-z-]+)\.js$/.exec(path)?.[1] ?? "";
			return of.resolve(PACKAGES[name], { kind: "import-statement", resolveDir: REPOSITORY });
		});
	},
};

/** @type {import("esbuild").BuildOptions} */
export const COMMON = {
	bundle: true,
	format: "esm",
	legalComments: "inline",
	loader: { ".css": "text" },
	logLevel: "warning",
	minify: true,
	plugins: [fromViewer],
	target: "es2022",
};
