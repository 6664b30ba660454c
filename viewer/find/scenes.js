/**
 * Items of the catalogue for the panel, and the searches that find them; pure. Items come from other servers: members
 * of an unexpected form are ignored.
 *
 * @typedef {import("../areas/shapes/earth.js").Position} Position
 * @typedef {import("../base/api.js").Parameters} Parameters
 * @typedef {import("../base/dates.js").Instant} Instant
 * @typedef {import("../base/permalink.js").BBox} BBox
 * @typedef {{ collection: string, bbox: BBox, from: string, to: string, maxCloud: number }} Question `from` and `to`
 *   are
 *   days, or empty
 * @typedef {{
 *   id: string, ms: number, date: string, solarDay: number, name: string | null, cloud: number | null, thumbnail:
 *     string | null,
 *   hasFiles: boolean, polygons: Position[][][],
 * }} Scene `date` is RFC 3339; `solarDay` is midnight UTC of the solar day at the centre of its box;
 *   `name` is null if the id only repeats the date; `cloud` is a share from 0 to 1
 * @typedef {(href: string) => string | null} OwnAddress
 */
import { DAY_MS, isWithin } from "../base/dates.js";
import { bboxText } from "../export/addresses.js";

export const PAGE_ITEMS = 20;
/** A limit that accepts all items. */
export const ANY_CLOUD = 100;
const FIELDS =
	"id,collection,bbox,geometry,assets,properties.datetime,properties.start_datetime,properties.eo:cloud_cover";
/** A footprint with more vertices is drawn as its box. */
const MAX_CORNERS = 2000;
/** Matches ids that are dates, as in folders and cubes. */
const DATE_ID = /^\d{4}-?\d\d-?\d\d(T[\d:.]+Z?)?$/;

/**
 * Returns the parameters for the STAC API.
 * @param {Question} question
 * @param {string | null} cursor of the previous page
 * @returns {Parameters}
 */
export const searchOf = ({ collection, bbox, from, to, maxCloud }, cursor) => ({
	collections: collection,
	bbox: bboxText(bbox),
	datetime: from || to ? `${from ? `${from}T00:00:00Z` : ".."}/${to ? `${to}T23:59:59.999Z` : ".."}` : null,
	filter: maxCloud < ANY_CLOUD ? `eo:cloud_cover <= ${maxCloud}` : null,
	fields: FIELDS,
	limit: PAGE_ITEMS,
	cursor,
});

/**
 * Returns the items of a page that have an id and a time.
 * @param {unknown[]} features
 * @param {OwnAddress} ownAddress
 * @returns {Scene[]}
 */
export const scenesOf = (features, ownAddress) =>
	features.map((feature) => sceneOf(feature, ownAddress)).filter((scene) => scene !== null);

/** @param {any} feature @param {OwnAddress} ownAddress @returns {Scene | null} */
function sceneOf(feature, ownAddress) {
	const { id, properties, assets, geometry, bbox } = feature ?? {};
	const ms = Date.parse(properties?.datetime ?? properties?.start_datetime);
	if (typeof id !== "string" || Number.isNaN(ms)) return null;
	const cloud = properties["eo:cloud_cover"];
	const { thumbnail, ...others } = /** @type {Record<string, any>} */ (assets ?? {});
	const addressOf = (/** @type {any} */ asset) => (typeof asset?.href === "string" ? ownAddress(asset.href) : null);
	return {
		id,
		ms,
		date: new Date(ms).toISOString(),
		solarDay: solarDayOf(ms, boxOf(bbox)),
		name: DATE_ID.test(id) ? null : id,
		cloud: typeof cloud === "number" && cloud >= 0 && cloud <= 100 ? cloud / 100 : null,
		thumbnail: addressOf(thumbnail),
		hasFiles: Object.values(others).some((asset) => addressOf(asset)?.includes("/products/")),
		polygons: footprintOf(geometry, bbox),
	};
}

/** Returns the solar day like the server: 15 degrees are an hour. @param {number} ms @param {BBox | null} box */
function solarDayOf(ms, box) {
	if (!box) return Number.NaN;
	const [west, , eastEdge] = box;
	const east = eastEdge < west ? eastEdge + 360 : eastEdge;
	return Math.floor((ms + Math.round(((west + east) / 2 / 15) * 3600) * 1000) / DAY_MS) * DAY_MS;
}

/**
 * Returns the index of the date with a scene, by its instant, its solar day or a period; -1 if there is none.
 * @param {Instant[]} instants
 * @param {Scene} scene
 */
export function indexOfScene(instants, { ms, solarDay }) {
	const same = instants.findIndex((each) => each.ms === ms);
	if (same >= 0) return same;
	const day = instants.findIndex((each) => each.ms === solarDay);
	return day >= 0 ? day : instants.findIndex((each) => isWithin(each, ms));
}

/**
 * Returns the polygons of an item, each a list of rings; longitudes continue beyond 180 degrees. Other geometries and
 * polygons with very many vertices become a box.
 * @param {any} geometry @param {unknown} bbox @returns {Position[][][]}
 */
export function footprintOf(geometry, bbox) {
	const box = boxOf(bbox);
	const { type, coordinates } = geometry ?? {};
	const parts = type === "Polygon" ? [coordinates] : type === "MultiPolygon" ? coordinates : [];
	const isDrawable = isPolygons(parts) && parts.flat(2).length <= MAX_CORNERS;
	if (!isDrawable) return box ? [[boxRing(box)]] : [];
	return box && box[0] > box[2] ? parts.map((rings) => rings.map(unwind)) : parts;
}

/** @param {unknown} value @returns {value is Position[][][]} */
const isPolygons = (value) =>
	isList(value, (polygon) => isList(polygon, (ring) => isList(ring, (position) => isList(position, Number.isFinite))));

/** @param {unknown} value @param {(each: unknown) => boolean} isOf */
const isList = (value, isOf) => Array.isArray(value) && value.length > 0 && value.every(isOf);

/** Returns west, south, east, north of a box, without heights. @param {unknown} bbox @returns {BBox | null} */
function boxOf(bbox) {
	if (!Array.isArray(bbox) || ![4, 6].includes(bbox.length) || !bbox.every(Number.isFinite)) return null;
	const half = bbox.length / 2;
	return [bbox[0], bbox[1], bbox[half], bbox[half + 1]];
}

/** @param {BBox} box @returns {Position[]} */
function boxRing([west, south, eastEdge, north]) {
	const east = eastEdge < west ? eastEdge + 360 : eastEdge;
	return [
		[west, south],
		[east, south],
		[east, north],
		[west, north],
		[west, south],
	];
}

/** Returns a ring without steps back across 180 degrees. @param {Position[]} ring @returns {Position[]} */
function unwind(ring) {
	let turn = 0;
	return ring.map(([lon, lat], at) => {
		const step = at === 0 ? 0 : lon - ring[at - 1][0];
		if (Math.abs(step) > 180) turn -= 360 * Math.sign(step);
		return [lon + turn, lat];
	});
}

/**
 * Returns the lines of a ring without its edges along 180 degrees, where the shape is cut and continues on the other
 * side.
 * @param {Position[]} ring @returns {Position[][]}
 */
export function linesOf(ring) {
	/** @type {Position[][]} */
	const lines = [];
	for (const [at, position] of ring.entries()) {
		if (at === 0 || isAtCut(position, ring[at - 1])) lines.push([position]);
		else lines[lines.length - 1].push(position);
	}
	return lines.filter(({ length }) => length > 1);
}

/** @param {Position} position @param {Position} before the previous vertex */
const isAtCut = ([lon], [lonBefore]) => lon === lonBefore && Math.abs(lon) === 180;
