/** Outlines of the found scenes, on every map; the current scene of the list is highlighted. */

import { emphasised, found, isOpen } from "../../find/finder.js";
import { linesOf } from "../../find/scenes.js";
import { Polygon, Polyline } from "../../vendor/leaflet.js";
import { computed } from "../../vendor/signals-core.js";
import { putOnMaps, toLatLngs } from "../map.js";
import { turnsOf } from "./area-outlines.js";

/** @typedef {import("../../find/scenes.js").Scene} Scene */

const PANE = "footprints";
const CASING = "var(--page)";
const COLOUR = "var(--accent)";
/** In pixels. */
const WEIGHT = 1.5;
const STRONG_WEIGHT = 3.5;

/** Each outline once: all dates of a cube have the same outline. */
const outlines = computed(() => {
	if (!isOpen.value) return [];
	return [...new Map(found.value.scenes.map(({ polygons }) => [JSON.stringify(polygons), polygons])).values()];
});

const strong = computed(() =>
	isOpen.value ? (found.value.scenes.find(({ id }) => id === emphasised.value)?.polygons ?? null) : null,
);

export function startFootprints() {
	const draw = (/** @type {() => import("../../vendor/leaflet.js").Layer[]} */ make) =>
		putOnMaps((map) => {
			if (!map.getPane(PANE)) map.createPane(PANE).style.zIndex = "440";
			return make();
		});
	draw(() => outlines.value.flatMap(quietLines));
	draw(() => (strong.value ? strongLines(strong.value) : []));
}

/** @param {Scene["polygons"]} polygons */
const quietLines = (polygons) => [
	...draw(polygons, { color: CASING, weight: WEIGHT + 1.5, opacity: 0.7 }),
	...draw(polygons, { color: COLOUR, weight: WEIGHT, dashArray: "6 4" }),
];

/** @param {Scene["polygons"]} polygons */
const strongLines = (polygons) => [
	...polygons.flatMap(turnsOf).map((rings) => {
		const fill = { fill: true, fillColor: COLOUR, fillOpacity: 0.12, stroke: false };
		const latLngs = rings.map((ring) => toLatLngs(ring));
		return new Polygon(latLngs, { pane: PANE, interactive: false, ...fill });
	}),
	...draw(polygons, { color: CASING, weight: STRONG_WEIGHT + 3, opacity: 0.9 }),
	...draw(polygons, { color: COLOUR, weight: STRONG_WEIGHT }),
];

/** @param {Scene["polygons"]} polygons @param {import("leaflet").PolylineOptions} line */
const draw = (polygons, line) =>
	polygons.flatMap(turnsOf).map((rings) => {
		const lines = rings.flatMap(linesOf).map((line) => toLatLngs(line));
		return new Polyline(lines, { pane: PANE, interactive: false, ...line });
	});
