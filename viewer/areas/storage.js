/**
 * Areas that the browser keeps between visits, as one GeoJSON document.
 *
 * @typedef {import("../base/state.js").Geometry} Geometry
 * @typedef {{ id: string, name: string, geometry: Geometry }} Stored
 */
import { jsonOf, readStored, store } from "../base/stored.js";
import { tidyName } from "./formats/faults.js";
import { collect, sourcesOf } from "./formats/read-geojson.js";
import { formatGeoJson } from "./formats/write-files.js";

export const STORAGE_KEY = "chronotile.areas";
/** Browsers allow a site about five million characters; other parts of the viewer need some too. */
const MAX_LENGTH = 3_000_000;
const ID = /^area-\d{1,15}$/;

/** @param {string | null} source as stored; damaged entries are skipped @returns {Stored[]} */
export function parseStored(source) {
	const document = jsonOf(source ?? "");
	const features = Array.isArray(document?.features) ? document.features : [];
	const ids = new Set();
	return features.flatMap((/** @type {any} */ feature) => {
		const id = feature?.id;
		if (!ID.test(String(id)) || ids.has(id)) return [];
		ids.add(id);
		const geometry = readGeometry(feature);
		return geometry ? [{ id: String(id), name: tidyName(feature.properties?.name), geometry }] : [];
	});
}

/** @param {unknown} feature @returns {Geometry | null} */
function readGeometry(feature) {
	try {
		return collect(sourcesOf(feature)).areas[0].geometry;
	} catch {
		return null;
	}
}

/** Returns the stored areas; empty if the browser has no storage. */
export const loadAreas = () => parseStored(readStored(STORAGE_KEY));

/**
 * Replaces the stored areas; an empty list removes the entry.
 * @param {Stored[]} areas
 * @returns {boolean} false if there is not enough space
 */
export function storeAreas(areas) {
	const written = areas.length === 0 ? null : formatGeoJson(areas);
	return (written?.length ?? 0) <= MAX_LENGTH && store(STORAGE_KEY, written);
}
