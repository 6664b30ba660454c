/**
 * Areas out of files that people have: GeoJSON, KML and KMZ, well-known text, and tables with a column of it. What a
 * file is, its content tells; names of files often do not.
 *
 * @typedef {import("./read-geojson.js").Findings} Findings
 * @typedef {import("./read-geojson.js").Source} Source
 */
import { text } from "../../base/text.js";
import { parseCsv } from "./csv.js";
import { AreaFault, LIMITS, tidyName } from "./faults.js";
import { collect, readGeoJson, sourcesOf } from "./read-geojson.js";
import { isWkt, parseWkt } from "./wkt.js";
import { checkXml } from "./xml.js";

const GEOMETRY_COLUMNS = ["geometry", "wkt", "the_geom", "geom"];
/** What a ZIP file begins with, and a KMZ is one. */
const ZIP = [0x50, 0x4b];

/** @param {File} file @returns {Promise<Findings>} */
export async function readFile(file) {
	if (file.size > LIMITS.bytes) throw tooLarge();
	const bytes = new Uint8Array(await file.arrayBuffer());
	const isZip = ZIP.every((byte, index) => bytes[index] === byte);
	return isZip ? readKml(toText(await unpackKml(bytes))) : readText(toText(bytes));
}

const tooLarge = () => new AreaFault("areas.fault.tooLarge", { limit: LIMITS.bytes / 1e6 });

/** @param {Uint8Array} bytes */
function toText(bytes) {
	try {
		return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
	} catch {
		throw new AreaFault("areas.fault.encoding");
	}
}

/** @param {string} source of a file, or as it was pasted @returns {Promise<Findings>} */
export async function readText(source) {
	const start = source.trimStart();
	if (start === "") throw new AreaFault("areas.fault.empty");
	if (start.startsWith("{") || start.startsWith("[")) return readGeoJson(source);
	if (start.startsWith("<")) return readKml(source);
	return isWkt(source) ? readWkt(source) : readTable(source);
}

/** @param {string} source @returns {Findings} */
function readWkt(source) {
	const geometries = parseWkt(source);
	return collect(
		geometries.map((geometry, index) => ({
			geometry,
			name: "",
			where: text("areas.fault.feature", { number: index + 1 }),
		})),
	);
}

/**
 * A table with a column of well-known text, such as the one the chart gives: what has several rows, one a date, is one area.
 * @param {string} source @returns {Findings}
 */
function readTable(source) {
	const [head, ...rows] = parseCsv(source);
	const columns = head?.cells.map((name) => name.trim().toLowerCase()) ?? [];
	const geometryAt = columns.findIndex((name) => GEOMETRY_COLUMNS.includes(name));
	if (geometryAt < 0) throw new AreaFault("areas.fault.unknown");
	const [idAt, nameAt] = [columns.indexOf("id"), columns.indexOf("name")];
	/** @type {Map<string, Source>} */
	const sources = new Map();
	for (const { line, cells } of rows) {
		const [written, id = "", name = ""] = [geometryAt, idAt, nameAt].map((at) => cells[at]);
		const key = JSON.stringify([id, name, written]);
		if (!sources.has(key)) sources.set(key, readRow(line, written ?? "", tidyName(name || id)));
	}
	return collect([...sources.values()]);
}

/** @param {number} line @param {string} written @param {string} name @returns {Source} */
function readRow(line, written, name) {
	const where = text("areas.fault.line", { number: line });
	try {
		const geometries = parseWkt(written);
		return { geometry: { type: "GeometryCollection", geometries }, name, where };
	} catch (error) {
		throw new AreaFault("areas.fault.inLine", { where, why: /** @type {Error} */ (error).message });
	}
}

/** The first KML file of a KMZ (OGC 12-007r2 §7.3). @param {Uint8Array} bytes */
async function unpackKml(bytes) {
	const { unzipSync } = await import("../../vendor/fflate.js");
	let isTooLarge = false;
	/** @type {Record<string, Uint8Array>} */
	let files;
	try {
		files = unzipSync(bytes, {
			filter: ({ name, originalSize }) => {
				if (!name.toLowerCase().endsWith(".kml")) return false;
				isTooLarge ||= originalSize > LIMITS.bytes;
				return !isTooLarge;
			},
		});
	} catch {
		throw new AreaFault("areas.fault.zip");
	}
	if (isTooLarge) throw tooLarge();
	const [kml] = Object.values(files);
	if (!kml) throw new AreaFault("areas.fault.noKml");
	return kml;
}

/** @param {string} source @returns {Promise<Findings>} */
async function readKml(source) {
	// Entities that name one another can fill the memory; KML needs none.
	if (/<!(DOCTYPE|ENTITY)/i.test(source)) throw new AreaFault("areas.fault.doctype");
	checkXml(source);
	const document = new DOMParser().parseFromString(source, "application/xml");
	if (document.documentElement.localName.toLowerCase() !== "kml") throw new AreaFault("areas.fault.kml");
	const { kml } = await import("../../vendor/togeojson.js");
	return collect(sourcesOf(kml(document)));
}
