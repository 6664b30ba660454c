/**
 * Shapefiles, as they are in a ZIP file: outlines, their coordinate system, a table of their properties. Coordinates become
 * longitude and latitude; where it is not known how, nothing is read, as the shapes would lie somewhere else.
 *
 * @typedef {import("../shapes/earth.js").Position} Position
 */
import { parseDbf, parseShp, proj4 } from "../../vendor/shpjs.js";
import { AreaFault, tidyName } from "./faults.js";

/** Of WGS 84; GRS 80, on which ETRS89, NAD83 and others are built, is the same to a tenth of a millimetre. */
const [EQUATOR_M, FLATTENING, SAME] = [6378137, 298.2572, 0.001];

/** A coordinate system that only the server knows, perhaps. */
export class UnknownSystem extends AreaFault {}

/** @param {Record<string, Uint8Array>} files of the ZIP file, by name @returns {any[]} features of GeoJSON */
export function readShapefiles(files) {
	const byName = new Map(Object.entries(files).map(([name, bytes]) => [name.toLowerCase(), bytes]));
	return [...byName.keys()]
		.filter((name) => name.endsWith(".shp"))
		.flatMap((name) => readShapefile((ending) => byName.get(name.slice(0, -3) + ending)));
}

/** @param {(ending: string) => Uint8Array | undefined} fileOf */
function readShapefile(fileOf) {
	const [table, words] = [fileOf("dbf"), fileOf("cpg") ?? fileOf("cst")];
	const inverse = readSystem(fileOf("prj"));
	try {
		const shapes = parseShp(/** @type {Uint8Array} */ (fileOf("shp")));
		const rows = table ? parseDbf(table, words && new TextDecoder().decode(words).trim()) : [];
		return shapes.map((/** @type {any} */ shape, /** @type {number} */ index) => ({
			type: "Feature",
			properties: rows[index] ?? {},
			geometry: shape && {
				type: shape.type,
				coordinates: inverse ? toDegrees(shape.coordinates, inverse) : shape.coordinates,
			},
		}));
	} catch (error) {
		throw new AreaFault("areas.fault.shapefile", { why: /** @type {Error} */ (error).message });
	}
}

/** What turns coordinates into those of WGS 84, where the library does that rightly: its own table of older datums puts Belgium 180 m beside. @param {Uint8Array | undefined} file @returns {((position: Position) => Position) | null} null where they are */
function readSystem(file) {
	if (!file) throw new AreaFault("areas.fault.noPrj");
	const prj = new TextDecoder().decode(file).trim();
	try {
		const { a, rf, projName } = /** @type {any} */ (new proj4.Proj(prj));
		const isWorld = Math.abs(a - EQUATOR_M) < SAME && Math.abs(rf - FLATTENING) < SAME;
		if (isWorld) return projName === "longlat" ? null : proj4(prj).inverse;
	} catch {
		// It is told below, by its name.
	}
	throw new UnknownSystem("areas.fault.crs", { crs: tidyName(/"([^"]*)"/.exec(prj)?.[1] ?? prj) });
}

/**
 * Positions in lists of lists. What jumps at 180 degrees, where projections end, goes on beyond: each part from the position before it.
 * @param {any} coordinates @param {(position: Position) => Position} inverse @returns {any}
 */
function toDegrees(coordinates, inverse) {
	/** @type {number | undefined} */
	let before;
	const walk = (/** @type {any} */ each) => {
		if (Array.isArray(each[0])) return each.map(walk);
		const [lon, lat] = inverse(each.slice(0, 2));
		before = lon + 360 * Math.round(((before ?? lon) - lon) / 360);
		return [before, lat];
	};
	return walk(coordinates);
}
