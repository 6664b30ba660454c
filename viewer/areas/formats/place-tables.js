/**
 * Areas as tables: areas in a column of well-known text, positions in columns of latitude and longitude, and series
 * that were measured at places; pure.
 *
 * @typedef {import("./read-geojson.js").Findings} Findings
 * @typedef {import("./read-geojson.js").Source} Source
 * @typedef {import("./write-files.js").Named} Named
 */
import { text } from "../../base/text.js";
import { hectaresOf } from "../shapes/geometry.js";
import { formatCsv, PLACE_NAME, parseCsv, plainName, readNumber } from "./csv.js";
import { AreaFault, tidyName } from "./faults.js";
import { readMeasured } from "./measured.js";
import { collect } from "./read-geojson.js";
import { formatWkt, parseWkt } from "./wkt.js";

const GEOMETRY = /^(geometry|wkt|thegeom|geom)$/;
/** In the viewer's languages; `x` and `y` may be in any coordinate system, and "Breite" and "Länge" may be metres. */
const LATITUDE = /^(lat|latitude?|breitengrad|geogr?breite|breedtegraad)(deg|dd|wgs84?|4326)?$/;
const LONGITUDE = /^(lon|lng|long|longitude?|langengrad|geogr?lange|lengtegraad)(deg|dd|wgs84?|4326)?$/;

/**
 * Reads areas from a table, such as an export of the chart, or series from a table without geometry. Several rows with
 * one name and different dates are one area.
 * @param {string} source @returns {Findings}
 */
export function readTable(source) {
	const [head, ...rows] = parseCsv(source);
	const columns = head?.cells.map(plainName) ?? [];
	const columnOf = (/** @type {RegExp} */ names) => columns.findIndex((name) => names.test(name));
	const [geometryAt, latAt, lonAt] = [GEOMETRY, LATITUDE, LONGITUDE].map(columnOf);
	const hasPositions = latAt >= 0 && lonAt >= 0;
	if (geometryAt < 0 && !hasPositions)
		return { areas: [], leftOut: [], measured: readMeasured(head?.cells ?? [], rows) };
	const [idAt, nameAt] = [columns.indexOf("id"), columnOf(PLACE_NAME)];
	/** @type {Map<string, Source>} */
	const sources = new Map();
	for (const { line, cells } of rows) {
		const [id = "", name = "", ...place] = [idAt, nameAt, geometryAt, latAt, lonAt].map((at) => cells[at]);
		const key = JSON.stringify([id, name, place]);
		if (sources.has(key)) continue;
		const where = text("areas.fault.line", { number: line });
		const geometry =
			geometryAt < 0 ? readPosition(cells[latAt], cells[lonAt], where) : readShape(place[0] ?? "", where);
		sources.set(key, { geometry, name: tidyName(name || id), where });
	}
	return collect([...sources.values()]);
}

/** @param {string | undefined} lat @param {string | undefined} lon @param {string} where */
function readPosition(lat = "", lon = "", where) {
	if (lat.trim() === "" && lon.trim() === "") return null;
	const coordinates = [lon, lat].map(readNumber);
	if (coordinates.some(Number.isNaN)) throw new AreaFault("areas.fault.offEarth", { where, place: `${lat} ${lon}` });
	return { type: "Point", coordinates };
}

/** @param {string} written @param {string} where */
function readShape(written, where) {
	try {
		return { type: "GeometryCollection", geometries: parseWkt(written) };
	} catch (error) {
		throw new AreaFault("areas.fault.inLine", { where, why: /** @type {Error} */ (error).message });
	}
}

/**
 * Returns a table with the columns id, name, geometry (well-known text) and hectares. Hectares are empty for points and
 * self-intersecting outlines.
 * @param {Named[]} areas
 */
export const formatTable = (areas) =>
	formatCsv([
		["id", "name", "geometry", "hectares"],
		...areas.map(({ id, name, geometry }) => {
			const hectares = hectaresOf(geometry);
			return [id, name, formatWkt(geometry), hectares && Number(hectares.toFixed(4))];
		}),
	]);
