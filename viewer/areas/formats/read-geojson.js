/**
 * Reads areas from GeoJSON (RFC 7946) and from the converted content of other formats; pure.
 *
 * @typedef {import("../shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ name: string, geometry: Geometry }} Found
 * @typedef {{ areas: Found[], leftOut: string[], measured?: import("./measured.js").Measured[] }} Findings areas,
 *   reasons of skipped ones, and series of a table
 * @typedef {{ geometry: unknown, name: string, where: string }} Source a geometry as read, and its place in words
 */
import { text } from "../../base/text.js";
import { countCorners, geometryOf, tidyPolygon, toFirstTurn } from "../shapes/geometry.js";
import { AreaFault, FILE_LIMITS, tidyName } from "./faults.js";

/** Properties that may hold a name, the best first. */
const NAME_KEYS = ["name", "title", "label", "naam", "nom", "id"];
/** Names of longitude and latitude on WGS 84 in the `crs` member of GeoJSON before RFC 7946. */
const LON_LAT = /(^|:)(CRS84h?|4326|4979)$|^WGS ?84$/i;
const MAX_DEPTH = 8;
/** Longitudes may go on beyond 180 degrees. */
const MAX_LON = 540;

/** @param {unknown} value @returns {Record<string, unknown>} */
const members = (value) => /** @type {any} */ (typeof value === "object" && value !== null ? value : {});

/** @param {string} source */
function parseJson(source) {
	try {
		return JSON.parse(source);
	} catch (error) {
		const message = /** @type {Error} */ (error).message;
		const position = /position (\d+)/.exec(message)?.[1];
		const line = position
			? source.slice(0, Number(position)).split("\n").length
			: Number(/line (\d+)/.exec(message)?.[1] ?? source.split("\n").length);
		throw new AreaFault("areas.fault.json", { line });
	}
}

/** @param {string} source @returns {Findings} */
export function readGeoJson(source) {
	const document = members(parseJson(source));
	const crs = members(members(document.crs).properties).name;
	if (crs !== undefined && !LON_LAT.test(String(crs))) throw new AreaFault("areas.fault.crs", { crs: tidyName(crs) });
	return collect(sourcesOf(document));
}

/** The geometries of a FeatureCollection, a Feature or a geometry. @param {unknown} document @returns {Source[]} */
export function sourcesOf(document) {
	const { type, features, geometry } = members(document);
	if (type === "FeatureCollection" && Array.isArray(features)) {
		return features.map((feature, index) => ({
			geometry: members(feature).geometry,
			name: nameOf(feature),
			where: text("areas.fault.feature", { number: index + 1 }),
		}));
	}
	if (type === "Feature") return [{ geometry, name: nameOf(document), where: text("areas.fault.theFeature") }];
	return [{ geometry: document, name: "", where: text("areas.fault.theGeometry") }];
}

/** @param {unknown} feature */
function nameOf(feature) {
	const { id, properties } = members(feature);
	const byKey = new Map(Object.entries(members(properties)).map(([key, value]) => [key.toLowerCase(), value]));
	const found = NAME_KEYS.map((key) => tidyName(byKey.get(key))).find((name) => name !== "");
	return found ?? tidyName(id);
}

/**
 * Returns all points and polygons of the sources.
 * @param {Source[]} sources
 * @throws {AreaFault} if there are none or too many, or coordinates are no longitude and latitude
 */
export function collect(sources) {
	/** @type {Findings} */
	const findings = { areas: [], leftOut: [] };
	for (const { geometry, name, where } of sources) {
		const flat = flatten(geometry, where, 0);
		const geometries = flat.flatMap((each) => toGeometries(each, where));
		findings.areas.push(...geometries.map((each) => ({ name, geometry: each })));
		if (geometries.length === 0) {
			const hasLines = flat.some(({ type }) => String(type).includes("LineString"));
			findings.leftOut.push(text(hasLines ? "areas.leftOut.line" : "areas.leftOut.empty", { where }));
		}
	}
	if (findings.areas.length === 0) throw new AreaFault("areas.fault.none", { why: findings.leftOut[0] ?? "" });
	checkLimits(findings.areas);
	return findings;
}

/** @param {Found[]} areas */
function checkLimits(areas) {
	if (areas.length > FILE_LIMITS.shapes) {
		throw new AreaFault("areas.fault.tooMany", { count: areas.length, limit: FILE_LIMITS.shapes });
	}
	const counts = areas.map(({ geometry }) => countCorners(geometry));
	const total = counts.reduce((sum, count) => sum + count, 0);
	const { corners: limit } = FILE_LIMITS;
	if (total > limit) throw new AreaFault("areas.fault.tooFine", { count: total, limit });
}

/**
 * The geometries of a collection, one by one.
 * @param {unknown} geometry
 * @param {string} where
 * @param {number} depth
 * @returns {Record<string, unknown>[]}
 */
function flatten(geometry, where, depth) {
	const { type, geometries } = members(geometry);
	if (geometry === null || geometry === undefined) return [];
	if (type !== "GeometryCollection") return [members(geometry)];
	if (!Array.isArray(geometries) || depth > MAX_DEPTH) throw new AreaFault("areas.fault.geometry", { where });
	return geometries.flatMap((each) => flatten(each, where, depth + 1));
}

/** @param {Record<string, unknown>} geometry @param {string} where @returns {Geometry[]} */
function toGeometries({ type, coordinates }, where) {
	const all = type === "Point" || type === "Polygon" ? [coordinates] : coordinates;
	if (type === "Point" || type === "MultiPoint") {
		const positions = /** @type {Position[]} */ (readNested(all, 1, where));
		return positions.map((position) => ({ type: "Point", coordinates: toFirstTurn([[position]])[0][0] }));
	}
	if (type === "Polygon" || type === "MultiPolygon") return toPolygon(/** @type {any} */ (readNested(all, 3, where)));
	if (String(type).endsWith("LineString")) return [];
	throw new AreaFault("areas.fault.geometry", { where });
}

/** @param {Position[][][]} polygons @returns {Geometry[]} empty if no polygon has an area */
function toPolygon(polygons) {
	const tidy = polygons
		.map(tidyPolygon)
		.filter((rings) => rings !== null)
		.map(toFirstTurn);
	return tidy.length === 0 ? [] : [geometryOf(tidy)];
}

/**
 * Positions in lists of lists, checked.
 * @param {unknown} list
 * @param {number} depth of the lists
 * @param {string} where
 * @returns {unknown[]}
 */
function readNested(list, depth, where) {
	if (!Array.isArray(list)) throw new AreaFault("areas.fault.geometry", { where });
	return list.map((each) => (depth === 1 ? readPosition(each, where) : readNested(each, depth - 1, where)));
}

/** @param {unknown} position @param {string} where @returns {Position} */
function readPosition(position, where) {
	const [lon, lat] = Array.isArray(position) ? position : [];
	if (!Number.isFinite(lon) || !Number.isFinite(lat)) throw new AreaFault("areas.fault.geometry", { where });
	if (Math.abs(lon) > MAX_LON || Math.abs(lat) > 90) {
		throw new AreaFault("areas.fault.offEarth", { where, place: `${lon}, ${lat}` });
	}
	return [lon, lat];
}
