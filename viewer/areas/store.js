/**
 * The areas of the panel, and their form in links. An area with a chart is also a place of the chart, with the same id.
 *
 * @typedef {import("../base/state.js").Geometry} Geometry
 * @typedef {import("../base/permalink.js").Link} Link
 * @typedef {import("../base/permalink.js").NamedLine} NamedLine
 * @typedef {{ id: string, name: string, geometry: Geometry, isSaved: boolean }} Area an unsaved one came with a link
 */
import { MAX_AREA_TEXT, wrapLon } from "../base/permalink.js";
import {
	dismiss,
	joinLink,
	MAX_PLACES,
	makePlace,
	moveMap,
	notify,
	places,
	removePlace,
	replacePlaces,
	reportUnlinkable,
	view,
} from "../base/state.js";
import { text } from "../base/text.js";
import { batch, effect, signal } from "../vendor/signals-core.js";
import { LIMITS, tidyName } from "./formats/faults.js";
import { decodeGeometry, encodeGeometry } from "./formats/polyline.js";
import { boxOf, countCorners, positionsOf } from "./shapes/geometry.js";
import { loadAreas, parseStored, STORAGE_KEY, storeAreas } from "./storage.js";

const MAX_LINKED = 3;
/** Minimum zoom level when a point is shown. */
const POINT_ZOOM = 13;

export const areas = signal(/** @type {Area[]} */ ([]));
/** Whether the viewer is embedded in another page; it stores nothing then. */
export const isEmbedded = signal(false);
/** Id of the area highlighted on the map while the list is used. */
export const emphasised = signal(/** @type {string | null} */ (null));
/** The area whose corners are being moved: it is drawn with them. */
export const editedId = signal(/** @type {string | null} */ (null));
/** @param {string} id */
export const findArea = (id) => areas.peek().find((area) => area.id === id);

/** Loads the stored areas and those of the link, and keeps both up to date. @param {boolean} embedded */
export function startStore(embedded) {
	isEmbedded.value = embedded;
	if (!embedded) areas.value = loadAreas().map((area) => ({ ...area, isSaved: true }));
	joinLink({ write: writeLink, read: readLink });
	effect(followNames);
	effect(() => {
		reportUnlinkable(linesOf(places.value).left);
	});
	if (!embedded) keepStored();
}

/** Stores saved areas when they change, and adopts changes of other windows. */
function keepStored() {
	let stored = areas.peek();
	effect(() => {
		const saved = areas.value.filter(({ isSaved }) => isSaved);
		if (saved.length === stored.length && saved.every((area, index) => area === stored[index])) return;
		stored = saved;
		if (storeAreas(saved)) dismiss("area storage");
		else notify("area storage", text("areas.storageFull"));
	});
	window.addEventListener("storage", ({ key, newValue }) => {
		if (key !== STORAGE_KEY && key !== null) return;
		stored = parseStored(newValue).map((area) => ({ ...area, isSaved: true }));
		areas.value = [...stored, ...areas.peek().filter(({ isSaved }) => !isSaved)];
	});
}

/** Takes over names that the chart gives to places. */
function followNames() {
	for (const { id, name } of places.value) {
		const area = findArea(id);
		if (area && area.name !== name)
			areas.value = areas.peek().map((each) => (each === area ? { ...area, name } : each));
	}
}

/** A name that no other area has. @param {Geometry} geometry @param {Area[]} others */
function newName({ type }, others) {
	const key = type === "Point" ? "areas.newPoint" : "areas.newArea";
	const names = new Set(others.map(({ name }) => name));
	for (let number = 1; ; number++) {
		const name = text(key, { number });
		if (!names.has(name)) return name;
	}
}

/** @param {Area[]} others */
const nextNumber = (others) => 1 + Math.max(0, ...others.map(({ id }) => Number(id.replace("area-", ""))));

/**
 * Adds areas, first those that get a chart immediately, as far as there is room.
 * @param {{ name: string, geometry: Geometry }[]} found @param {{ isCharted: boolean, isSaved?: boolean }} how
 * @returns {Area[]} the added areas; empty if there would be too many
 */
export function addAreas(found, { isCharted, isSaved = !isEmbedded.peek() }) {
	const all = [...areas.peek()];
	const corners = [...all, ...found].reduce((sum, { geometry }) => sum + countCorners(geometry), 0);
	if (all.length + found.length > LIMITS.areas || corners > LIMITS.corners) {
		notify("areas", text("areas.tooMany", { count: LIMITS.areas, corners: LIMITS.corners }));
		return [];
	}
	const added = found.map(({ name, geometry }) => {
		const area = { id: `area-${nextNumber(all)}`, name: tidyName(name) || newName(geometry, all), geometry, isSaved };
		all.push(area);
		return area;
	});
	batch(() => {
		areas.value = all;
		if (isCharted) for (const { id } of added.slice(0, MAX_PLACES - places.peek().length)) chartArea(id);
	});
	return added;
}

/** Adds an area to the chart. @param {string} id */
export function chartArea(id) {
	const area = findArea(id);
	if (!area || places.peek().some((place) => place.id === id)) return;
	if (places.peek().length >= MAX_PLACES) {
		notify("places", text("places.tooMany", { count: MAX_PLACES }));
		return;
	}
	const { name, geometry, isSaved } = area;
	replacePlaces([...places.peek(), makePlace(geometry, name, { id, isSaved, isKept: true })]);
}

/** @param {string} id @param {Partial<Pick<Area, "name" | "geometry" | "isSaved">>} change */
export function changeArea(id, change) {
	const tidy = change.name === undefined ? change : { ...change, name: tidyName(change.name) };
	if (tidy.name === "") return;
	batch(() => {
		areas.value = areas.peek().map((area) => (area.id === id ? { ...area, ...tidy } : area));
		replacePlaces(places.peek().map((place) => (place.id === id ? { ...place, ...tidy } : place)));
	});
}

/** Removes an area; the message about it offers to undo. @param {string} id */
export function removeArea(id) {
	const [all, area] = [areas.peek(), findArea(id)];
	if (!area) return;
	const [at, wasCharted] = [all.indexOf(area), places.peek().some((place) => place.id === id)];
	batch(() => {
		areas.value = all.filter((each) => each !== area);
		removePlace(id);
	});
	const undo = () => {
		dismiss("areas");
		if (findArea(id)) return;
		areas.value = areas.peek().toSpliced(at, 0, area);
		if (wasCharted) chartArea(id);
	};
	notify("areas", text("areas.removed", { name: area.name }), { label: text("action.undo"), run: undo });
}

/** Takes all areas away, from the browser too. */
export function removeAllAreas() {
	const ids = new Set(areas.peek().map(({ id }) => id));
	batch(() => {
		areas.value = [];
		replacePlaces(places.peek().filter(({ id }) => !ids.has(id)));
	});
	dismiss("areas");
}

/** @param {{ geometry: Geometry }[]} shown */
export function zoomToAreas(shown) {
	const [west, south, east, north] = boxOf(shown.flatMap(({ geometry }) => positionsOf(geometry)));
	if (west === east && south === north) {
		const zoom = Math.max(POINT_ZOOM, view.peek()?.zoom ?? 0);
		moveMap({ view: { lon: wrapLon(west), lat: south, zoom } });
	} else if (east - west >= 360) moveMap({ bbox: [-180, south, 180, north], isHeld: true });
	else moveMap({ bbox: [wrapLon(west), south, wrapLon(east), north], isHeld: true });
}

/**
 * Returns the areas for a link, and those that do not fit into it.
 * @param {{ name: string, geometry: Geometry }[]} shown
 */
function linesOf(shown) {
	/** @type {NamedLine[]} */
	const lines = [];
	/** @type {string[]} */
	const left = [];
	let length = 0;
	for (const { name, geometry } of shown) {
		// Points are in links by themselves.
		if (geometry.type === "Point") continue;
		const line = encodeGeometry(geometry);
		const label = encodeURIComponent(name).replaceAll("~", "%7E");
		const more = (line ?? "").length + label.length + 2;
		if (line === null || lines.length === MAX_LINKED || length + more > MAX_AREA_TEXT) left.push(name);
		else {
			lines.push({ name, line });
			length += more;
		}
	}
	return { lines, left };
}

/** @returns {Partial<Link>} */
function writeLink() {
	const { lines } = linesOf(places.value);
	return { aoi: lines.length > 0 ? lines : undefined };
}

/** Shows the areas of a link in the chart, and removes others from it. @param {Link} link */
function readLink({ aoi = [] }) {
	const linkedAreas = aoi.map(({ name, line }) => ({ name: tidyName(name), line, geometry: decodeGeometry(line) }));
	if (linkedAreas.some(({ geometry }) => geometry === null)) notify("areas", text("areas.badLink"));
	batch(() => {
		replacePlaces(places.peek().filter(({ geometry }) => geometry.type === "Point"));
		for (const { name, line, geometry } of linkedAreas) {
			if (!geometry) continue;
			const existing = areas.peek().find((area) => area.name === name && encodeGeometry(area.geometry) === line);
			if (existing) chartArea(existing.id);
			else addAreas([{ name, geometry }], { isCharted: true, isSaved: false });
		}
		adoptPoints();
	});
}

/** Points of a link that are among the areas become those. */
function adoptPoints() {
	replacePlaces(
		places.peek().map((place) => {
			const at = String(place.geometry.coordinates);
			const area = areas
				.peek()
				.find(({ geometry }) => geometry.type === "Point" && String(geometry.coordinates) === at);
			return area ? { ...place, id: area.id, name: area.name, isSaved: area.isSaved, isKept: true } : place;
		}),
	);
}
