/**
 * Reads areas from usual files: GeoJSON, KML and KMZ, GPX, well-known text, and tables with a column of it or with
 * positions; the server reads shapefiles and GeoPackage. The content determines the format, because names of files are
 * often wrong.
 *
 * @typedef {import("./read-geojson.js").Findings} Findings
 * @typedef {import("./read-geojson.js").Source} Source
 * @typedef {(file: Blob) => Promise<unknown>} AskServer returns GeoJSON for formats that are not read here
 */
import { text } from "../../base/text.js";
import { distance, lineLength } from "../shapes/earth.js";
import { AreaFault, FILE_LIMITS } from "./faults.js";
import { readTable } from "./place-tables.js";
import { collect, readGeoJson, sourcesOf } from "./read-geojson.js";
import { isWkt, parseWkt } from "./wkt.js";
import { checkXml } from "./xml.js";

/** First characters of a ZIP file, such as a KMZ, and of a GeoPackage. */
const [ZIP, GEOPACKAGE] = ["PK", "SQLite format 3"];
const UNPACKED = /\.(kml|shp)$/i;
/** A GPX track outlines an area if it ends this close to its start, or within this share of its length. */
const [CLOSED_M, CLOSED_SHARE] = [20, 0.05];

/** @param {File} file @param {AskServer} askServer @returns {Promise<Findings>} */
export async function readFile(file, askServer) {
	if (file.size > FILE_LIMITS.bytes) throw tooLarge(FILE_LIMITS.bytes);
	const bytes = new Uint8Array(await file.arrayBuffer());
	const start = String.fromCharCode(...bytes.subarray(0, GEOPACKAGE.length));
	if (start.startsWith(ZIP)) return readZip(bytes, askServer);
	return start === GEOPACKAGE ? askShapes(bytes, "application/geopackage+sqlite3", askServer) : readText(toText(bytes));
}

/** @param {number} limit */
const tooLarge = (limit) => new AreaFault("areas.fault.tooLarge", { limit: limit / 1e6 });

/** @param {Uint8Array<ArrayBuffer>} bytes @param {string} type @param {AskServer} askServer */
async function askShapes(bytes, type, askServer) {
	const found = await askServer(new Blob([bytes], { type })).catch((error) => {
		throw new AreaFault("areas.fault.server", { why: error.message });
	});
	return collect(sourcesOf(found));
}

/** @param {Uint8Array} bytes */
function toText(bytes) {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new AreaFault("areas.fault.encoding");
	}
}

/** @param {string} source of a file or from the clipboard @returns {Promise<Findings>} */
export async function readText(source) {
	const start = source.trimStart();
	if (start === "") throw new AreaFault("areas.fault.empty");
	if (start.startsWith("{") || start.startsWith("[")) return readGeoJson(source);
	if (start.startsWith("<")) return readXml(source);
	return isWkt(source) ? readWkt(source) : readTable(source);
}

/** @param {string} source @returns {Findings} */
function readWkt(source) {
	const whereAt = (/** @type {number} */ index) => text("areas.fault.feature", { number: index + 1 });
	return collect(parseWkt(source).map((geometry, index) => ({ geometry, name: "", where: whereAt(index) })));
}

/**
 * The shapefiles of a ZIP file, or the first KML file of a KMZ (OGC 12-007r2 §7.3).
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {AskServer} askServer
 */
async function readZip(bytes, askServer) {
	const files = await unpack(bytes);
	const find = (/** @type {string} */ ending) => Object.keys(files).find((name) => name.toLowerCase().endsWith(ending));
	if (find(".shp")) return askShapes(bytes, "application/zip", askServer);
	const kml = find(".kml");
	if (kml === undefined) throw new AreaFault("areas.fault.noShapes");
	return readXml(toText(files[kml]));
}

/** @param {Uint8Array} bytes */
async function unpack(bytes) {
	const { unzipSync } = await import("../../vendor/fflate.js");
	let size = 0;
	/** @type {Record<string, Uint8Array>} */
	let files = {};
	try {
		files = unzipSync(bytes, {
			filter: ({ name, originalSize }) => {
				if (!UNPACKED.test(name) || name.includes("__MACOSX")) return false;
				size += originalSize;
				return size <= FILE_LIMITS.unpackedBytes;
			},
		});
	} catch {
		throw new AreaFault("areas.fault.zip");
	}
	if (size > FILE_LIMITS.unpackedBytes) throw tooLarge(FILE_LIMITS.unpackedBytes);
	return files;
}

/** @param {string} source of KML or GPX @returns {Promise<Findings>} */
async function readXml(source) {
	// Nested entities can exhaust the memory; neither format needs them.
	if (/<!(DOCTYPE|ENTITY)/i.test(source)) throw new AreaFault("areas.fault.doctype");
	checkXml(source);
	const document = new DOMParser().parseFromString(source, "application/xml");
	const kind = document.documentElement.localName.toLowerCase();
	if (kind !== "kml" && kind !== "gpx") throw new AreaFault("areas.fault.kml");
	const { gpx, kml } = await import("../../vendor/togeojson.js");
	const sources = sourcesOf(kind === "kml" ? kml(document) : gpx(document));
	return collect(kind === "kml" ? sources : sources.map(closeTrack));
}

/** A track around an area becomes that area. @param {Source} source */
function closeTrack(source) {
	const { type, coordinates } = /** @type {any} */ (source.geometry ?? {});
	if (type !== "LineString" || coordinates.length < 4) return source;
	const gap = distance(coordinates[0], coordinates.at(-1));
	const isClosed = gap <= Math.max(CLOSED_M, CLOSED_SHARE * lineLength(coordinates));
	return isClosed ? { ...source, geometry: { type: "Polygon", coordinates: [coordinates] } } : source;
}
