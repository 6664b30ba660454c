/**
 * Outlines of areas and marks of points on every map. Places in the chart have the colour of their line and a number;
 * other areas are thin and dark.
 *
 * @typedef {import("../../areas/shapes/earth.js").Position} Position
 * @typedef {import("../../base/state.js").Geometry} Geometry
 * @typedef {{ id: string, geometry: Geometry, colour: string, number: number | null, isStrong: boolean }} Drawn
 */
import { drawnRing, oncePer, polygonsOf } from "../../areas/shapes/geometry.js";
import { areas, editedId, emphasised } from "../../areas/store.js";
import { make } from "../../base/elements.js";
import { placeNumber, places } from "../../base/state.js";
import { CircleMarker, DivIcon, LayerGroup, Marker, Polygon } from "../../vendor/leaflet.js";
import { computed, effect } from "../../vendor/signals-core.js";
import { maps, toLatLngs } from "../map.js";

/** @typedef {import("../../vendor/leaflet.js").Map} LeafletMap */
/** @typedef {import("../../vendor/leaflet.js").Layer} LeafletLayer */

const AREAS_PANE = "areas";
const BADGES_PANE = "area-badges";
const CASING = "var(--page)";
const QUIET = "var(--text)";
/** Distance from 180 degrees within which a polygon is also drawn on the other side, which the map may show. */
const NEAR_EDGE = 30;

/** The outlines and marks, the last one on top. */
const drawn = computed(() => {
	const [now, strong, edited] = [places.value, emphasised.value, editedId.value];
	const known = new Set(now.map(({ id }) => id));
	/** @type {(each: { id: string, geometry: Geometry }, colour: string, number: number | null) => Drawn} */
	const draw = ({ id, geometry }, colour, number) => ({ id, geometry, colour, number, isStrong: id === strong });
	const quiet = areas.value.filter(({ id }) => !known.has(id)).map((area) => draw(area, QUIET, null));
	const shown = now
		.filter(({ isShown }) => isShown)
		.map((place) => draw(place, `var(${place.colour})`, placeNumber(place)));
	return [...quiet, ...shown].filter(({ id }) => id !== edited);
});

/** The drawn layers of a map, by id. @type {(map: LeafletMap) => Map<string, { each: Drawn, group: LayerGroup }>} */
const shownOn = oncePer((map) => {
	map.createPane(AREAS_PANE).style.zIndex = "450";
	map.createPane(BADGES_PANE).style.zIndex = "455";
	return new Map();
});

/** Draws on every map, including later ones. */
export const startAreaOutlines = () =>
	effect(() => {
		for (const map of maps.value) drawOn(map, shownOn(map));
	});

/** @param {LeafletMap} map @param {ReturnType<typeof shownOn>} shown */
function drawOn(map, shown) {
	const coming = new Map(drawn.value.map((each) => [each.id, each]));
	for (const [id, { each, group }] of shown) {
		if (isSame(each, coming.get(id))) coming.delete(id);
		else {
			group.remove();
			shown.delete(id);
		}
	}
	for (const [id, each] of coming) shown.set(id, { each, group: new LayerGroup(layersOf(each)).addTo(map) });
}

/** @param {Drawn} a @param {Drawn | undefined} b */
const isSame = (a, b) =>
	a.geometry === b?.geometry && a.colour === b.colour && a.number === b.number && a.isStrong === b.isStrong;

/** @param {Drawn} each @returns {LeafletLayer[]} */
const layersOf = (each) => (each.geometry.type === "Point" ? pointLayers(each) : outlineLayers(each));

/** Makes a ring around a cell, and its number. @param {Drawn} each */
function pointLayers({ geometry, colour, number, isStrong }) {
	const [lon, lat] = /** @type {Position} */ (geometry.coordinates);
	const ring = { pane: AREAS_PANE, fill: false, interactive: false, radius: isStrong ? 10 : 7 };
	const circles = [
		new CircleMarker([lat, lon], { ...ring, color: CASING, weight: 5.5, opacity: 0.95 }),
		new CircleMarker([lat, lon], { ...ring, color: colour, weight: isStrong ? 3.5 : 2.5 }),
	];
	return number === null ? circles : [...circles, makeBadge([lat, lon], number, colour, "point")];
}

/** @param {Drawn} each */
function outlineLayers({ geometry, colour, number, isStrong }) {
	const line = { pane: AREAS_PANE, fill: false, interactive: false, smoothFactor: 1 };
	const weight = isStrong ? 3.5 : number === null ? 1.5 : 2.25;
	return polygonsOf(geometry)
		.flatMap((rings) => turnsOf(rings))
		.flatMap((rings) => {
			const latLngs = rings.map((ring) => toLatLngs(drawnRing(ring)));
			const outlines = [
				new Polygon(latLngs, { ...line, color: CASING, weight: weight + 2.5, opacity: 0.9 }),
				new Polygon(latLngs, { ...line, color: colour, weight }),
			];
			if (number === null) return outlines;
			return [...outlines, makeBadge(topOf(latLngs[0]), number, colour, "outline")];
		});
}

/** Returns the polygon, and near 180 degrees also its copy on the other side. @param {Position[][]} rings */
export function turnsOf(rings) {
	const lons = rings[0].map(([lon]) => lon);
	const turns = [0];
	if (Math.max(...lons) > 180 - NEAR_EDGE) turns.push(-360);
	if (Math.min(...lons) < -180 + NEAR_EDGE) turns.push(360);
	return turns.map((turn) => (turn === 0 ? rings : rings.map((ring) => ring.map(([lon, lat]) => [lon + turn, lat]))));
}

/** @param {[number, number][]} latLngs */
const topOf = (latLngs) => latLngs.reduce((top, each) => (each[0] > top[0] ? each : top));

/**
 * Makes the number of a place in its colour.
 * @param {[number, number]} at
 * @param {number} number
 * @param {string} colour
 * @param {"point" | "outline"} beside
 */
function makeBadge(at, number, colour, beside) {
	const words = make("span", { class: "area-badge", "data-beside": beside }, String(number));
	words.style.setProperty("--place", colour);
	const icon = new DivIcon({ html: words, className: "area-badge-frame", iconSize: [0, 0] });
	return new Marker(at, { icon, pane: BADGES_PANE, interactive: false, keyboard: false });
}
